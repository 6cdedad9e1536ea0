"""Expected gain per second: what was promised, what was seen, what follows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.choose.schedule import Belief, MeasuredGain, rank_by_value, update_belief
from headstart.choose.strategy import ExpectedGain

SHALLOW, DEEP, WHOLE = ExpectedGain(0.0, 0.15), ExpectedGain(0.1, 0.3), ExpectedGain(0.1, 1.0)


def test_before_anything_was_seen_the_promises_stand() -> None:
    found = update_belief([SHALLOW, DEEP, WHOLE], [None, None, None], errors=0.3)
    assert found.mean.tolist() == pytest.approx([0.0, 0.03, 0.03])
    assert found.spread.tolist() == pytest.approx([0.06, 0.06, 0.06])


def test_a_gain_that_was_measured_well_is_believed_and_moves_its_neighbour_more_than_the_far_one() -> None:
    found = update_belief([SHALLOW, DEEP, WHOLE], [None, MeasuredGain(0.1, 0.001), None], errors=0.3)
    assert found.mean[1] == pytest.approx(0.1, abs=0.001)
    assert found.spread[1] == pytest.approx(0.001, abs=0.0005)
    assert found.mean[0] > 0.04
    assert 0.03 < found.mean[2] < 0.06
    assert found.spread[0] < found.spread[2] < 0.06


def test_a_noisy_gain_hardly_counts() -> None:
    found = update_belief([DEEP], [MeasuredGain(0.5, 10.0)], errors=0.3)
    assert found.mean[0] == pytest.approx(0.03, abs=0.001)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(-1, 1))
def test_expected_improvement_is_at_least_the_sure_gain_and_never_negative(
    mean: float, spread: float, bar: float
) -> None:
    worth = Belief(np.array([mean]), np.array([spread])).improvement(bar)[0]
    assert worth >= max(mean - bar, 0.0) - 1e-12
    assert worth <= max(mean - bar, 0.0) + 0.4 * spread + 1e-12


def test_the_dearer_of_two_alike_comes_later() -> None:
    assert rank_by_value(np.array([0.02, 0.02, 0.05]), [1.0, 10.0, 5.0]) == [0, 2, 1]

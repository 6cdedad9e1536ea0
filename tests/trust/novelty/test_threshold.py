"""A threshold keeps its false-positive rate, and says when there are too few rows for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import DataError, OptionError
from headstart.trust.novelty.threshold import threshold_at


@given(st.integers(1, 60), st.floats(0.01, 0.5))
@settings(max_examples=80, deadline=None)
def test_the_expected_rate_is_the_share_of_ranks_above_and_at_most_what_was_asked_for(n: int, rate: float) -> None:
    found = threshold_at(np.arange(float(n)), rate)
    assert found.expected == pytest.approx((n - found.value) / (n + 1))
    assert found.feasible == (rate >= 1 / (n + 1) - 1e-9)
    assert found.expected <= max(rate, 1 / (n + 1)) + 1e-9
    assert 0 <= found.low <= found.expected <= found.high <= 1


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (50, 0.05), (200, 0.1), (7, 0.2)])
def test_new_exchangeable_rows_are_alarms_at_no_more_than_the_rate(n: int, rate: float) -> None:
    random = np.random.default_rng(n)
    drawn = random.gamma(1.0, size=(4000, n + 1))
    alarms = np.mean([row[-1] > threshold_at(row[:-1], rate).value for row in drawn])
    assert alarms <= rate + 3 * np.sqrt(rate * (1 - rate) / 4000)
    assert alarms >= rate / 2


def test_a_new_group_is_alarmed_at_the_rate_though_rows_of_a_group_are_alike() -> None:
    random = np.random.default_rng(1)
    alarms, ungrouped = [], []
    for _ in range(1500):
        centre, sizes = random.normal(size=25), random.integers(1, 12, size=25)
        groups = np.repeat(np.arange(24), sizes[:-1])
        scores = centre[groups] + 0.1 * random.normal(size=len(groups))
        new = centre[-1] + 0.1 * random.normal()
        alarms.append(new > threshold_at(scores, 0.05, groups=groups).value)
        ungrouped.append(new > threshold_at(scores, 0.05).value)
    assert np.mean(alarms) <= 0.05 + 0.017
    assert np.mean(ungrouped) > np.mean(alarms)


def test_ninety_nine_rows_at_five_per_cent() -> None:
    found = threshold_at(np.arange(99.0), 0.05)
    assert (found.value, found.expected) == (94.0, pytest.approx(0.05))
    assert found.sentence() == (
        "About 5.0 % of known images are flagged as novel by mistake (between 1.7 % and 10.0 % in 95 of 100 such data "
        "sets; 5.0 % was asked for)."
    )


def test_too_few_rows_are_said_with_how_many_would_do() -> None:
    found = threshold_at(np.arange(9.0), 0.05)
    assert (found.value, found.feasible) == (8.0, False)
    assert found.sentence().startswith(
        "9 independent images cannot guarantee a false-positive rate of 5.0 %: expect 10.0 %"
    )
    assert found.sentence().endswith("At least 19 are needed.")
    assert threshold_at(np.arange(19.0), 0.05).feasible


def test_many_rows_of_few_groups_are_few() -> None:
    found = threshold_at(np.arange(300.0), 0.05, groups=np.arange(300) % 6)
    assert (found.rows, found.feasible, found.value) == (6, False, 299.0)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(OptionError, match=r"the false-positive rate must lie between 0 and 1, both excluded; found"):
        threshold_at(np.arange(9.0), rate)


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="at least one scored row"):
        threshold_at(np.zeros(0), 0.05)

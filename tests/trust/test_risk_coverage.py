"""The risk–coverage curve: by hand, without regard to the order of rows, and against its best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import DataError
from headstart.trust.risk_coverage import risk_coverage


def test_the_curve_equals_one_computed_by_hand() -> None:
    curve = risk_coverage(np.array([0.6, 0.9, 0.7, 0.8]), np.array([True, True, False, True]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((1 / 3 + 1 / 4) / 4)
    assert curve.excess_area == pytest.approx((1 / 3) / 4)


def test_errors_that_come_last_have_no_excess() -> None:
    sure = np.linspace(1, 0.5, 100)
    curve = risk_coverage(sure, np.arange(100) < 90)
    assert curve.excess_area == 0.0
    assert curve.area == pytest.approx(0.1 + 0.9 * np.log(0.9), abs=0.001)  # Geifman, Uziel, El-Yaniv 2019


@given(st.integers(0, 10**6), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_rows_is_nothing_and_all_accepted_is_the_error(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    sure, right = np.round(random.random(n), 1), random.random(n) < 0.7
    order = random.permutation(n)
    one, other = risk_coverage(sure, right), risk_coverage(sure[order], right[order])
    assert one.risk == pytest.approx(other.risk)
    assert one.risk[-1] == pytest.approx(1 - right.mean())
    assert one.excess_area >= 0


def test_equal_confidences_make_a_flat_curve() -> None:
    assert risk_coverage(np.full(4, 0.5), np.array([True, False, True, False])).risk.tolist() == [0.5] * 4


def test_a_curve_is_thinned_for_a_plot() -> None:
    points = risk_coverage(np.linspace(1, 0, 1000), np.ones(1000, bool)).points(20)
    assert (len(points), points[0], points[-1]) == (20, (0.001, 0.0), (1.0, 0.0))
    assert len(risk_coverage(np.ones(3), np.ones(3, bool)).points()) == 3


def test_no_answers_make_no_curve() -> None:
    with pytest.raises(DataError, match="found 0 and 0"):
        risk_coverage(np.empty(0), np.empty(0, bool))

"""Intervals for shares, against published values, other libraries and their own laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from headstart.errors import InternalError
from headstart.metrics.intervals import (
    Estimate,
    clopper_pearson,
    effective_size,
    mean_share,
    paired_difference,
    wilson,
)

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_an_estimate_prints_as_a_percentage_with_its_interval() -> None:
    assert str(Estimate(0.924, 0.901, 0.942)) == "92.4 % (90.1–94.2)"
    assert Estimate(0.5, 0.4, 0.6, method="exact").to_dict() == {
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "metric": "accuracy",
        "confidence": 0.95,
        "method": "exact",
    }


def test_an_estimate_outside_its_interval_cannot_be_built() -> None:
    with pytest.raises(InternalError, match=r"lies outside its interval: 0\.4 0\.3 0\.6"):
        Estimate(0.3, 0.4, 0.6)


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_both_intervals_agree_with_scipy(counts: tuple[int, int], confidence: float) -> None:
    hits, trials = counts
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = binomtest(hits, trials).proportion_ci(confidence, method=method)
        assert np.allclose(ours(hits, trials, confidence=confidence), (theirs.low, theirs.high), atol=1e-9)


@given(COUNTS)
def test_intervals_hold_the_share_and_lie_between_0_and_1(counts: tuple[int, int]) -> None:
    hits, trials = counts
    for method in (wilson, clopper_pearson):
        low, high = method(hits, trials)
        assert 0 <= low <= hits / trials <= high <= 1


def test_without_trials_nothing_is_known() -> None:
    assert [float(end) for end in wilson(0, 0)] == [0.0, 1.0]
    assert [float(end) for end in clopper_pearson(0, 0)] == [0.0, 1.0]
    assert mean_share(np.zeros(2), np.zeros(2)) == (0.0, 0.0, 1.0)


def test_hits_may_be_means_over_repeats() -> None:
    low, high = clopper_pearson(19.5, 20)
    assert clopper_pearson(19, 20)[0] < low < clopper_pearson(20, 20)[0]
    assert clopper_pearson(19, 20)[1] < high < 1


def test_the_mean_of_one_share_is_its_exact_interval() -> None:
    low, high = clopper_pearson(7, 9)
    assert mean_share(np.array([7.0]), np.array([9.0])) == pytest.approx((7 / 9, float(low), float(high)))


def test_the_mean_of_many_shares_is_surer_than_one_of_them() -> None:
    value, low, high = mean_share(np.full(25, 3.0), np.full(25, 4.0))
    assert value == 0.75
    assert 0.6 < low < 0.7 < 0.79 < high < 0.9


def test_one_difference_in_twenty_is_not_certain() -> None:
    low, high = paired_difference(4, 0, 20)
    assert low < 0 < 0.2 < high
    assert paired_difference(8, 0, 20)[0] > 0


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_paired_difference_turned_round_is_the_opposite(wins: int, losses: int) -> None:
    low, high = paired_difference(wins, losses, 100)
    back_low, back_high = paired_difference(losses, wins, 100)
    assert (low, high) == pytest.approx((-back_high, -back_low))


def test_rows_that_are_alone_all_count() -> None:
    right = np.array([1.0, 0, 1, 1])
    assert effective_size(right, None) == 4
    assert effective_size(right, np.array([5, 7, 1, 0])) == 4


def test_copies_of_an_image_count_once() -> None:
    groups = np.repeat(np.arange(40), 5)
    right = np.repeat(np.arange(40) % 4 > 0, 5).astype(float)
    assert 30 < effective_size(right, groups) < 42


def test_groups_whose_images_go_right_independently_hardly_matter() -> None:
    groups = np.repeat(np.arange(200), 5)
    right = (np.random.default_rng(0).random(1000) < 0.8).astype(float)
    assert effective_size(right, groups) > 800


def test_where_all_is_right_the_worst_is_assumed_of_groups() -> None:
    size = effective_size(np.ones(100), np.repeat(np.arange(50), 2))
    assert 45 < size < 50

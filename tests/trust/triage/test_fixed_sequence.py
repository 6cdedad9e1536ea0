"""The test behind triage: literal counts, exact bounds, a sequence that stops, a guarantee that holds at its rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from headstart.errors import OptionError
from headstart.trust.triage.fixed_sequence import accepted_needed, error_bound, last_valid, rows_needed, steps

ASKED = {"max_error": 0.02, "confidence_level": 0.95, "least_coverage": 1 / 3}


@pytest.mark.parametrize(
    ("max_error", "wrong", "needed"),
    [(0.05, 0, 59), (0.02, 0, 149), (0.01, 0, 299), (0.02, 1, 236), (0.05, 1, 93), (0.02, 10, 845)],
)
def test_so_many_accepted_images_carry_a_guarantee(max_error: float, wrong: int, needed: int) -> None:
    assert accepted_needed(max_error, wrong=wrong) == needed
    assert binom.cdf(wrong, needed, max_error) <= 0.05 < binom.cdf(wrong, needed - 1, max_error)


def test_the_bound_is_clopper_and_pearson_s() -> None:
    assert error_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert error_bound(3, 200, 0.99) == pytest.approx(0.049, abs=1e-3)
    assert binom.cdf(3, 200, error_bound(3, 200, 0.99)) == pytest.approx(0.01)
    assert error_bound(5, 5) == 1.0


def test_the_steps_are_fixed_by_the_number_of_rows_alone() -> None:
    assert steps(1000, 334)[[0, -1]].tolist() == [334, 1000]
    assert len(steps(1000, 334)) == 40
    assert steps(148, 149).tolist() == []


def test_149_right_answers_are_all_accepted_and_148_are_not() -> None:
    sure = np.linspace(1.0, 0.5, 149)
    found = last_valid(sure, np.zeros(149, bool), **ASKED)
    assert (found.accepted, found.wrong, found.threshold) == (149, 0, 0.0)
    found = last_valid(sure[:148], np.zeros(148, bool), **ASKED)
    assert (found.accepted, found.threshold, found.first_step) == (0, 1.0, None)


def test_the_row_at_the_threshold_is_not_accepted() -> None:
    sure = np.linspace(1.0, 0.5, 400)
    wrong = np.arange(400) >= 200
    found = last_valid(sure, wrong, **ASKED)
    assert found.wrong == 0 or found.accepted > 200
    assert (sure > found.threshold).sum() == found.accepted
    assert found.threshold == sure[found.accepted]


def test_the_sequence_ends_at_the_first_step_that_fails() -> None:
    sure = np.linspace(1.0, 0.5, 1000)
    wrong = np.zeros(1000, bool)
    wrong[:10] = True  # at the first step, 334 accepted, ten errors are too many; at all 1,000 they would not be
    assert last_valid(sure, wrong, **ASKED).accepted == 0
    assert error_bound(10, 1000) < 0.02
    assert last_valid(sure, wrong, **ASKED).first_step == (334, 10)


def test_equal_confidences_are_accepted_together_or_not_at_all() -> None:
    sure = np.repeat([0.9, 0.6], [300, 100])
    wrong = np.repeat([False, True], [300, 100])
    found = last_valid(sure, wrong, **ASKED)
    assert (found.accepted, found.threshold) == (300, 0.6)
    assert last_valid(np.full(400, 0.9), np.arange(400) < 100, **ASKED).accepted == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 700), st.floats(0.0, 0.2))
@settings(max_examples=60, deadline=None)
def test_a_looser_guarantee_never_accepts_less_and_what_is_accepted_keeps_its_bound(
    seed: int, n: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    sure = np.round(random.uniform(0.3, 1.0, n), 2)
    wrong = random.random(n) < share * (1.3 - sure)
    before = 0
    for max_error in (0.01, 0.02, 0.05, 0.1, 0.3):
        found = last_valid(sure, wrong, max_error=max_error, confidence_level=0.95, least_coverage=0.0)
        whole = last_valid(sure, wrong, max_error=max_error, confidence_level=0.95, least_coverage=1.0)
        assert whole.accepted >= before
        before = whole.accepted
        assert (sure > found.threshold).sum() == found.accepted
        assert found.wrong == wrong[sure > found.threshold].sum()
        if found.accepted:
            assert error_bound(found.wrong, found.accepted) <= max_error + 1e-12


def test_a_sequence_from_the_same_steps_goes_further_under_a_looser_guarantee() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        sure = random.random(2000)
        wrong = random.random(2000) < 0.1 * (1 - sure)
        reached = [
            last_valid(sure, wrong, max_error=e, confidence_level=0.95, least_coverage=0.4).accepted
            for e in (0.005, 0.01, 0.02, 0.03, 0.05)
        ]
        assert reached == sorted(reached)


def test_the_guarantee_holds_at_its_rate_where_it_is_hardest() -> None:
    """The error above any threshold crosses 5 % in the middle of the sequence; at most 5 % of draws may go beyond."""
    random = np.random.default_rng(1)
    violations = 0
    for _ in range(2000):
        sure = 1 - random.random(300)
        wrong = random.random(300) < np.where(sure > 0.5, 0.05, 0.06)
        found = last_valid(sure, wrong, max_error=0.05, confidence_level=0.95, least_coverage=0.25)
        violations += found.threshold < 0.5
    assert violations / 2000 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    worst = 0
    for _ in range(2000):
        sure = 1 - random.random(300)
        wrong = random.random(300) < 0.0501
        worst += last_valid(sure, wrong, max_error=0.05, confidence_level=0.95, least_coverage=0.25).accepted > 0
    assert 0.01 < worst / 2000 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_a_mixture_of_risks_is_less_often_taken_for_a_small_one_than_an_even_risk() -> None:
    """Hoeffding's inequality, on which the guarantee for the labelled images rests, holds wherever a step can pass."""
    random = np.random.default_rng(2)
    for max_error in (0.01, 0.05, 0.3, 0.5):
        for wrong in range(4):
            m = accepted_needed(max_error, 0.8, wrong=wrong)
            assert wrong <= m * max_error - 1
            risks = random.dirichlet(np.full(m, 0.3)) * m * max_error
            if risks.max() < 1:
                chances = np.ones(1)
                for risk in risks:
                    chances = np.convolve(chances, [1 - risk, risk])
                assert chances[: wrong + 1].sum() <= binom.cdf(wrong, m, max_error) + 1e-12


def test_how_many_rows_are_needed_is_read_from_the_curve() -> None:
    sure, none = np.linspace(1.0, 0.5, 100), np.zeros(100, bool)
    assert rows_needed(sure, none, **ASKED) == 149
    late = np.arange(100) >= 90
    assert rows_needed(sure, late, **ASKED) == pytest.approx(149 / 0.9, rel=0.03)
    assert rows_needed(sure, np.arange(100) % 10 == 0, **ASKED) is None
    assert rows_needed(np.empty(0), np.empty(0, bool), **ASKED) is None
    cautious = rows_needed(sure, none, caution=0.8, **ASKED)
    assert cautious is not None
    assert cautious > 1000


def test_as_many_rows_as_were_asked_for_do() -> None:
    sure, wrong = np.linspace(1.0, 0.5, 200), np.arange(200) % 100 == 99
    total = rows_needed(sure, wrong, **ASKED)
    assert total is not None
    more = np.arange(total)
    grown = (more % 100 == 99) & (more >= 100)
    assert last_valid(np.linspace(1.0, 0.5, total), grown, **ASKED).accepted > 0


def test_impossible_guarantees_are_refused() -> None:
    with pytest.raises(OptionError, match=r"max_error must lie between 0\.0001 and 0\.5; found 0"):
        accepted_needed(0)
    with pytest.raises(OptionError, match="confidence_level must lie between"):
        accepted_needed(0.02, 1.0)

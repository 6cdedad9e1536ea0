"""One temperature: it keeps the ranking, finds the truth, and stays finite."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart.metrics.probability import log_loss
from headstart.trust.calibration.temperature import (
    crossed_probabilities,
    fit_temperature,
    probabilities,
    row_losses,
)


def drawn(sharpness: float, n: int = 3000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are `sharpness` times too sharp, and labels."""
    rng = np.random.default_rng(3)
    logits = 2 * rng.normal(size=(n, classes))
    return sharpness * logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize("sharpness", [1e-4, 0.05, 1.0, 30.0, 1e5])
def test_the_temperature_undoes_scores_that_are_too_sharp(sharpness: float) -> None:
    scores, y = drawn(sharpness)
    assert fit_temperature(scores, y) == pytest.approx(sharpness, rel=0.08)


@given(
    hnp.arrays(np.float32, (12, 3), elements=st.floats(-1e4, 1e4, width=32)),
    hnp.arrays(np.int64, 12, elements=st.integers(0, 2)),
)
@settings(max_examples=60, deadline=None)
def test_the_ranking_never_changes_and_the_temperature_is_finite(scores: np.ndarray, y: np.ndarray) -> None:
    temperature = fit_temperature(scores, y)
    assert 0 < temperature < np.inf
    calm = probabilities(scores, temperature).astype(np.float64)
    assert np.allclose(calm.sum(axis=1), 1, atol=1e-5)
    ranked = np.take_along_axis(calm, np.argsort(scores, axis=1, kind="stable"), axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()


def test_twenty_right_answers_do_not_prove_certainty() -> None:
    y = np.arange(20) % 2
    scores = np.where(y[:, None] == np.arange(2), 1.0, -1.0)
    confidence = probabilities(scores, fit_temperature(scores, y)).max(axis=1)
    assert confidence == pytest.approx(21 / 22, abs=1e-3)


def test_scores_that_say_nothing_leave_the_temperature_alone() -> None:
    assert fit_temperature(np.zeros((5, 3)), np.array([0, 1, 2, 0, 1])) == 1.0


def test_useless_scores_become_even_probabilities() -> None:
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(2000, 2)), rng.integers(2, size=2000)
    assert probabilities(scores, fit_temperature(scores, y)).max() < 0.7


def test_thinning_many_rows_gives_nearly_the_same() -> None:
    scores, y = drawn(5.0, n=30_000)
    assert fit_temperature(scores, y, most_rows=4000) == pytest.approx(fit_temperature(scores, y), rel=0.1)


def test_row_losses_average_to_the_log_loss() -> None:
    scores, y = drawn(2.0, n=300)
    both = np.stack([scores, scores])
    assert row_losses(both, y, 2.0).mean() == pytest.approx(log_loss(y, probabilities(scores, 2.0)), rel=1e-4)


def test_crossed_probabilities_do_not_look_at_their_own_fold() -> None:
    scores, y = drawn(3.0, n=400)
    folds = np.arange(400)[None] % 5
    before = crossed_probabilities(scores[None], y, folds)
    mine = folds[0] == 2
    changed = y.copy()
    changed[mine] = (changed[mine] + 1) % 4
    after = crossed_probabilities(scores[None], changed, folds)
    assert (before[0, mine] == after[0, mine]).all()
    assert not (before[0, ~mine] == after[0, ~mine]).all()

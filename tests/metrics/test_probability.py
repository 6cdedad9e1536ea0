"""Log-loss, Brier score, calibration error and top-k against hand-computed values and scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics as theirs

from headstart.metrics import probability

Y = np.array([0, 1, 2])
P = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]])


def test_log_loss_and_brier_equal_those_computed_by_hand() -> None:
    assert probability.log_loss(Y, P) == pytest.approx((-np.log(0.7) - np.log(0.3)) / 3)
    assert probability.brier(Y, P) == pytest.approx((0.09 + 0.04 + 0.01 + 0.09 + 0.49 + 0.16) / 3)


def test_they_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=50)
    y = rng.integers(4, size=50)
    assert probability.log_loss(y, p) == pytest.approx(theirs.log_loss(y, p, labels=range(4)))
    assert probability.top_k(y, p, k=2) == pytest.approx(theirs.top_k_accuracy_score(y, p, k=2))


def test_a_sure_and_wrong_answer_has_a_finite_log_loss() -> None:
    assert probability.log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(34.5388, abs=1e-3)


def test_top_k_of_all_classes_is_always_right() -> None:
    assert probability.top_k(Y, P, k=5) == 1.0
    assert probability.top_k(Y, P, k=1) == pytest.approx(2 / 3)


def test_honest_probabilities_have_a_small_calibration_error() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1.0, size=20_000)
    y = (rng.random(20_000) > sure).astype(np.int64)
    honest = np.stack([sure, 1 - sure], axis=1)
    assert probability.calibration_error(y, honest) < 0.01
    boastful = np.stack([np.ones(20_000), np.zeros(20_000)], axis=1)
    assert probability.calibration_error(y, boastful) == pytest.approx(0.25, abs=0.01)

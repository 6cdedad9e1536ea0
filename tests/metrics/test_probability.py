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


def test_the_bins_hold_equally_many_images_fifteen_of_them() -> None:
    confidence, _, bins = probability._binned(np.zeros(1500, int), np.tile([0.6, 0.4], (1500, 1)), 15)
    assert [len(part) for part in bins] == [100] * 15
    assert len(confidence) == 1500
    assert [len(part) for part in probability._binned(np.zeros(40, int), np.full((40, 2), 0.5), 15)[2]] == [10] * 4


def test_the_debiased_error_takes_off_what_chance_alone_adds() -> None:
    rng = np.random.default_rng(0)
    squares, plain = [], []
    for _ in range(300):
        sure = rng.uniform(0.5, 1.0, size=300)
        y = (rng.random(300) > sure).astype(np.int64)
        p = np.stack([sure, 1 - sure], axis=1)
        squares.append(probability.debiased_calibration_error(y, p))
        plain.append(probability.calibration_error(y, p))
    assert np.mean(np.array(squares) == 0) > 0.4
    assert np.mean(squares) < 0.6 * np.mean(plain)


def test_the_debiased_error_finds_a_true_gap() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(20_000) > 0.7).astype(np.int64)
    boastful = np.tile([0.9, 0.1], (20_000, 1))
    assert probability.debiased_calibration_error(y, boastful) == pytest.approx(0.2, abs=0.01)

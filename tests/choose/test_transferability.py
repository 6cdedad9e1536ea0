"""LogME and H-score against their definitions written out, and the laws that they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.covariance import LedoitWolf

from headstart.choose.transferability import h_score, logme
from headstart.data.splits import assign_folds
from headstart.errors import DataError
from headstart.heads.catalog import make_head
from headstart.metrics.classes import score


def classes(n: int, d: int, count: int = 3, distance: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes, float64."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % count
    return rng.normal(size=(n, d)) + distance * rng.normal(size=(count, d))[y], y


def evidence(F: np.ndarray, target: np.ndarray, alpha: float, beta: float) -> float:
    """Equation 2 of You et al. 2021, word for word."""
    n, d = F.shape
    A = alpha * np.eye(d) + beta * F.T @ F
    m = beta * np.linalg.solve(A, F.T @ target)
    fit, size = ((F @ m - target) ** 2).sum(), m @ m
    log = d / 2 * np.log(alpha) + n / 2 * np.log(beta) - n / 2 * np.log(2 * np.pi) - np.linalg.slogdet(A)[1] / 2
    return float(log - beta / 2 * fit - alpha / 2 * size)


def slow_logme(F: np.ndarray, y: np.ndarray) -> float:
    """The paper's algorithm 1: its fixed point for each class."""
    n, d = F.shape
    spectrum = np.linalg.eigvalsh(F.T @ F)
    found = []
    for k in np.unique(y):
        target = (y == k).astype(float)
        alpha = beta = 1.0
        for _ in range(3000):
            m = beta * np.linalg.solve(alpha * np.eye(d) + beta * F.T @ F, F.T @ target)
            gamma = (beta * spectrum / (alpha + beta * spectrum)).sum()
            alpha, beta = gamma / (m @ m), (n - gamma) / ((F @ m - target) ** 2).sum()
        found.append(evidence(F, target, alpha, beta) / n)
    return float(np.mean(found))


def slow_h_score(F: np.ndarray, y: np.ndarray) -> float:
    """The trace of matrices that are made, with scikit-learn's covariance."""
    rows = F - F.mean(axis=0)
    means = np.stack([rows[y == k].mean(axis=0) for k in y])
    shrunk = LedoitWolf(assume_centered=True).fit(rows)
    return float((1 - shrunk.shrinkage_) * np.trace(np.linalg.inv(shrunk.covariance_) @ (means.T @ means / len(y))))


@pytest.mark.parametrize(("n", "d"), [(200, 20), (90, 12), (40, 40)])
def test_logme_is_what_the_papers_fixed_point_reaches(n: int, d: int) -> None:
    F, y = classes(n, d)
    assert logme(F, y) == pytest.approx(slow_logme(F, y), abs=1e-7)


def test_the_scores_of_one_problem_are_these() -> None:
    F, y = classes(200, 20)
    assert logme(F, y) == pytest.approx(-0.08122720, abs=1e-7)
    assert h_score(F, y) == pytest.approx(1.67007826, abs=1e-7)


def test_no_strengths_give_more_evidence_than_logme_even_with_fewer_images_than_features() -> None:
    F, y = classes(30, 50)  # the paper's fixed point divides by zero here
    best = logme(F, y)
    grid = [
        np.mean([evidence(F, (y == k).astype(float), a, b) / 30 for k in range(3)])
        for a in 10.0 ** np.arange(-2, 7)
        for b in 10.0 ** np.arange(-2, 7)
    ]
    assert max(grid) <= best < max(grid) + 0.2


@pytest.mark.parametrize(("n", "d"), [(200, 20), (40, 40), (30, 50)])
def test_the_h_score_is_the_trace_that_defines_it(n: int, d: int) -> None:
    F, y = classes(n, d)
    assert h_score(F, y) == pytest.approx(slow_h_score(F, y), abs=1e-9)


@given(
    st.integers(4, 40),
    st.integers(1, 30),
    st.integers(2, 4),
    st.integers(0, 1000),
    st.floats(0.01, 100),
)
@settings(max_examples=40, deadline=None)
def test_rotation_scale_and_the_order_of_images_and_classes_change_nothing(
    n: int, d: int, count: int, seed: int, scale: float
) -> None:
    F, y = classes(n, d, count, seed=seed)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    rows, names = rng.permutation(n), rng.permutation(count)
    turned, renamed = (scale * F @ rotation)[rows], names[y][rows]
    assert logme(turned, renamed) == pytest.approx(logme(F, y), abs=1e-6)
    assert h_score(turned, renamed) == pytest.approx(h_score(F, y), abs=1e-6)


@given(arrays.arrays(np.float32, (12, 5), elements=st.floats(-1e3, 1e3, width=32)))
@settings(max_examples=60, deadline=None)
def test_every_finite_table_has_finite_scores(F: np.ndarray) -> None:
    y = np.arange(12) % 3
    assert np.isfinite(logme(F, y))
    assert -1e-9 <= h_score(F, y) <= 2 + 1e-9


def test_features_that_say_nothing_score_least() -> None:
    y = np.arange(60) % 3
    assert h_score(np.ones((60, 4)), y) == 0
    assert h_score(np.zeros((60, 4)), y) == 0
    # N(0, 1/3) noise around targets of which a third is 1: -(log(2π/3) + 1)/2.
    assert logme(np.zeros((60, 4)), y) == pytest.approx(-0.8696324, abs=1e-6)


def test_a_width_that_reaches_the_number_of_images_does_not_make_noise_look_perfect() -> None:
    rng = np.random.default_rng(0)
    F, y = rng.normal(size=(60, 200)), np.arange(60) % 3
    assert h_score(F, y) < 0.5  # without shrinkage: 2, the most there is


def test_both_scores_order_features_as_a_trained_probe_does() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(150) % 3
    centres = rng.normal(size=(3, 30))
    noise = rng.normal(size=(150, 30))
    dealt = assign_folds(y, count=5)
    found = []
    for distance in (0.0, 0.15, 0.3, 0.5, 0.8):
        X = (noise + distance * centres[y]).astype(np.float32)
        scores = make_head("probe").path_scores(X, y, dealt).scores
        accuracy = max(score("accuracy", y, each.argmax(axis=-1), 3) for each in scores)
        found.append((accuracy, logme(X, y), h_score(X, y)))
    for column in zip(*found, strict=True):
        assert list(column) == sorted(column)
        assert column[-1] > column[0]


def test_what_cannot_be_scored_is_refused() -> None:
    F, y = classes(10, 3)
    for scored in (logme, h_score):
        with pytest.raises(DataError, match="at least two classes; found one"):
            scored(F, np.zeros(10, int))
        with pytest.raises(DataError, match=r"found the shape \(10, 3\) for 9 labels"):
            scored(F, y[:9])
        with pytest.raises(DataError, match="finite numbers"):
            scored(np.full((10, 3), np.nan), y)

"""The distances and directions of a layer: right on tiny data, the same whatever the order, whole after saving."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf as reference_ledoit_wolf

from headstart.data.sampling import stratified_subsample
from headstart.trust.novelty.mahalanobis import fit_mahalanobis, ledoit_wolf, shrunk_covariance


def distances(X: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distances of other rows to the nearest class of these."""
    return fit_mahalanobis(X, y).distance_and_direction(others)[:, 0]


def blobs(n: int = 90, d: int = 20, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (random.normal(size=(n, d)) + 4 * random.normal(size=(classes, d))[y] + 3).astype(np.float32), y


@pytest.mark.parametrize(("n", "d"), [(40, 7), (7, 40), (30, 30)])
def test_the_shrinkage_is_that_of_scikit_learn_and_the_covariance_too(n: int, d: int) -> None:
    residuals = np.random.default_rng(0).normal(size=(n, d)) * np.linspace(0.2, 3, d)
    wanted, shrinkage = reference_ledoit_wolf(residuals, assume_centered=True)
    assert ledoit_wolf(residuals, residuals @ residuals.T) == pytest.approx(shrinkage)
    axes, values, level = shrunk_covariance(residuals, 100)
    found = (axes * (values - level)) @ axes.T + level * np.eye(d)
    assert np.allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(("n", "d", "classes"), [(90, 20, 3), (30, 200, 2)])
def test_the_direction_is_the_largest_cosine_once_the_covariance_is_taken_out(n: int, d: int, classes: int) -> None:
    X, y = blobs(n, d, classes)
    rows = X - X.mean(axis=0)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float64)
    means = np.stack([rows[y == k].mean(axis=0) for k in range(classes)])
    precision = np.linalg.inv(reference_ledoit_wolf(rows - means[y], assume_centered=True)[0])
    inner = rows @ precision @ means.T
    lengths = np.sqrt(np.einsum("nd,de,ne->n", rows, precision, rows))[:, None]
    wanted = 1 - (inner / lengths / np.sqrt(np.einsum("kd,de,ke->k", means, precision, means))).max(axis=1)
    found = fit_mahalanobis(X, y).distance_and_direction(X)
    assert np.allclose(found[:, 1], wanted, atol=0.01)


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_directions_lie_between_0_and_2_and_one_class_alone_has_none(classes: int) -> None:
    X, y = blobs(40, 12, classes)
    found = fit_mahalanobis(X, y).distance_and_direction(np.concatenate([X, 0 * X, -9 * X]))[:, 1]
    assert np.isfinite(found).all()
    assert found.min() > -1e-3
    assert found.max() < 2.001
    assert (found == 0).all() == (classes == 1)


def test_fewer_axes_keep_the_trace() -> None:
    residuals = np.random.default_rng(0).normal(size=(60, 12)) * np.arange(1, 13)
    _, all_values, level = shrunk_covariance(residuals, 12)
    _, values, rest = shrunk_covariance(residuals, 3)
    assert values == pytest.approx(all_values[-3:])
    assert values.sum() + 9 * rest == pytest.approx(all_values.sum())
    assert level < rest


@pytest.mark.parametrize(("n", "d", "classes"), [(90, 20, 3), (30, 200, 2)])
def test_the_score_is_the_smallest_mahalanobis_distance(n: int, d: int, classes: int) -> None:
    X, y = blobs(n, d, classes)
    rows = X - X.mean(axis=0)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float64)
    means = np.stack([rows[y == k].mean(axis=0) for k in range(classes)])
    precision = np.linalg.inv(reference_ledoit_wolf(rows - means[y], assume_centered=True)[0])
    apart = rows[:, None] - means
    wanted = np.sqrt(np.einsum("nkd,de,nke->nk", apart, precision, apart).min(axis=1) / d)
    assert np.allclose(distances(X, y, X), wanted, rtol=0.01)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    X, y = blobs()
    order = np.random.default_rng(seed).permutation(len(X))
    assert np.allclose(distances(X[order], y[order], X), distances(X, y, X), rtol=2e-3, atol=2e-3)
    assert np.allclose(distances(X, y, X[order]), distances(X, y, X)[order], atol=2e-3)


def test_scale_and_for_classes_their_place_do_not_matter() -> None:
    X, y = blobs()
    assert np.allclose(distances(8 * X, y, 8 * X), distances(X, y, X), rtol=1e-2, atol=1e-3)
    assert np.allclose(distances(X - 64, y, X - 64), distances(X, y, X), rtol=1e-2)


@pytest.mark.parametrize(("n", "d", "classes"), [(2, 3, 2), (3, 1, 1), (6, 50, 6), (40, 8, 2), (12, 300, 4)], ids=str)
def test_tiny_classes_few_rows_and_constant_columns_work(n: int, d: int, classes: int) -> None:
    X, y = blobs(n, d, classes)
    X[:, 0] = 4
    scores = distances(X, y, np.concatenate([X, X + 100, 0 * X]))
    assert scores.shape == (3 * n,)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_a_row_far_from_every_class_scores_higher() -> None:
    X, y = blobs()
    assert distances(X, y, -X.mean(axis=0, keepdims=True) * 3)[0] > np.quantile(distances(X, y, X), 0.99)


def test_many_rows_are_scored_block_by_block_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs()
    form = fit_mahalanobis(X, y)
    whole = form.distance_and_direction(X)
    monkeypatch.setattr("headstart.heads.forms.arrays.AT_ONCE", 100)
    assert np.allclose(form.distance_and_direction(X), whole, atol=2e-3)


def test_what_is_kept_is_small_whatever_came_in() -> None:
    X, y = blobs(2600, 300)
    assert fit_mahalanobis(X, y).axes.shape == (300, 256)


def test_rows_are_kept_from_every_class_by_its_share() -> None:
    kept = stratified_subsample(np.repeat([0, 1, 2], [100, 800, 100]), 100)
    assert len(kept) == 100
    assert np.bincount(np.repeat([0, 1, 2], [100, 800, 100])[kept]) == pytest.approx([10, 80, 10], abs=1)

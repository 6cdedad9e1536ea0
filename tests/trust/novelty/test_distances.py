"""The novelty scores themselves: right on tiny data, the same whatever the order, whole after saving."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf as reference_ledoit_wolf

from headstart.data.sampling import stratified_subsample
from headstart.trust.confidence_scores import energy, max_softmax
from headstart.trust.novelty.mahalanobis import fit_mahalanobis, ledoit_wolf, shrunk_covariance
from headstart.trust.novelty.nearest import fit_nearest, neighbours_for

FITS = [fit_mahalanobis, fit_nearest]


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
    assert np.array_equal(found[:, 0], fit_mahalanobis(X, y).score(X))


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
    assert np.allclose(fit_mahalanobis(X, y).score(X), wanted, rtol=0.01)


def test_the_nearest_distance_on_three_directions() -> None:
    form = fit_nearest(np.array([[2, 0], [0, 5], [0, -1]], np.float32), np.arange(3))
    rows = np.array([[7, 0], [-3, 0], [1, 1]], np.float32)
    assert form.score(rows) == pytest.approx([0, 2**0.5, (2 - 2**0.5) ** 0.5], abs=1e-3)
    assert neighbours_for(3000) == 6


@pytest.mark.parametrize("fit", FITS)
@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_rows_does_not_matter(fit, seed: int) -> None:
    X, y = blobs()
    order = np.random.default_rng(seed).permutation(len(X))
    assert np.allclose(fit(X[order], y[order]).score(X), fit(X, y).score(X), rtol=2e-3, atol=2e-3)
    form = fit(X, y)
    assert np.allclose(form.score(X[order]), form.score(X)[order], atol=2e-3)


@pytest.mark.parametrize("fit", FITS)
def test_scale_and_for_classes_their_place_do_not_matter(fit) -> None:
    X, y = blobs()
    assert np.allclose(fit(8 * X, y).score(8 * X), fit(X, y).score(X), rtol=1e-2, atol=1e-3)
    if fit is fit_mahalanobis:
        assert np.allclose(fit(X - 64, y).score(X - 64), fit(X, y).score(X), rtol=1e-2)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("n", "d", "classes"), [(2, 3, 2), (3, 1, 1), (6, 50, 6), (40, 8, 2), (12, 300, 4)], ids=str)
def test_tiny_classes_few_rows_and_constant_columns_work(fit, n: int, d: int, classes: int) -> None:
    X, y = blobs(n, d, classes)
    X[:, 0] = 4
    scores = fit(X, y).score(np.concatenate([X, X + 100, 0 * X]))
    assert scores.shape == (3 * n,)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_row_far_from_every_class_scores_higher(fit) -> None:
    X, y = blobs()
    assert fit(X, y).score(-X.mean(axis=0, keepdims=True) * 3)[0] > np.quantile(fit(X, y).score(X), 0.99)


@pytest.mark.parametrize("fit", FITS)
def test_many_rows_are_scored_block_by_block_alike(fit, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs()
    form = fit(X, y)
    whole = form.score(X)
    monkeypatch.setattr("headstart.heads.forms.arrays.AT_ONCE", 100)
    assert np.allclose(form.score(X), whole, atol=2e-3)


def test_what_is_kept_is_small_whatever_came_in() -> None:
    X, y = blobs(2600, 300)
    assert fit_nearest(X, y).stored.shape == (2000, 300)
    assert fit_mahalanobis(X, y).axes.shape == (300, 256)


def test_rows_are_kept_from_every_class_by_its_share() -> None:
    kept = stratified_subsample(np.repeat([0, 1, 2], [100, 800, 100]), 100)
    assert len(kept) == 100
    assert np.bincount(np.repeat([0, 1, 2], [100, 800, 100])[kept]) == pytest.approx([10, 80, 10], abs=1)


def test_softmax_and_energy_of_known_scores() -> None:
    scores = np.array([[2.0, 2.0], [1000.0, 0.0], [-5.0, -5.0]])
    assert max_softmax(scores) == pytest.approx([0.5, 0, 0.5])
    assert energy(scores) == pytest.approx([-2.6931, -1000, 4.3069], abs=1e-3)
    assert energy(scores, 2.0)[0] == pytest.approx(-2 - 2 * np.log(2))

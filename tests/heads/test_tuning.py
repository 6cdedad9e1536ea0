"""Internal folds, the criterion for configurations, the perceptron's gradient, and the catalogue."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import OptionError
from headstart.heads.catalog import HEADS, make_head
from headstart.heads.mlp import _gradients, _initial_layers
from headstart.heads.neighbours import NearestMean, NearestNeighbours
from headstart.heads.tuning import best_configuration, internal_folds, refined_loss


@given(st.lists(st.integers(0, 4), min_size=10, max_size=60), st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_every_class_is_spread_evenly_over_the_folds(labels, seed):
    labels = np.unique(np.array(labels), return_inverse=True)[1]
    folds = internal_folds(labels, seed=seed)[0]
    for label in np.unique(labels):
        of_class = folds[labels == label]
        if len(of_class) == 1:
            continue
        counts = np.bincount(of_class, minlength=5)
        assert counts.max() - counts.min() <= 1


def test_a_class_of_one_row_is_never_held_out():
    assert internal_folds(np.array([0] * 10 + [1]))[0, -1] == -1


def test_the_criterion_does_not_depend_on_the_scale_of_scores():
    random = np.random.default_rng(0)
    y = np.arange(50) % 3
    scores = (random.standard_normal((1, 50, 3)) + 2 * np.eye(3)[y]).astype(np.float32)
    folds = internal_folds(y)
    assert refined_loss(scores, y, folds) == pytest.approx(refined_loss(scores * 50, y, folds), rel=1e-4)
    assert refined_loss(scores * 0, y, folds) == pytest.approx(np.log(3), rel=1e-6)


def test_the_better_configuration_wins_and_the_first_of_equals():
    y = np.arange(30) % 3
    good = np.eye(3, dtype=np.float32)[y][None] + np.random.default_rng(1).normal(0, 0.5, (1, 30, 3))
    bad = np.random.default_rng(0).standard_normal((1, 30, 3))
    folds = internal_folds(y)
    assert best_configuration(np.stack([bad, good, good]).astype(np.float32), y, folds) == 1


def test_the_perceptrons_gradient_is_that_of_its_loss():
    random = np.random.default_rng(0)
    layers = [layer.astype(np.float64) for layer in _initial_layers(4, 6, 3, random)]
    layers[2] *= 20
    X, targets = random.standard_normal((8, 4)), np.eye(3)[np.arange(8) % 3]
    importance, mask = np.linspace(0.5, 2, 8), (random.random((8, 6)) > 0.5) * 2.0

    def loss():
        hidden = np.maximum(X @ layers[0] + layers[1], 0) * mask
        scores = hidden @ layers[2] + layers[3]
        return ((np.logaddexp.reduce(scores, axis=1) - (scores * targets).sum(axis=1)) * importance).mean()

    slopes = _gradients(layers, X, targets, importance, mask)
    for layer, slope in zip(layers, slopes, strict=True):
        for index in [(0,) * layer.ndim, (-1,) * layer.ndim]:
            before = layer[index]
            layer[index] = before + 1e-6
            above = loss()
            layer[index] = before - 1e-6
            below = loss()
            layer[index] = before
            assert slope[index] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_one_search_serves_every_number_of_neighbours():
    random = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = (random.standard_normal((120, 5)) + y[:, None]).astype(np.float32)
    folds = internal_folds(y)
    path = NearestNeighbours().path_scores(X, y, folds)
    held = folds[0] == 0
    for s, configuration in enumerate(path.configurations):
        alone = NearestNeighbours(**configuration).fit(X[~held], y[~held])
        np.testing.assert_allclose(path.scores[s, 0, held], alone.form_.scores(X[held]), atol=1e-4)


def test_the_nearest_mean_is_the_nearest():
    X = np.array([[0, 0], [2, 0], [10, 0], [12, 0], [0, 10], [2, 12]], dtype=np.float32)
    head = NearestMean(metric="euclidean").fit(X, ["a", "a", "b", "b", "c", "c"])
    assert head.predict(np.array([[1, 1], [9, 1], [1, 9]])).tolist() == ["a", "b", "c"]


def test_the_catalogue_holds_these_heads_first():
    assert list(HEADS)[:9] == ["probe", "ridge", "lda", "class-mean", "knn", "linear-svm", "svm", "mlp", "forest"]
    assert [name for name, entry in HEADS.items() if entry.linear][:4] == ["probe", "ridge", "lda", "linear-svm"]


@pytest.mark.parametrize("name", HEADS)
def test_what_the_catalogue_says_of_a_head_is_true(name):
    entry = HEADS[name]
    assert ("signed_sqrt" in entry.load()().get_params()) == entry.linear
    assert entry.seconds(500, 1280, 5) > entry.seconds(50, 128, 5) > 0


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(OptionError, match=r"head must be one of .*; found 'rigde'. Did you mean 'ridge'\?"):
        make_head("rigde")


def test_root_is_for_linear_heads():
    assert make_head("probe", signed_sqrt=True).signed_sqrt
    with pytest.raises(OptionError, match=r"signed_sqrt=True is for the linear heads .*; found head 'knn'"):
        make_head("knn", signed_sqrt=True)


def test_slow_heads_are_known_to_be_slow():
    assert HEADS["svm"].seconds(20_000, 1280, 10) > 100
    assert HEADS["mlp"].seconds(20_000, 1280, 10) > 60
    assert HEADS["ridge"].seconds(1000, 1280, 5) < 2

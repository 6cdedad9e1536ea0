"""Each way of adapting, on drawn clouds where the answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from headstart.adaptation.covariances import coral, covariance, transport
from headstart.adaptation.domains import Domains, alike, apart
from headstart.adaptation.graph import consistency, neighbours, symmetric_graph
from headstart.adaptation.label_shift import correct_shares, estimate_shares
from headstart.adaptation.propagate import propagate_labels
from headstart.adaptation.prototypes import assign_prototypes
from headstart.adaptation.self_training import self_train, surest
from headstart.adaptation.softmax import Wanted, _uncertainty, _with_ones, answers, fit_softmax, one_hot
from headstart.records.arrays import Floats, Ints


def clouds(n: int, seed: int, *, classes: int = 3, width: int = 12) -> tuple[Floats, Ints]:
    """Positive rows around one centre a class."""
    random = np.random.default_rng(seed)
    centres = 4 * np.random.default_rng(99).random((classes, width))
    labels = np.arange(n) % classes
    return (centres[labels] + 0.5 * random.random((n, width)) + 1).astype(np.float32), labels.astype(np.int64)


def shifted(n: int = 150, seed: int = 0) -> tuple[Domains, Ints]:
    """A source, and a target whose every feature is stretched and moved; with the target's labels."""
    source, labels = clouds(n, seed)
    target, truth = clouds(n, seed + 1)
    random = np.random.default_rng(5)
    moved = target * random.uniform(0.3, 3, target.shape[1]) + random.uniform(0, 8, target.shape[1])
    return Domains(source, labels, moved.astype(np.float32), 3), truth


def accuracy(table: np.ndarray, truth: Ints) -> float:
    return float((table.argmax(axis=1) == truth).mean())


def test_standardising_each_domain_takes_away_what_moved_and_stretched_single_features() -> None:
    domains, truth = shifted()
    known = one_hot(domains.labels, 3)
    together, parted = alike(domains), apart(domains)
    before = answers(together.target, fit_softmax(together.source, known, ridge=0.05))
    after = answers(parted.target, fit_softmax(parted.source, known, ridge=0.05))
    assert accuracy(before, truth) < 0.8
    assert accuracy(after, truth) == 1.0


def test_a_head_on_raw_target_rows_answers_as_in_the_space() -> None:
    domains, _ = shifted()
    space = apart(domains)
    weights = fit_softmax(space.source, one_hot(domains.labels, 3), ridge=0.05)
    scores = space.form(weights).scores(domains.target)
    np.testing.assert_allclose(scores, space.target @ weights[:-1] + weights[-1], atol=1e-3)
    np.testing.assert_allclose(space.project(domains.target), space.target, atol=1e-4)


def test_every_one_of_several_sources_is_standardised_by_itself() -> None:
    domains, truth = shifted()
    far = Domains(
        np.concatenate([domains.source, 5 * domains.source + 3]),
        np.concatenate([domains.labels, domains.labels]),
        domains.target,
        3,
        origins=np.repeat([0, 1], len(domains.source)),
    )
    space = apart(far)
    head = fit_softmax(space.source, one_hot(far.labels, 3), ridge=0.05)
    assert accuracy(answers(space.target, head), truth) == 1.0
    n = len(domains.source)
    assert np.abs(space.source[:n].mean(axis=0) - space.source[n:].mean(axis=0)).max() < 1e-3


def test_taken_shares_keep_a_frequent_class_from_looking_like_a_shift() -> None:
    source, labels = clouds(150, 0)
    random = np.random.default_rng(1)
    rows = np.concatenate([np.flatnonzero(labels == 0), random.permutation(np.flatnonzero(labels > 0))[:10]])
    domains = Domains(source, labels, source[rows], 3)
    shares = np.bincount(labels[rows], minlength=3) / len(rows)
    space = apart(domains, shares=shares)
    # the same images, standardised as source and as target, come to lie in one place
    assert np.abs(space.source[rows] - space.target).max() < np.abs(apart(domains).source[rows] - space.target).max()


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_the_slope_of_the_wanted_is_that_of_its_value(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, shares = _with_ones(random.normal(size=(20, 3)).astype(np.float32)), random.dirichlet([2, 2, 2])
    W = random.normal(size=(4, 3))
    error = check_grad(
        lambda flat: _uncertainty(rows, flat.reshape(4, 3), shares)[0],
        lambda flat: _uncertainty(rows, flat.reshape(4, 3), shares)[1].ravel(),
        W.ravel(),
    )
    assert error < 1e-5


def test_information_maximisation_makes_answers_sure_and_keeps_the_shares() -> None:
    domains, truth = shifted()
    space = apart(domains)
    known = one_hot(domains.labels, 3)
    plain = answers(space.target, fit_softmax(space.source, known, ridge=0.5))
    sure = answers(
        space.target, fit_softmax(space.source, known, ridge=0.5, wanted=Wanted(space.target, domains.shares, 2.0))
    )
    assert sure.max(axis=1).mean() > plain.max(axis=1).mean()
    np.testing.assert_allclose(sure.mean(axis=0), domains.shares, atol=0.02)
    assert accuracy(sure, truth) == 1.0


def test_labels_walk_to_the_neighbours() -> None:
    domains, truth = shifted()
    space = apart(domains)
    table = propagate_labels(space.source, domains.labels, space.target, 3)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert accuracy(table, truth) == 1.0


def test_prototypes_repair_answers_that_are_wrong_here_and_there() -> None:
    domains, truth = shifted()
    table = one_hot(truth, 3)
    wrong = np.random.default_rng(0).permutation(len(truth))[:45]
    table[wrong] = one_hot((truth[wrong] + 1) % 3, 3)
    assert accuracy(assign_prototypes(apart(domains).target, table), truth) > 0.97


def test_the_surest_of_every_class_join_as_many_as_are_predicted_so() -> None:
    table = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.4, 0.6]])
    assert surest(table, 0.5).tolist() == [0, 1, 4]
    assert surest(table, 0.01).tolist() == [0, 4]


def test_self_training_learns_the_target() -> None:
    domains, truth = shifted()
    space = apart(domains)
    few = np.arange(6)
    weights = self_train(space.source[few], domains.labels[few], space.target, 3)
    assert accuracy(answers(space.target, weights), truth) > 0.97


@pytest.mark.parametrize("way", [coral, transport])
def test_moved_rows_have_the_targets_mean_and_covariance(way: object) -> None:
    random = np.random.default_rng(0)
    source = random.normal(size=(400, 4)).astype(np.float32)
    target = (random.normal(size=(400, 4)) @ random.normal(size=(4, 4)) + 3).astype(np.float32)
    moved = way(source, target, shrinkage=0.0)  # type: ignore[operator]
    np.testing.assert_allclose(moved.mean(axis=0), target.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(covariance(moved, 0), covariance(target, 0), rtol=1e-2, atol=1e-2)


def test_transport_moves_no_farther_than_coral() -> None:
    random = np.random.default_rng(1)
    source = random.normal(size=(400, 4)).astype(np.float32)
    target = (random.normal(size=(400, 4)) @ random.normal(size=(4, 4))).astype(np.float32)
    lengths = [((way(source, target) - source) ** 2).sum() for way in (transport, coral)]
    assert lengths[0] < lengths[1]


def test_shares_are_estimated_through_the_confusions() -> None:
    truth = np.repeat([0, 1, 2], 100)
    predicted = truth.copy()
    predicted[:20] = 1  # a fifth of class 0 is taken for class 1
    answers_of_target = np.repeat([0, 1, 2], [160, 40 + 100, 100])
    shares = estimate_shares(truth, predicted, answers_of_target, 3)
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)
    assert estimate_shares(truth, np.zeros(300, np.int64), answers_of_target, 3).sum() == pytest.approx(1)


def test_answers_are_corrected_by_bayes() -> None:
    corrected = correct_shares(np.array([[0.2, 0.8]]), np.array([0.5, 0.5]), np.array([0.8, 0.2]))
    np.testing.assert_allclose(corrected, [[0.5, 0.5]])


def test_neighbours_agree_where_clouds_are_pure() -> None:
    rows, labels = clouds(60, 0)
    rows = rows - rows.mean(axis=0)
    nearest, cosines = neighbours(rows, 5)
    assert nearest.shape == (60, 5)
    assert (nearest != np.arange(60)[:, None]).all()
    assert cosines.max() <= 1.0001
    assert consistency(nearest, labels) == 1.0
    graph = symmetric_graph(rows, 5)
    assert abs(graph - graph.T).max() < 1e-12

"""Self-training with a pool, on drawn clouds where the answer is known."""

import numpy as np
import pytest

from headstart.adaptation.pool import Together, alike, pool_is_alike, prepare, solve, surest, train_with_pool
from headstart.heads.ridge import RidgeProbe
from headstart.records.arrays import Floats, Ints


def clouds(n: int, seed: int, *, classes: int = 4, width: int = 40, spread: float = 1.2) -> tuple[Floats, Ints]:
    """Positive rows around one centre a class."""
    random = np.random.default_rng(seed)
    centres = 2 * np.random.default_rng(99).random((classes, width))
    labels = np.arange(n) % classes
    return (centres[labels] + spread * random.random((n, width)) * 2).astype(np.float32), labels.astype(np.int64)


def shares_of(pool: Floats, truth: Ints, first: int) -> Floats:
    """The pool with only `first` rows of every class but the first."""
    return np.concatenate([pool[truth == 0], *(pool[truth == k][:first] for k in range(1, 4))])


def right(together: Together, labels: Ints, X: Floats, truth: Ints) -> float:
    head = train_with_pool(together, np.arange(len(labels)), labels, 4)
    return float((head.form(together).scores(X).argmax(axis=1) == truth).mean())


def test_the_weighted_head_is_a_ridge_head_where_rows_are_repeated_instead() -> None:
    X, y = clouds(24, 0)
    together = prepare(X, X[:2])
    weights = np.where(np.arange(24) < 8, 3.0, 1.0)
    ours = solve(together, np.arange(24), y, weights, 4, 7.0).form(together).scores(X)
    rows = np.repeat(np.arange(24), weights.astype(int))
    Z = together.standard.apply(X)[rows].astype(np.float64)
    targets = np.where(y[rows, None] == np.arange(4), 1.0, -1.0)
    centre, mean = Z.mean(axis=0), targets.mean(axis=0)
    W = np.linalg.solve((Z - centre).T @ (Z - centre) + 7.0 * np.eye(40), (Z - centre).T @ (targets - mean))
    expected = 5 * ((together.standard.apply(X) - centre) @ W + mean)
    assert ours == pytest.approx(expected, abs=1e-3)


def test_the_form_of_raw_rows_scores_as_the_products_do() -> None:
    X, y = clouds(40, 0)
    together = prepare(X[:12], X[12:])
    head = train_with_pool(together, np.arange(12), y[:12], 4)
    assert head.form(together).scores(X[12:]) == pytest.approx(head.scores(together, together.pool), abs=1e-3)


def test_a_pool_in_the_same_shares_gains() -> None:
    gains = []
    for seed in range(6):
        X, y = clouds(8, seed)
        pool, _ = clouds(200, 50 + seed)
        test, truth = clouds(400, 100 + seed)
        plain = RidgeProbe(signed_sqrt=True).fit(X, y).form_.scores(test).argmax(axis=1) == truth
        gains.append(right(prepare(X, pool), y, test, truth) - plain.mean())
    assert np.mean(gains) > 0.02


def test_a_pool_in_clearly_other_shares_changes_nothing() -> None:
    X, y = clouds(40, 0)
    pool, truth = clouds(400, 1)
    together = prepare(X, shares_of(pool, truth, 4))
    assert pool_is_alike(prepare(X, pool), y)
    assert not pool_is_alike(together, y)
    ridge = RidgeProbe(signed_sqrt=True).fit(X, y).form_.scores(pool)
    head = train_with_pool(together, np.arange(40), y, 4)
    assert head.form(together).scores(pool) == pytest.approx(ridge, abs=1e-2)


def test_shares_are_compared_with_those_of_the_labels() -> None:
    uneven = np.eye(2)[[0] * 9 + [1]]
    assert alike(uneven, np.array([0] * 9 + [1]))
    assert not alike(uneven, np.array([0, 1]))
    assert alike(np.eye(2)[[0, 1]], np.array([0, 0, 1]))


def test_of_every_predicted_class_its_quota_joins_and_one_at_least() -> None:
    scores = np.array([[3.0, 0.0, 0.0], [9.0, 0.0, 0.0], [5.0, 4.0, 0.0], [0.0, 1.0, 0.0]])
    assert surest(scores, [2, 0.4, 5]).tolist() == [0, 1, 3]
    assert surest(scores, [0, 0, 0]).tolist() == [1, 3]


def test_a_pool_of_other_columns_is_an_error_of_ours() -> None:
    with pytest.raises(Exception, match="the pool has the columns of the labelled rows"):
        prepare(np.ones((3, 4), np.float32), np.ones((3, 5), np.float32))


def test_one_row_a_class_is_enough_and_warns_of_nothing() -> None:
    X, y = clouds(4, 0)
    pool, truth = clouds(80, 1)
    assert right(prepare(X, pool), y, pool, truth) > 0.5

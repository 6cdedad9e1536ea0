"""The batched logistic solver reaches scikit-learn's optimum, whatever the way it takes there."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headstart.heads.logistic import LogisticProbe
from headstart.heads.solvers.basis import basis, standardise
from headstart.heads.solvers.lbfgs import solve
from headstart.heads.solvers.softmax_loss import Design
from headstart.heads.tuning import internal_folds


def embeddings(n, d, K, seed=0):
    """Rows as networks make them: a decaying spectrum, then a ReLU."""
    random = np.random.default_rng(seed)
    mixing = random.standard_normal((d, d)) / np.sqrt(np.arange(1, d + 1))[:, None]
    y = np.arange(n) % K
    X = (random.standard_normal((n, d)) + 0.4 * random.standard_normal((K, d))[y]) @ mixing
    return np.maximum(X, 0).astype(np.float32), y


def objective(weight, bias, rows, y, C, row_weights=None):
    """scikit-learn's: C Σ loss + |W|² / 2, in its one-column form for two classes."""
    scores = rows @ weight.T + bias
    if len(weight) == 1:
        losses = np.logaddexp(0, -scores[:, 0] * (2 * y - 1))
    else:
        losses = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(y)), y]
    weighted = losses if row_weights is None else losses * row_weights
    return C * weighted.sum() + 0.5 * (weight**2).sum()


def reached(head, X, y, row_weights=None):
    """(our objective, scikit-learn's) on the same standardised rows."""
    learned = standardise(X)
    rows = learned.apply(X).astype(np.float64)
    weight = (head.form_.weight * learned.scale[:, None]).T.astype(np.float64)
    bias = head.form_.bias.astype(np.float64)
    if len(weight) == 2:
        weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
    theirs = LogisticRegression(C=head.C, tol=1e-8, max_iter=20_000).fit(rows, y, sample_weight=row_weights)
    return (
        objective(weight, bias, rows, y, head.C, row_weights),
        objective(theirs.coef_, theirs.intercept_, rows, y, head.C, row_weights),
    )


@pytest.mark.parametrize(
    ("n", "d", "K", "C"),
    [
        (60, 200, 3, 0.01),
        (60, 200, 3, 10.0),
        (400, 50, 2, 1.0),
        (300, 600, 2, 0.001),
        (400, 50, 4, 0.1),
        (500, 100, 20, 1.0),
        (500, 60, 20, 100.0),
        (300, 30, 100, 0.1),
    ],
)
def test_the_optimum_is_scikit_learns(n, d, K, C):
    X, y = embeddings(n, d, K)
    ours, theirs = reached(LogisticProbe(C=C, tol=5e-6).fit(X, y), X, y)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_the_default_tolerance_is_a_gap_of_a_hundred_thousandth():
    X, y = embeddings(300, 60, 5)
    ours, theirs = reached(LogisticProbe(C=0.5).fit(X, y), X, y)
    assert 0 <= ours / theirs - 1 + 1e-7 < 1.5e-5


def test_a_tight_tolerance_computes_in_double_precision():
    X, y = embeddings(200, 40, 3)
    ours, theirs = reached(LogisticProbe(C=1.0, tol=1e-9).fit(X, y), X, y)
    assert ours == pytest.approx(theirs, rel=1e-7)


def test_balanced_weights_are_scikit_learns():
    X, y = embeddings(300, 40, 3)
    y = np.where(y == 1, np.arange(300) % 4 % 3, y)
    weights = (300 / (3 * np.bincount(y)))[y]
    ours, theirs = reached(LogisticProbe(C=0.1, class_weight="balanced", tol=5e-6).fit(X, y), X, y, weights)
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("K", [2, 4])
def test_held_out_folds_are_left_out_exactly(K):
    X, y = embeddings(200, 30, K)
    rows = standardise(X).apply(X).astype(np.float64)
    learned = basis(rows)
    folds = internal_folds(y)[0]
    design = Design(learned.rows, y, folds, K)
    solution = solve(design, learned.energy, np.array([3]), np.array([0.2]), tol=1e-10)
    kept = folds != 3
    theirs = LogisticRegression(C=0.2, tol=1e-10, max_iter=20_000).fit(rows[kept], y[kept])
    expected = objective(theirs.coef_, theirs.intercept_, rows[kept], y[kept], 0.2)
    assert solution.objective[0] * 0.2 == pytest.approx(expected, rel=1e-8)


def test_the_order_of_strengths_does_not_matter():
    X, y = embeddings(150, 60, 3)
    rows = standardise(X).apply(X)
    learned = basis(rows)
    design = Design(learned.rows, y, internal_folds(y)[0], 3)
    held, C = np.arange(5), np.full(5, 0.5)
    cold = solve(design, learned.energy, held, C, tol=1e-5)
    elsewhere = solve(design, learned.energy, held, C * 100, tol=1e-5)
    warm = solve(design, learned.energy, held, C, tol=1e-5, start=elsewhere.coefficients)
    assert cold.converged.all()
    assert warm.converged.all()
    np.testing.assert_allclose(cold.objective, warm.objective, rtol=2e-5)


def test_path_scores_are_those_of_single_fits():
    X, y = embeddings(120, 20, 3)
    folds = internal_folds(y)
    path = LogisticProbe(tol=1e-9).path_scores(X, y, folds)
    rows = standardise(X).apply(X)
    held = folds[0] == 1
    for s in (0, 5):
        theirs = LogisticRegression(C=path.configurations[s]["C"], tol=1e-10, max_iter=9999).fit(rows[~held], y[~held])
        np.testing.assert_allclose(path.scores[s, 0, held], theirs.decision_function(rows[held]), atol=5e-3)


def test_rows_of_no_fold_are_always_trained_on():
    X, y = embeddings(90, 20, 3)
    folds = internal_folds(y)
    folds[0, :30] = -1
    scores = LogisticProbe(C=0.1).path_scores(X, y, folds).scores[0, 0]
    assert (scores[:30] == 0).all()
    assert (scores[30:].argmax(axis=1) == y[30:]).mean() > 0.5


def test_a_constant_feature_and_a_repeated_one_do_no_harm():
    X, y = embeddings(80, 10, 2)
    X = np.concatenate([X, X[:, :1], np.full((80, 1), 7.0, np.float32)], axis=1)
    head = LogisticProbe(C=0.1).fit(X, y)
    assert (head.form_.weight[-1] == 0).all()
    np.testing.assert_allclose(head.form_.weight[0], head.form_.weight[10], rtol=1e-3)


def test_the_root_is_taken_where_asked():
    X, y = embeddings(80, 10, 2)
    signed = np.copysign(np.sqrt(np.abs(X)), X)
    one, two = LogisticProbe(C=0.1, signed_sqrt=True).fit(X, y), LogisticProbe(C=0.1).fit(signed, y)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(signed), atol=1e-5)


@pytest.mark.parametrize(("n", "K", "d", "C"), [(250, 25, 600, 1.0), (400, 40, 300, 3.0)])
def test_a_first_step_that_is_far_too_long_does_not_end_the_search(n: int, K: int, d: int, C: float) -> None:
    """Many classes, few rows, a weak penalty and no start: the first step made every probability 0 or 1, the next ones
    exploded, and the objective stayed 7 to 26 times too high."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % K
    X = np.abs((rng.standard_normal((n, d)) + rng.standard_normal((K, d))[y]) / np.sqrt(1 + np.arange(d)) * 10)
    found = LogisticProbe(C=C, signed_sqrt=True).fit(X.astype(np.float32), y)
    exact = LogisticProbe(C=C, signed_sqrt=True, tol=1e-8).fit(X.astype(np.float32), y)
    assert found.objective_ <= exact.objective_ * (1 + 1e-3)


def test_a_search_that_ended_far_from_the_optimum_is_not_called_converged() -> None:
    X, y = embeddings(200, 30, 3)
    learned = basis(standardise(X).apply(X))
    design = Design(learned.rows, y, np.zeros_like(y), 3, None)
    short = solve(design, learned.energy, np.array([-1]), np.array([1.0]), max_steps=1)
    assert not short.converged[0]
    assert solve(design, learned.energy, np.array([-1]), np.array([1.0])).converged[0]

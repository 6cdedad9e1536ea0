"""Ridge's leave-one-out is exact, its folds are exact, and LDA is scikit-learn's."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from headstart.heads.lda import ShrinkageLDA
from headstart.heads.ridge import RidgeProbe
from headstart.heads.solvers.basis import standardise
from headstart.heads.solvers.ridge import _conjugate, _factored
from headstart.heads.tuning import internal_folds


def rows_of(n, d, K, seed=0):
    random = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = random.standard_normal((n, d)) * np.linspace(0.2, 2, d) + random.standard_normal((K, d))[y]
    return X.astype(np.float32), y


@pytest.mark.parametrize(("n", "d"), [(40, 12), (20, 60)])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_leave_one_out_is_leaving_one_out(n, d, class_weight):
    X, y = rows_of(n, d, 3)
    y[:4] = 0
    head = RidgeProbe(class_weight=class_weight).fit(X, y)
    rows = standardise(X).apply(X).astype(np.float64)
    weights = (n / (3 * np.bincount(y)))[y] if class_weight else np.ones(n)
    targets = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    configurations = head._configurations(X, y)
    for s in (4, 8, 11):
        for i in (0, n // 2, n - 1):
            kept = np.arange(n) != i
            model = Ridge(alpha=configurations[s]["alpha"]).fit(rows[kept], targets[kept], sample_weight=weights[kept])
            np.testing.assert_allclose(head.loo_scores_[s, i] / 5, model.predict(rows[i : i + 1])[0], atol=2e-3)


@pytest.mark.parametrize(("n", "d", "K"), [(60, 10, 2), (60, 10, 4), (40, 80, 3)])
def test_path_scores_are_ridge_without_the_fold(n, d, K):
    X, y = rows_of(n, d, K)
    folds = internal_folds(y)
    path = RidgeProbe().path_scores(X, y, folds)
    rows = standardise(X).apply(X).astype(np.float64)
    targets = np.where(y[:, None] == np.arange(K), 1.0, -1.0)
    held = folds[0] == 2
    for s in (0, 7, 12):
        model = Ridge(alpha=path.configurations[s]["alpha"]).fit(rows[~held], targets[~held])
        np.testing.assert_allclose(path.scores[s, 0, held] / 5, model.predict(rows[held]), atol=2e-3)


def test_both_ways_to_solve_agree():
    random = np.random.default_rng(0)
    Z = (random.standard_normal((200, 50)) * np.geomspace(30, 0.1, 50)).astype(np.float32)
    gram, target = Z.T @ Z, random.standard_normal((50, 3)).astype(np.float32)
    alphas = np.array([1000.0, 1.0, 0.01])
    together = _conjugate(gram, target, alphas)
    for one, alpha in zip(together, alphas, strict=True):
        exact = np.linalg.solve(gram.astype(np.float64) + alpha * np.eye(50), target)
        np.testing.assert_allclose(one, exact, rtol=0, atol=2e-4 * np.abs(exact).max())
        np.testing.assert_allclose(_factored(gram, target, alpha), exact, rtol=0, atol=2e-4 * np.abs(exact).max())


def test_given_folds_choose_the_strength_instead():
    X, y = rows_of(60, 10, 3)
    head = RidgeProbe().fit(X, y, folds=internal_folds(y, seed=3))
    assert not hasattr(head, "loo_scores_")
    assert head.configuration_["alpha"] > 0


@pytest.mark.parametrize(("n", "d"), [(90, 8), (30, 50)])
def test_lda_decides_as_scikit_learns(n, d):
    X, y = rows_of(n, d, 3)
    y[:5] = 2
    rows = standardise(X).apply(X).astype(np.float64)
    ours = ShrinkageLDA(shrinkage=0.3).fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(rows, y)
    scores = ours.decision_function(X)
    expected = theirs.decision_function(rows) * min(1, 2 / d**0.5)
    # scikit-learn standardises each class's rows before shrinking: the decisions agree, the numbers nearly.
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


def test_lda_path_scores_are_lda_without_the_fold():
    X, y = rows_of(60, 90, 3)
    folds = internal_folds(y)
    path = ShrinkageLDA().path_scores(X, y, folds)
    held = folds[0] == 1
    alone = ShrinkageLDA(shrinkage=0.6).fit(X[~held], y[~held])
    s = [configuration["shrinkage"] for configuration in path.configurations].index(0.6)
    agreement = (path.scores[s, 0, held].argmax(axis=1) == alone.predict(X[held])).mean()
    assert agreement >= 0.9

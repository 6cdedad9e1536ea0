"""Permutation test of whether two sets of embeddings come from one distribution, by two statistics together.

Takes rows of both sets and which set each belongs to; gives a p-value and, for every row, the out-of-fold score of a
domain classifier: how much it looks like the second set. Two statistics share the permutations: the out-of-fold AUROC
of a ridge classifier (classifier two-sample test, Lopez-Paz and Oquab 2017), which finds a small shift along one
direction, and the squared maximum mean discrepancy (Gretton et al. 2012), which finds a changed mixture. The smaller
of their p-values is compared with the smallest of each permutation, so the answer is one p-value at its stated rate.
Plain numpy and scipy; nothing here knows of images, bundles or words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.solvers.basis import standardise
from headstart.metrics.auroc import aurocs
from headstart.records.arrays import Floats, Ints

FOLDS = 5
_PENALTY = 1.0
"""Ridge penalty in units of the mean eigenvalue of the kernel."""
_ROUNDING = 1e-9

Wide = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TwoSample:
    """The result of the permutation test.

    p: of both statistics together, in [1/(permutations + 1), 1]. p_classifier, p_mmd: of each alone. auroc: of the
    classifier, out of fold. mmd: the unbiased estimate of MMD², Gaussian kernel, median heuristic.
    domain_scores: (n,), the classifier's out-of-fold score of each row, higher = more like the second set. folds: (n,).
    """

    p: float
    p_classifier: float
    p_mmd: float
    auroc: float
    mmd: float
    domain_scores: Floats
    folds: Ints


def two_sample(
    X: Floats, second: Marks, *, groups: Ints, strata: Ints | None = None, permutations: int = 999, seed: int = 0
) -> TwoSample:
    """Test whether the rows marked `second` are distributed as the others.

    X: (n, d), both sets. second: (n,) bool. groups: (n,); rows of one group lie in one set, in one fold and are
    permuted together. strata: (n,), such as predicted classes: then sets are compared within strata only (every
    group must be one row). Exact under exchangeability of the groups: the p-value is at most u with probability at
    most u. Permutations keep each fold's (and stratum's) numbers, so folds can be stratified.
    """
    random = np.random.default_rng(seed)
    folds = _folds(second, groups, random)
    blocks = folds if strata is None else folds + (int(folds.max()) + 1) * strata
    marks = _permuted(second, groups, blocks, permutations, random)
    kernel = _kernel(X, strata)
    scores = _out_of_fold(kernel, folds, marks)
    statistics = np.stack([aurocs(np.round(scores, 12), marks), _mmd(kernel, marks)])
    (p_classifier, p_mmd), p = _p_values(statistics)
    auroc, mmd = statistics[:, 0].tolist()  # column 0 is of the marks as they are
    return TwoSample(p, p_classifier, p_mmd, auroc, mmd, scores[0].astype(np.float32), folds)


def _folds(second: Marks, groups: Ints, random: np.random.Generator) -> Ints:
    """A fold for each row: the groups of either set assigned evenly, so that each fold holds some of both."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    side = second[first]
    fold = np.empty(len(first), np.int64)
    count = min(FOLDS, int(side.sum()), int((~side).sum()))
    for value in (False, True):
        members = random.permutation(np.flatnonzero(side == value))
        fold[members] = np.arange(len(members)) % count
    return fold[member]


def _permuted(second: Marks, groups: Ints, blocks: Ints, count: int, random: np.random.Generator) -> Marks:
    """(count + 1, n): the marks as they are, then shuffled over the groups of each block."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    side, block = second[first], blocks[first]
    by_block = np.argsort(block, kind="stable")
    shuffled = np.empty((count + 1, len(first)), bool)
    shuffled[0] = side
    for row in shuffled[1:]:
        # Sorting by (block, random) is a random order within each block: marks move inside their block alone.
        row[np.lexsort((random.random(len(block)), block))] = side[by_block]
    return shuffled[:, member]


def _kernel(X: Floats, strata: Ints | None) -> Wide:
    """Inner products of standardised rows, divided by d; within strata each has its mean taken out.

    Means and spreads are those of both sets together: they do not know which row is of which set.
    """
    rows = standardise(X).apply(X).astype(np.float64)
    if strata is not None:
        for stratum in np.unique(strata):
            rows[strata == stratum] -= rows[strata == stratum].mean(axis=0)
    return rows @ rows.T / rows.shape[1]  # type: ignore[no-any-return]


def _out_of_fold(kernel: Wide, folds: Ints, marks: Marks) -> Wide:
    """Ridge predictions (permutations + 1, n) of the marks, each row's from the other folds; one solve serves all."""
    from scipy.linalg import cho_factor, cho_solve

    scores = np.zeros(marks.shape)
    targets = marks.astype(np.float64).T
    for fold in np.unique(folds):
        fold_mask = folds == fold
        inner = kernel[np.ix_(~fold_mask, ~fold_mask)]
        # Centring in feature space: with H = I - 11ᵀ/n, H K H = K - column means - row means + grand mean.
        column_means = inner.mean(axis=0)
        centred = inner - column_means - column_means[:, None] + column_means.mean()
        penalty = _PENALTY * max(float(centred.trace()) / len(centred), 1e-12)
        centred[np.diag_indices_from(centred)] += penalty
        outer = kernel[np.ix_(fold_mask, ~fold_mask)]
        outer = outer - outer.mean(axis=1, keepdims=True) - column_means + column_means.mean()
        # Kernel ridge: ŷ = K_outer (K_inner + λ I)⁻¹ y. The hat matrix does not depend on the marks y.
        hat = cho_solve(cho_factor(centred, lower=True, overwrite_a=True), outer.T).T
        scores[:, fold_mask] = (hat @ (targets[~fold_mask] - targets[~fold_mask].mean(axis=0))).T
    return scores


def _mmd(kernel: Wide, marks: Marks) -> Wide:
    """(permutations + 1,): the unbiased MMD², Gaussian kernel of the median distance (Gretton et al. 2012, eq. 3)."""
    norms = kernel.diagonal()
    squared = np.maximum(norms[:, None] + norms - 2 * kernel, 0)  # |x - y|² = |x|² + |y|² - 2 x·y
    median = float(np.median(squared[np.triu_indices(len(squared), 1)]))
    gaussian = np.exp(-squared / max(median, 1e-12))
    np.fill_diagonal(gaussian, 0)  # unbiased: a row is not compared with itself
    inside = marks.astype(np.float64)
    m = inside.sum(axis=1)
    n = marks.shape[1] - m
    # Sums of the kernel over pairs: within the marked set (1ᵀ G 1), between both, and within the others.
    row_sums = inside @ gaussian
    within = (row_sums * inside).sum(axis=1)
    between = row_sums.sum(axis=1) - within
    rest = gaussian.sum() - within - 2 * between
    return within / (m * (m - 1)) + rest / (n * (n - 1)) - 2 * between / (m * n)  # type: ignore[no-any-return]


def _p_values(statistics: Wide) -> tuple[tuple[float, ...], float]:
    """Of each statistic, and of the smallest p-value; column 0 is the observed one, larger = more different."""
    ranks = np.stack([_upper_ranks(row) for row in statistics])
    # The smaller p-value is itself a statistic: its own p-value counts the permutations with one as small.
    smallest = ranks.min(axis=0)
    total = statistics.shape[1]
    together = float((smallest <= smallest[0] + _ROUNDING).sum()) / total
    return tuple(float(p) for p in ranks[:, 0] / total), together


def _upper_ranks(values: Wide) -> NDArray[Any]:
    """For each value, how many are at least as large (up to rounding), itself included."""
    ordered = np.sort(values)
    return len(values) - np.searchsorted(ordered, values - _ROUNDING, "left")

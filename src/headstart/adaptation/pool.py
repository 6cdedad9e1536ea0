"""Labelled rows and a pool of unlabelled ones of the same kind: a ridge head that the pool's surest answers have helped
to train.

`prepare` standardises and multiplies all rows once; `train_with_pool` self-trains on some of the labelled ones, as each
fold asks for. Of every class as large a part joins as it has of the labelled rows, and never more than are predicted as
it; the answer is the mean of the head before and the head after. A pool whose predicted classes have clearly other
shares than the labelled rows is not used: `alike`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.linear import Linear
from headstart.heads.ridge import leave_one_out_strength
from headstart.heads.solvers.basis import Standard, standardise
from headstart.records.arrays import Floats, Ints, require

ROUNDS = (0.3, 0.5, 0.7)
"""The share of the pool that is asked for, round by round."""
LABELLED_WEIGHT = 3.0
"""What a labelled row counts for beside one of the pool."""
MOST_APART = 0.1
"""Of the divergence of the predicted shares from the labelled ones, over log K. Set on two sets that no figure is
reported of (docs/evidence/adapt.md)."""
_SHARPNESS = 5.0
"""Targets of ±1 become scores of ±5, as those of the ridge probe."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Together:
    """Labelled rows, and then those of the pool.

    X: (n, d) the labelled rows as they came. Z: (n + m, d) all, standardised by the labelled ones. products: Z Zᵀ.
    """

    X: Floats
    standard: Standard
    Z: Floats
    products: Reals

    @property
    def pool(self) -> Ints:
        """The numbers of the pool's rows."""
        return np.arange(len(self.X), len(self.Z))


@dataclass(frozen=True, eq=False)
class Duals:
    """A linear head as weights (n + m, K) of the rows, and an intercept (K,)."""

    weights: Reals
    intercept: Reals

    def scores(self, together: Together, rows: Any = slice(None)) -> Floats:
        """(k, K): scores of some of the rows."""
        scores: Floats = (_SHARPNESS * (together.products[rows] @ self.weights + self.intercept)).astype(np.float32)
        return scores

    def form(self, together: Together) -> Linear:
        """The head on raw rows."""
        standard = together.standard
        weight = _SHARPNESS * (together.Z.T @ self.weights) / standard.scale[:, None]
        bias = (_SHARPNESS * self.intercept).astype(np.float32)
        return Linear(standard.centre, weight.astype(np.float32), bias, np.array(standard.signed_sqrt, np.uint8))


def prepare(X: Floats, pool: Floats) -> Together:
    """Both as one. X: (n, d) labelled rows. pool: (m, d)."""
    require(X.shape[1] == pool.shape[1], "the pool has the columns of the labelled rows")
    standard = standardise(X, signed_sqrt=True)
    Z = np.concatenate([standard.apply(X), standard.apply(pool)])
    return Together(X, standard, Z, (Z @ Z.T).astype(np.float64))


def train_with_pool(together: Together, rows: Ints, labels: Ints, classes: int) -> Duals:
    """The head of some labelled rows, numbers (k,) with labels (k,), and of the pool where it is `alike`."""
    before, alpha = _without_pool(together, rows, labels, classes)
    scores = before.scores(together, together.pool)
    if not alike(scores, labels):
        return before
    shares = np.bincount(labels, minlength=classes) / len(labels)
    for part in ROUNDS:
        joined = surest(scores, part * len(scores) * shares)
        weights = np.repeat([LABELLED_WEIGHT, 1.0], [len(rows), len(joined)])
        after = solve(
            together,
            np.concatenate([rows, together.pool[joined]]),
            np.concatenate([labels, scores[joined].argmax(axis=1)]),
            weights,
            classes,
            alpha,
        )
        scores = after.scores(together, together.pool)
    return Duals((before.weights + after.weights) / 2, (before.intercept + after.intercept) / 2)


def pool_is_alike(together: Together, labels: Ints) -> bool:
    """Whether a head on all labelled rows, labels (n,), predicts the pool's classes in about their shares."""
    head, _ = _without_pool(together, np.arange(len(labels)), labels, int(labels.max()) + 1)
    return alike(head.scores(together, together.pool), labels)


def alike(scores: Floats, labels: Ints) -> bool:
    """Whether the predicted classes of the pool, scores (m, K), have about the shares that they have in `labels`.

    >>> alike(np.eye(2)[[0, 1, 0, 1]], np.array([0, 1])), alike(np.eye(2)[[0, 0, 0, 0]], np.array([0, 1]))
    (True, False)
    """
    classes = scores.shape[1]
    found, known = (
        np.bincount(numbers, minlength=classes) / len(numbers) for numbers in (scores.argmax(axis=1), labels)
    )
    occurs = found > 0
    # KL(found ‖ known) = Σ found log(found / known)
    divergence = float((found[occurs] * np.log(found[occurs] / known[occurs])).sum())
    return divergence < MOST_APART * float(np.log(classes))


def surest(scores: Floats, quotas: Sequence[float] | Reals) -> Ints:
    """Rows of `scores` (m, K): of those predicted as each class, the `quotas` (K,) of the widest margins, at least one.

    >>> surest(np.array([[3.0, 0], [1, 0], [0, 2], [0, 5]]), [1, 1]).tolist()
    [0, 3]
    """
    predicted, ordered = scores.argmax(axis=1), np.sort(scores, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    chosen = []
    for label in np.unique(predicted):
        members = np.flatnonzero(predicted == label)
        chosen.append(members[np.argsort(-margins[members], kind="stable")[: max(1, int(quotas[label]))]])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def solve(together: Together, rows: Ints, labels: Ints, weights: Reals, classes: int, alpha: float) -> Duals:
    """Ridge regression onto ±1 of weighted rows, in the products of the rows."""
    from scipy.linalg import solve as solve_system

    # Σ w (y - f)² + α |W|² with W = Zᵀ√w u: (√w K √w + α I) u = √w (y - ȳ), K about the weighted mean z̄.
    mass = weights / weights.sum()
    products = together.products[np.ix_(rows, rows)]
    towards = products @ mass  # zᵀz̄
    centred = products - towards[:, None] - towards + mass @ towards
    roots = np.sqrt(weights)[:, None]
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    mean = mass @ targets
    system = roots * centred * roots.T
    system[np.diag_indices(len(rows))] += alpha
    # u is orthogonal to √w, as the right side is, so that W needs no centring.
    duals = roots * solve_system(system, roots * (targets - mean), assume_a="pos", check_finite=False)
    full = np.zeros((len(together.Z), classes))
    full[rows] = duals
    return Duals(full, mean - towards @ duals)


def _without_pool(together: Together, rows: Ints, labels: Ints, classes: int) -> tuple[Duals, float]:
    """The head of the labelled rows alone, and its penalty, which the head with the pool takes over.

    Chosen anew with the pool, which agrees with itself, it would all but vanish.
    """
    alpha = leave_one_out_strength(together.X[rows], labels, classes, signed_sqrt=True)
    return solve(together, rows, labels, np.ones(len(rows)), classes, alpha), alpha

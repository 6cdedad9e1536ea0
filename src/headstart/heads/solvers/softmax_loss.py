"""The multinomial logistic loss of many problems that share their rows, evaluated in a few large products.

A *problem* is one strength C and one held_out-out fold (or none). All problems see the same design matrix; a problem
skips the rows of its held_out-out fold. Rows are kept sorted by fold, then by class, so that a fold is a slice, a class
inside it is a slice, and nothing is gathered or masked in the inner loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Ints

NO_FOLD = -1
"""The fold number of rows that every problem trains on, and of a problem that trains on every row."""

_CHUNK = 1 << 19
"""Scores held_out at once: two megabytes of float32, which stay in the cache between the passes over them."""


@dataclass(frozen=True)
class _Chunk:
    """Rows of one fold, and the run of each class among them."""

    rows: slice
    classes: tuple[tuple[int, slice], ...]


@dataclass(frozen=True, eq=False)
class Losses:
    """Value, slope and curvature of each problem's weighted sum of row losses.

    value: (P,). slope: (P, J, q). curvature: (P, J), the mean over rows of p(1 - p).
    """

    value: NDArray[np.float64]
    slope: NDArray[Any]
    curvature: NDArray[np.float64]


class Design:
    """Rows, labels and weights, sorted for the loss.

    rows: (n, r) features. labels: (n,) 0..K-1. folds: (n,). weights: (n,) or None.
    A column of ones is added for the intercept: q = r + 1. Two classes need J = 1 column of scores, K classes J = K.
    """

    def __init__(
        self, rows: NDArray[Any], labels: Ints, folds: Ints, n_classes: int, weights: NDArray[Any] | None = None
    ) -> None:
        self.order = np.lexsort((labels, folds))
        self.n_classes = n_classes
        self.columns = 1 if n_classes == 2 else n_classes
        self.labels, self.folds = labels[self.order], folds[self.order]
        self.weights = None if weights is None else weights[self.order].astype(rows.dtype)
        self.matrix = np.empty((len(rows), rows.shape[1] + 1), dtype=rows.dtype)
        np.take(rows, self.order, axis=0, out=self.matrix[:, :-1])
        self.matrix[:, -1] = 1.0

    def masses(self, held_out: Ints) -> NDArray[np.float64]:
        """(P, K): total weight of each class among the rows that each problem trains on."""
        weights = np.ones(len(self.labels)) if self.weights is None else self.weights.astype(np.float64)
        trains = (held_out[:, None] != self.folds) | (self.folds == NO_FOLD)
        indicator = (self.labels[:, None] == np.arange(self.n_classes)) * weights[:, None]
        return trains.astype(np.float64) @ indicator  # type: ignore[no-any-return]

    def losses(self, W: NDArray[Any], held_out: Ints) -> Losses:
        """Evaluate problems with coefficients `W` (P, J, q), each leaving out the fold `held_out` (P,)."""
        value = np.zeros(len(W))
        slope = np.zeros_like(W)
        curvature = np.zeros(W.shape[:2])
        for fold in np.unique(self.folds):
            problems = np.flatnonzero((held_out != fold) | (fold == NO_FOLD))
            if len(problems):
                self._add_fold(int(fold), problems, W, value, slope, curvature)
        return Losses(value, slope, curvature)

    def _add_fold(
        self,
        fold: int,
        problems: Ints,
        W: NDArray[Any],
        value: NDArray[np.float64],
        slope: NDArray[Any],
        curvature: NDArray[np.float64],
    ) -> None:
        """Add one fold's share to the value, slope and curvature of the problems that train on it."""
        P, J, q = len(problems), W.shape[1], W.shape[2]
        coefficients = W[problems].reshape(P * J, q)
        total = np.zeros_like(coefficients)
        for chunk in self._chunks(fold, P * J):
            Z = self.matrix[chunk.rows]
            scores = (coefficients @ Z.T).reshape(P, J, len(Z))
            row_losses = _to_residuals(scores, chunk.classes, curvature, problems)
            if self.weights is not None:
                row_losses *= self.weights[chunk.rows]
                scores *= self.weights[chunk.rows]
            value[problems] += row_losses.sum(axis=1, dtype=np.float64)
            total += scores.reshape(P * J, len(Z)) @ Z  # the gradient Σ w (p - y) zᵀ
        slope[problems] += total.reshape(P, J, q)

    def _chunks(self, fold: int, width: int) -> list[_Chunk]:
        start, end = np.searchsorted(self.folds, [fold, fold + 1])
        size = max(256, min(4096, _CHUNK // width))
        chunks = []
        for low in range(start, end, size):
            rows = slice(low, min(low + size, end))
            labels = self.labels[rows]
            # Sorted labels change where a class ends: the edges of its run of rows.
            edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
            chunks.append(_Chunk(rows, tuple((int(labels[a]), slice(a, b)) for a, b in pairwise(edges))))
        return chunks


def _to_residuals(
    scores: NDArray[Any],
    classes: tuple[tuple[int, slice], ...],
    curvature: NDArray[np.float64],
    problems: Ints,
) -> NDArray[Any]:
    """Turn scores (P, J, rows) into probability minus target, in place; return each row's loss (P, rows)."""
    if scores.shape[1] == 1:
        return _sigmoid_residuals(scores, classes, curvature, problems)
    # loss = log Σ_k exp(s_k) - s_y, the same for scores about their maximum, which cannot overflow.
    scores -= scores.max(axis=1, keepdims=True)
    row_losses = np.empty((len(scores), scores.shape[2]), dtype=scores.dtype)
    for label, run in classes:
        np.negative(scores[:, label, run], out=row_losses[:, run])
    np.exp(scores, out=scores)
    totals = scores.sum(axis=1)
    row_losses += np.log(totals)
    scores *= (1.0 / totals)[:, None]
    # Σ p (1 - p) = Σ p - Σ p²: the diagonal of the softmax's Hessian.
    flat = scores.reshape(-1, scores.shape[2])
    spread = flat.sum(axis=1) - np.einsum("ij,ij->i", flat, flat)
    curvature[problems] += spread.reshape(scores.shape[:2])
    for label, run in classes:
        scores[:, label, run] -= 1.0  # p - y, the gradient by the scores
    return row_losses


def _sigmoid_residuals(
    scores: NDArray[Any],
    classes: tuple[tuple[int, slice], ...],
    curvature: NDArray[np.float64],
    problems: Ints,
) -> NDArray[Any]:
    """The two-class case: one column, the score of class 1."""
    # With t = s for class 0 and -s for class 1, loss = log(1 + exp t) and the wrong class has p = exp(t - loss).
    t = scores[:, 0]
    for label, run in classes:
        if label == 1:
            np.negative(t[:, run], out=t[:, run])
    row_losses = np.logaddexp(0, t)
    p_wrong = np.exp(t - row_losses)
    curvature[problems, 0] += (p_wrong - p_wrong * p_wrong).sum(axis=1)
    for label, run in classes:
        t[:, run] = p_wrong[:, run] if label == 0 else -p_wrong[:, run]  # p - y
    return row_losses  # type: ignore[no-any-return]

"""Choosing a head's setting from its out-of-fold scores.

The judge is the log-loss at each setting's own best temperature: it uses every row's margin where accuracy uses one
bit, so it is steadier on few rows, and it does not mind whether scores are large or small (they are calibrated later).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats, Ints

_ROWS = 5000
"""Rows per repeat that are looked at: enough to tell settings apart."""


def internal_folds(labels: Ints, *, count: int = 5, seed: int = 0) -> Ints:
    """(1, n) stratified folds. A class of one row is never held out (fold -1).

    Where every class has one row, the rows themselves are dealt out.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % count
    sizes = np.bincount(labels)
    alone = sizes[labels] == 1
    if not alone.all():
        folds[alone] = -1
    return folds[None]


def best_configuration(scores: Floats, labels: Ints, folds: Ints) -> int:
    """The position of the setting whose scores (settings, repeats, n, K) foretell the labels best; ties: the first."""
    return int(np.argmin([refined_loss(of_setting, labels, folds) for of_setting in scores]))


def refined_loss(scores: Floats, labels: Ints, folds: Ints) -> float:
    """Mean log-loss of scores (repeats, n, K) at their best single temperature, over rows that were held out."""
    kept = [_sample(np.flatnonzero(numbers >= 0)) for numbers in folds]
    rows = np.concatenate([scores[r][index] for r, index in enumerate(kept)]).astype(np.float64)
    truth = np.concatenate([labels[index] for index in kept])
    rows -= rows[np.arange(len(rows)), truth][:, None]
    return _least_loss(rows)


def _sample(index: Ints) -> Ints:
    return index[:: max(1, -(-len(index) // _ROWS))]


def _least_loss(margins: NDArray[np.float64]) -> float:
    """Minimum over sharpness β > 0 of mean log Σ exp(β · margin): convex in β, by bisection on its slope in log β."""
    size = max(float(np.abs(margins).mean()), 1e-12)
    low, high = np.log(1e-2 / size), np.log(1e2 / size)
    for _ in range(14):
        middle = (low + high) / 2
        if _slope(margins, np.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return _loss(margins, np.exp((low + high) / 2))


def _loss(margins: NDArray[np.float64], sharpness: float) -> float:
    scaled = margins * sharpness
    top = scaled.max(axis=1)
    return float((top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))).mean())


def _slope(margins: NDArray[np.float64], sharpness: float) -> float:
    scaled = margins * sharpness
    weight = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return float(((weight * margins).sum(axis=1) / weight.sum(axis=1)).mean())

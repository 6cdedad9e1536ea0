"""Choosing a head's configuration (its hyper-parameters) from its out-of-fold scores.

The criterion is the log-loss at each configuration's own best temperature (the refined loss): it uses every row's
margin where accuracy uses one bit, so it is steadier on few rows, and it does not depend on the scale of the scores,
which are calibrated later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats, Ints

_ROWS = 5000
"""Rows per repeat that are scored: enough to tell configurations apart."""


def internal_folds(labels: Ints, *, count: int = 5, seed: int = 0) -> Ints:
    """(1, n) stratified folds. A class of one row is never held out (fold -1).

    Where every class has one row, the rows are assigned to folds one after another.
    """
    random = np.random.default_rng(seed)
    # Rows in random order within their class, classes one after another: every fifth row is of one fold.
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % count
    singletons = np.bincount(labels)[labels] == 1
    if not singletons.all():
        folds[singletons] = -1
    return folds[None]


def best_configuration(scores: Floats, labels: Ints, folds: Ints) -> int:
    """The position of the configuration with the least refined loss, the first of equals.

    scores: (configurations, repeats, n, K). labels: (n,) 0..K-1. folds: (repeats, n), -1 for rows never held out.
    """
    return int(np.argmin([refined_loss(configuration_scores, labels, folds) for configuration_scores in scores]))


def refined_loss(scores: Floats, labels: Ints, folds: Ints) -> float:
    """Mean log-loss of scores (repeats, n, K) at their best single temperature, over rows that were held out."""
    held_out = [np.flatnonzero(numbers >= 0) for numbers in folds]
    sample = [index[:: max(1, -(-len(index) // _ROWS))] for index in held_out]
    margins = np.concatenate([scores[r][index] for r, index in enumerate(sample)]).astype(np.float64)
    truth = np.concatenate([labels[index] for index in sample])
    # Scores less that of the true class: the log-loss of a row is then log Σ_k exp(margin_k).
    margins -= margins[np.arange(len(margins)), truth][:, None]
    return _least_loss(margins)


def _least_loss(margins: NDArray[np.float64]) -> float:
    """Minimum over the inverse temperature β > 0 of mean log Σ exp(β · margin), by bisection on log β.

    The loss is convex in β, so its slope changes sign once. 14 halvings of four decades leave β exact to 0.03 %.
    """
    size = max(float(np.abs(margins).mean()), 1e-12)
    low, high = np.log(1e-2 / size), np.log(1e2 / size)
    for _ in range(14):
        middle = (low + high) / 2
        if _slope(margins, np.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return _loss(margins, np.exp((low + high) / 2))


def _loss(margins: NDArray[np.float64], beta: float) -> float:
    """Mean of log Σ_k exp(β m_k), the largest term taken out so that nothing overflows."""
    scaled = margins * beta
    top = scaled.max(axis=1)
    return float((top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))).mean())


def _slope(margins: NDArray[np.float64], beta: float) -> float:
    """Its derivative by β: the mean of Σ_k softmax(β m)_k m_k."""
    scaled = margins * beta
    weight = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return float(((weight * margins).sum(axis=1) / weight.sum(axis=1)).mean())

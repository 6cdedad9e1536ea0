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


def choose_crossed(scores: Floats, losses: Floats, folds: Ints) -> tuple[int, Floats]:
    """The configuration of the least loss, and scores (1, repeats, n, K) that no row's own loss has had a part in.

    In each fold stand the scores of the configuration that the other folds' rows would choose, so that choosing among
    many flatters no score. scores: (configurations, repeats, n, K). losses: (configurations, repeats, n). folds:
    (repeats, n), -1 for rows never held out.
    """
    crossed = scores[0].copy()
    for repeat, numbers in enumerate(folds):
        for fold in np.unique(numbers[numbers >= 0]):
            others = (numbers >= 0) & (numbers != fold)
            choice = int(losses[:, repeat, others].mean(axis=1).argmin()) if others.any() else 0
            crossed[repeat, numbers == fold] = scores[choice, repeat, numbers == fold]
    held_out = folds >= 0
    return int(losses[:, held_out].mean(axis=1).argmin()), crossed[None]


def refined_loss(scores: Floats, labels: Ints, folds: Ints) -> float:
    """Mean log-loss of scores (repeats, n, K) at their best single temperature, over rows that were held out."""
    held_out = [np.flatnonzero(numbers >= 0) for numbers in folds]
    sample = [index[:: max(1, -(-len(index) // _ROWS))] for index in held_out]
    margins = np.concatenate([scores[r][index] for r, index in enumerate(sample)]).astype(np.float64)
    truth = np.concatenate([labels[index] for index in sample])
    # Scores less that of the true class: the log-loss of a row is then log Σ_k exp(margin_k).
    margins -= margins[np.arange(len(margins)), truth][:, None]
    return _least_loss(margins)


def refined_losses(scores: Floats, labels: Ints) -> Floats:
    """(repeats, n) the log-loss of each row of scores (repeats, n, K) at the best single temperature of all."""
    margins = scores.astype(np.float64) - np.take_along_axis(scores, labels[None, :, None], axis=2)
    flat = margins.reshape(-1, margins.shape[-1])
    beta = _best_sharpness(flat[:: max(1, -(-len(flat) // _ROWS))])
    losses: Floats = _losses(flat, beta).reshape(margins.shape[:2]).astype(np.float32)
    return losses


def _least_loss(margins: NDArray[np.float64]) -> float:
    """Minimum over the inverse temperature β > 0 of mean log Σ exp(β · margin)."""
    return float(_losses(margins, _best_sharpness(margins)).mean())


def _best_sharpness(margins: NDArray[np.float64]) -> float:
    """The inverse temperature β > 0 of the least mean log Σ exp(β · margin), by bisection on log β.

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
    return float(np.exp((low + high) / 2))


def _losses(margins: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """log Σ_k exp(β m_k) of each row, the largest term taken out so that nothing overflows."""
    scaled = margins * beta
    top = scaled.max(axis=1)
    losses: NDArray[np.float64] = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return losses


def _slope(margins: NDArray[np.float64], beta: float) -> float:
    """Its derivative by β: the mean of Σ_k softmax(β m)_k m_k."""
    scaled = margins * beta
    weight = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return float(((weight * margins).sum(axis=1) / weight.sum(axis=1)).mean())

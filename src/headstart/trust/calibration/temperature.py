"""Temperature scaling: softmax(scores / temperature), one temperature for all classes (Guo et al. 2017).

Fits the temperature to out-of-fold scores and applies it. Dividing by a positive number never changes which class ranks
first. Vector scaling is in `trust.calibration.methods`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

_REACH = 8.0
"""The temperature is looked for within e^±8 times the typical gap between the best and the second score."""


def fit_temperature(scores: NDArray[Any], labels: Ints, *, most_rows: int = 20_000) -> float:
    """The temperature under which the scores' log-loss is least; positive and finite, whatever the scores.

    scores: (n, classes) or (repeats, n, classes), out of fold. labels: (n,) class numbers. The target
    probability of the true class is 1 - 1/(n + 2) and not 1 (Platt 1999): a few images that are all
    predicted rightly do not prove certainty. Of more than `most_rows` rows that many are taken,
    evenly: it is one parameter.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(4000, 3))
    >>> labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> round(fit_temperature(10 * logits, labels))
    10
    """
    from scipy.optimize import minimize_scalar

    stacked, stacked_labels = _stacked(scores, labels, most_rows)
    gaps = np.partition(stacked, -2, axis=1)
    scale = float((gaps[:, -1] - gaps[:, -2]).mean()) if len(stacked) else 0.0
    if not scale > 0:
        return 1.0
    epsilon = 1.0 / (len(labels) + 2)
    shifted = (stacked - stacked.max(axis=1, keepdims=True)) / scale
    true_logit = shifted[np.arange(len(stacked_labels)), stacked_labels]
    # With z = shifted, T the temperature in units of the scale, and targets q (1 - epsilon for the label, the rest
    # shared), cross-entropy is log Σ_j exp(z_j / T) - Σ_j q_j z_j / T; the second sum does not depend on T but for 1/T.
    target = (1 - epsilon) * true_logit + epsilon * (shifted.sum(axis=1) - true_logit) / max(shifted.shape[1] - 1, 1)
    mean_target = float(target.mean())

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.log(np.exp(shifted * inverse).sum(axis=1)).mean()) - inverse * mean_target

    minimum = minimize_scalar(loss, bounds=(-_REACH, _REACH), method="bounded", options={"xatol": 1e-4})
    return scale * math.exp(float(minimum.x))


def _stacked(scores: NDArray[Any], labels: Ints, most: int) -> tuple[NDArray[np.float64], Ints]:
    """Repeats under one another, thinned evenly where there are very many rows."""
    classes = scores.shape[-1]
    flat = scores.reshape(-1, classes)
    repeated = np.tile(labels, max(len(flat) // max(len(labels), 1), 1))
    step = -(-len(flat) // most)
    return flat[::step].astype(np.float64), repeated[::step]


def probabilities(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """softmax(scores / temperature) over the last axis, float32.

    >>> probabilities(np.array([[2.0, 0.0]]), temperature=2.0).round(3).tolist()
    [[0.7310000061988831, 0.26899999380111694]]
    """
    return softmax(scores.astype(np.float64) / temperature).astype(np.float32)


def row_losses(scores: NDArray[Any], labels: Ints, temperature: float = 1.0) -> Floats:
    """Log-loss of each row, -log softmax(scores / temperature) at its class, averaged over repeats.

    scores: (repeats, n, classes). labels: (n,). Returns (n,) float32.
    """
    logits = scores.astype(np.float64) / temperature
    logits -= logits.max(axis=-1, keepdims=True)
    true_logit = np.take_along_axis(logits, labels[None, :, None], axis=-1)[..., 0]
    return (np.log(np.exp(logits).sum(axis=-1)) - true_logit).mean(axis=0).astype(np.float32)  # type: ignore[no-any-return]


def crossed_probabilities(scores: NDArray[Any], labels: Ints, folds: Ints) -> Floats:
    """Out-of-fold scores as probabilities, each fold's temperature fitted on the other folds of its repeat.

    scores: (repeats, n, classes). folds: (repeats, n). So that a log-loss of them is tuned on nothing it is
    scored on.
    """
    result = np.empty(scores.shape, np.float32)
    for repeat, fold in enumerate(folds):
        for number in np.unique(fold):
            inside = fold == number
            training = scores[repeat, ~inside]
            temperature = fit_temperature(training, labels[~inside])
            result[repeat, inside] = probabilities(scores[repeat, inside], temperature)
    return result

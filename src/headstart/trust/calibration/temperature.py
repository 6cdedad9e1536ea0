"""One temperature that turns scores into probabilities: softmax(scores / temperature) (Guo et al. 2017).

It is fitted on out-of-fold scores. Dividing by a positive number never changes which class ranks first.
Richer calibration does not live here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats, Ints

_REACH = 8.0
"""The temperature is looked for within e^±8 times the typical gap between the best and the second score."""


def fit_temperature(scores: NDArray[Any], y: Ints, *, most_rows: int = 20_000) -> float:
    """The temperature under which the scores' log-loss is least; positive and finite, whatever the scores.

    scores: (n, classes) or (repeats, n, classes), out of fold. y: (n,) class numbers. The wanted
    probability of the true class is 1 - 1/(n + 2) and not 1 (Platt 1999): a few images that are all
    answered rightly do not prove certainty. Of more than `most_rows` rows that many are taken,
    evenly: it is one parameter.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(4000, 3))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> round(fit_temperature(10 * logits, y))
    10
    """
    from scipy.optimize import minimize_scalar

    stacked, labels = _rows(scores, y, most_rows)
    gaps = np.partition(stacked, -2, axis=1)
    scale = float((gaps[:, -1] - gaps[:, -2]).mean()) if len(stacked) else 0.0
    if not scale > 0:
        return 1.0
    doubt = 1.0 / (len(y) + 2)
    shifted = (stacked - stacked.max(axis=1, keepdims=True)) / scale
    own = shifted[np.arange(len(labels)), labels]
    wanted = (1 - doubt) * own + doubt * (shifted.sum(axis=1) - own) / max(shifted.shape[1] - 1, 1)
    pull = float(wanted.mean())

    def loss(log_temperature: float) -> float:
        coldness = math.exp(-log_temperature)
        return float(np.log(np.exp(shifted * coldness).sum(axis=1)).mean()) - coldness * pull

    found = minimize_scalar(loss, bounds=(-_REACH, _REACH), method="bounded", options={"xatol": 1e-4})
    return scale * math.exp(float(found.x))


def _rows(scores: NDArray[Any], y: Ints, most: int) -> tuple[NDArray[np.float64], Ints]:
    """Repeats under one another, thinned evenly where there are very many rows."""
    classes = scores.shape[-1]
    flat = scores.reshape(-1, classes)
    labels = np.tile(y, max(len(flat) // max(len(y), 1), 1))
    step = -(-len(flat) // most)
    return flat[::step].astype(np.float64), labels[::step]


def probabilities(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """softmax(scores / temperature) over the last axis, float32.

    >>> probabilities(np.array([[2.0, 0.0]]), temperature=2.0).round(3).tolist()
    [[0.7310000061988831, 0.26899999380111694]]
    """
    cold = scores.astype(np.float64) / temperature
    rising = np.exp(cold - cold.max(axis=-1, keepdims=True))
    return (rising / rising.sum(axis=-1, keepdims=True)).astype(np.float32)  # type: ignore[no-any-return]


def row_losses(scores: NDArray[Any], y: Ints, temperature: float = 1.0) -> Floats:
    """Log-loss of each row, -log softmax(scores / temperature) at its class, averaged over repeats.

    scores: (repeats, n, classes). y: (n,). Returns (n,) float32.
    """
    cold = scores.astype(np.float64) / temperature
    cold -= cold.max(axis=-1, keepdims=True)
    own = np.take_along_axis(cold, y[None, :, None], axis=-1)[..., 0]
    return (np.log(np.exp(cold).sum(axis=-1)) - own).mean(axis=0).astype(np.float32)  # type: ignore[no-any-return]


def crossed_probabilities(scores: NDArray[Any], y: Ints, folds: Ints) -> Floats:
    """Out-of-fold scores as probabilities, each fold's temperature fitted on the other folds of its repeat.

    scores: (repeats, n, classes). folds: (repeats, n). So that a log-loss of them is tuned on nothing it is
    scored on.
    """
    result = np.empty(scores.shape, np.float32)
    for repeat, fold in enumerate(folds):
        for number in np.unique(fold):
            inside = fold == number
            others = scores[repeat, ~inside]
            temperature = fit_temperature(others, y[~inside])
            result[repeat, inside] = probabilities(scores[repeat, inside], temperature)
    return result

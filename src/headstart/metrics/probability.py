"""Class probabilities: softmax, and how good they are (log-loss, Brier score, calibration error, top-k accuracy).

The measures take probabilities, float (n, classes), and class numbers (n,), and give one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Ints

Probabilities = NDArray[Any]


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """exp(scores) over its sum along the last axis, in the scores' own precision; rows sum to one.

    >>> softmax(np.array([[1000.0, 1000.0], [0.0, 1000.0]])).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))  # the largest becomes 1: no overflow
    return shifted / shifted.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def log_loss(labels: Ints, probabilities: Probabilities) -> float:
    """Mean of -log(probability of the true class), natural logarithm; a probability of 0 counts as 1e-15.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]])), 4)
    0.3466
    """
    likelihood = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0].astype(np.float64)
    return float(-np.log(np.clip(likelihood, 1e-15, 1.0)).mean())


def brier(labels: Ints, probabilities: Probabilities) -> float:
    """Mean squared distance to the true class's corner, summed over classes: 0 (sure and right) to 2.

    >>> brier(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    0.25
    """
    indicator = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - indicator) ** 2).sum(axis=1).mean())


def calibration_error(labels: Ints, probabilities: Probabilities, *, bins: int = 15) -> float:
    """Expected calibration error of the top class over bins of equal mass: mean |confidence - accuracy|.

    0 to 1. A bin holds at least ten images, so few images make fewer bins. Chance alone shows some error: about 0.02
    with 1,000 images where there is none.

    >>> calibration_error(np.array([0, 0, 1, 1]), np.full((4, 2), 0.5))
    0.0
    """
    confidence, correct, cut = _binned(labels, probabilities, bins)
    return float(sum(abs((confidence[part] - correct[part]).sum()) for part in cut) / max(len(labels), 1))


def debiased_calibration_error(labels: Ints, probabilities: Probabilities, *, bins: int = 15) -> float:
    """Root mean square calibration error of the top class over the same bins, less what chance alone adds; 0 to 1.

    From each bin's squared gap the variance of its accuracy, a (1 - a) / (m - 1) with m images, is taken off (Kumar,
    Liang, Ma 2019, *Verified uncertainty calibration*, NeurIPS; known from meteorology); 0 where nothing is left. As a
    root mean square it is no smaller than the mean gap, so compare it with itself.

    >>> labels = np.arange(40) % 2
    >>> debiased_calibration_error(labels, np.tile([0.5, 0.5], (40, 1)))
    0.0
    >>> round(debiased_calibration_error(labels, np.tile([1.0, 0.0], (40, 1))), 3)
    0.471
    """
    confidence, correct, cut = _binned(labels, probabilities, bins)
    squares = 0.0
    for part in cut:
        right, size = float(correct[part].mean()), len(part)
        chance = right * (1 - right) / max(size - 1, 1)
        squares += size * (float(confidence[part].mean() - right) ** 2 - chance)
    return float(np.sqrt(max(squares, 0.0) / max(len(labels), 1)))


def _binned(
    labels: Ints, probabilities: Probabilities, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[Ints]]:
    """Confidences, whether the predictions are right, and the rows of each bin: equally many, at least ten."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    cut = [part for part in np.array_split(order, max(1, min(bins, len(order) // 10))) if len(part)]
    return confidence, correct, cut


def top_k(labels: Ints, probabilities: Probabilities, k: int = 5) -> float:
    """Share of images whose true class is among the `k` most probable (all classes where there are fewer).

    >>> top_k(np.array([2]), np.array([[0.5, 0.2, 0.3]]), k=2)
    1.0
    """
    k = min(k, probabilities.shape[1])
    best = np.argpartition(-probabilities, k - 1, axis=1)[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())

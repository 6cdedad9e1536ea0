"""How good probabilities are: log-loss, Brier score, calibration error, top-k accuracy.

Takes class probabilities, float (n, classes), and class numbers (n,); gives one number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records import Ints

Probabilities = NDArray[Any]


def log_loss(y: Ints, probabilities: Probabilities) -> float:
    """Mean of -log(probability of the true class), natural logarithm; a probability of 0 counts as 1e-15.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]])), 4)
    0.3466
    """
    own = np.take_along_axis(probabilities, y[:, None], axis=1)[:, 0].astype(np.float64)
    return float(-np.log(np.clip(own, 1e-15, 1.0)).mean())


def brier(y: Ints, probabilities: Probabilities) -> float:
    """Mean squared distance to the true class's corner, summed over classes: 0 (sure and right) to 2.

    >>> brier(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    0.25
    """
    wanted = np.eye(probabilities.shape[1])[y]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def calibration_error(y: Ints, probabilities: Probabilities, *, bins: int = 15) -> float:
    """Expected calibration error of the top class over bins of equal mass: mean |confidence - accuracy|.

    0 to 1. A bin holds at least ten images, so few images make fewer bins. Chance alone shows some error: about 0.02
    with 1,000 images where there is none.

    >>> calibration_error(np.array([0, 0, 1, 1]), np.full((4, 2), 0.5))
    0.0
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == y
    order = np.argsort(confidence, kind="stable")
    cut = [part for part in np.array_split(order, max(1, min(bins, len(order) // 10))) if len(part)]
    return float(sum(abs((confidence[part] - correct[part]).sum()) for part in cut) / max(len(y), 1))


def top_k(y: Ints, probabilities: Probabilities, k: int = 5) -> float:
    """Share of images whose true class is among the `k` most probable (all classes where there are fewer).

    >>> top_k(np.array([2]), np.array([[0.5, 0.2, 0.3]]), k=2)
    1.0
    """
    k = min(k, probabilities.shape[1])
    best = np.argpartition(-probabilities, k - 1, axis=1)[:, :k]
    return float((best == y[:, None]).any(axis=1).mean())

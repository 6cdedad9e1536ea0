"""Novelty read from a head's own scores: the baselines that distances in embedding space are compared with.

Both take class scores (n, K) and give (n,), higher = more novel. They cost nothing, and see only what the head was
trained to see: a picture of no known class can be scored high for one of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats


def max_softmax(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """One minus the largest softmax probability, 0 to 1 - 1/K (Hendrycks and Gimpel 2017).

    >>> max_softmax(np.array([[0.0, 0.0], [0.0, 50.0]])).tolist()
    [0.5, 0.0]
    """
    cold = scores.astype(np.float64) / temperature
    return (1 - np.exp(cold.max(axis=1) - _log_sum(cold))).astype(np.float32)  # type: ignore[no-any-return]


def energy(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """-T log Σ exp(score / T): how little evidence there is for all classes together (Liu et al. 2020).

    >>> energy(np.array([[0.0, 0.0]])).round(4).tolist()
    [-0.6930999755859375]
    """
    return (-temperature * _log_sum(scores.astype(np.float64) / temperature)).astype(np.float32)


def _log_sum(cold: NDArray[np.float64]) -> NDArray[np.float64]:
    top = cold.max(axis=1)
    return top + np.log(np.exp(cold - top[:, None]).sum(axis=1))  # type: ignore[no-any-return]

"""Novelty scores that the one in the product is measured against: nearest training row, max-softmax, energy.

Each gives (n,), higher = more novel. The first assumes no shape of the classes; the others read a head's own scores:
they cost nothing, and see only what the head was trained to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.sampling import stratified_subsample
from headstart.heads.forms.arrays import row_blocks, unit_rows
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

MOST_ROWS = 2000
_ROWS_A_NEIGHBOUR = 500
_MOST_NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class NearestDistance:
    """Euclidean distance, 0 to 2, to the k-th nearest stored row after both are brought to length one.

    Sun et al. 2022. stored: (m, d), of length one. k: which neighbour, 1 to m.
    """

    stored: Floats
    k: int

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,)."""
        squared_distances = np.empty(len(X), np.float32)
        squared_lengths = np.einsum("ij,ij->i", self.stored, self.stored)
        for block in row_blocks(len(X), max(self.stored.shape)):
            rows = unit_rows(X[block])
            # |a - b|² = |b|² - 2 a·b + |a|²
            squared = squared_lengths - 2 * (rows @ self.stored.T) + np.einsum("ij,ij->i", rows, rows)[:, None]
            squared_distances[block] = np.partition(squared, self.k - 1, axis=1)[:, self.k - 1]
        return np.sqrt(np.maximum(squared_distances, 0))


def neighbours_for(rows: int) -> int:
    """Which neighbour to take: the first below 1,000 rows, the tenth from 5,000.

    >>> [neighbours_for(rows) for rows in (30, 999, 1000, 100_000)]
    [1, 1, 2, 10]
    """
    return int(np.clip(rows // _ROWS_A_NEIGHBOUR, 1, _MOST_NEIGHBOURS))


def fit_nearest(X: Floats, labels: Ints, *, most_rows: int = MOST_ROWS) -> NearestDistance:
    """Store rows of X (n, d), at most `most_rows` spread evenly over the classes' rows; `labels` are (n,).

    >>> X = np.eye(3, dtype=np.float32)
    >>> fit_nearest(X, np.arange(3)).score(-X[:1]).round(3).tolist()
    [1.4140000343322754]
    """
    rows = stratified_subsample(labels, most_rows)
    return NearestDistance(unit_rows(X[rows]).astype(np.float16).astype(np.float32), neighbours_for(len(rows)))


def max_softmax(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """One minus the largest softmax probability, 0 to 1 - 1/K (Hendrycks and Gimpel 2017).

    >>> max_softmax(np.array([[0.0, 0.0], [0.0, 50.0]])).tolist()
    [0.5, 0.0]
    """
    return (1 - softmax(scores.astype(np.float64) / temperature).max(axis=1)).astype(np.float32)


def energy(scores: NDArray[Any], temperature: float = 1.0) -> Floats:
    """-T log Σ exp(score / T): how little evidence there is for all classes together (Liu et al. 2020).

    >>> energy(np.array([[0.0, 0.0]])).round(4).tolist()
    [-0.6930999755859375]
    """
    scaled = scores.astype(np.float64) / temperature
    highest = scaled.max(axis=1)
    return (-temperature * (highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1)))).astype(np.float32)

"""Groups the images of a class that lie close together: average linkage, cut at one cosine.

`cluster_rows` takes unit vectors with labels and returns a group number a row; images of different classes are never in
one group, because a sibling with another label cannot flatter a score.
"""

from __future__ import annotations

import numpy as np

from headstart.records.arrays import Floats, Ints


def cluster_rows(F: Floats, labels: Ints, cut: float, pairs: Ints) -> Ints:
    """(n,) group numbers from 0: rows of a class whose clusters have a mean cosine of at least `cut`.

    F: (n, r) unit vectors. pairs: (m, 2) rows that are known to be of one thing; their cosine counts as 1.

    >>> F = np.array([[1, 0], [0.9, 0.436], [0, 1]], np.float32)
    >>> cluster_rows(F, np.zeros(3, np.int64), 0.8, np.zeros((0, 2), np.int64)).tolist()
    [0, 0, 1]
    """
    numbers = np.zeros(len(labels), np.int64)
    total = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        clusters = _cluster(F[rows], cut, _inside(pairs, rows))
        numbers[rows] = total + clusters
        total += int(clusters.max()) + 1
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _inside(pairs: Ints, rows: Ints) -> Ints:
    """The pairs of which both rows are among `rows` (ascending), as places there."""
    inside = np.isin(pairs, rows).all(axis=1)
    return np.searchsorted(rows, pairs[inside]).astype(np.int64)


def _cluster(F: Floats, cut: float, pairs: Ints) -> Ints:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(F) == 1:
        return np.zeros(1, np.int64)
    distance = np.clip(1 - F @ F.T, 0, 2).astype(np.float64)
    distance[pairs[:, 0], pairs[:, 1]] = distance[pairs[:, 1], pairs[:, 0]] = 0
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    numbers: Ints = fcluster(tree, 1 - cut, "distance").astype(np.int64) - 1
    return numbers

"""The graph of nearest neighbours by cosine: what label propagation walks on, and how well answers agree with
neighbours.

`neighbours` gives each row's nearest rows; `symmetric_graph` makes a sparse matrix of them; `consistency` is the share
of neighbours with the same answer. Quadratic in the rows, in blocks, so that memory stays small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import unit_rows
from headstart.records.arrays import Floats, Ints

NEIGHBOURS = 10
_BLOCK = 1000


def neighbours(rows: Floats, count: int = NEIGHBOURS) -> tuple[Ints, Floats]:
    """(n, k) each row's nearest other rows and the cosines with them, in no order. count: at most n - 1 are given."""
    units = unit_rows(rows.astype(np.float32))
    count = min(count, len(rows) - 1)
    nearest = np.empty((len(rows), count), np.int64)
    cosines = np.empty((len(rows), count), np.float32)
    for low in range(0, len(rows), _BLOCK):
        products = units[low : low + _BLOCK] @ units.T
        products[np.arange(len(products)), np.arange(low, low + len(products))] = -np.inf
        block = np.argpartition(-products, count - 1, axis=1)[:, :count]
        nearest[low : low + _BLOCK] = block
        cosines[low : low + _BLOCK] = np.take_along_axis(products, block, axis=1)
    return nearest, cosines


def symmetric_graph(rows: Floats, count: int = NEIGHBOURS) -> Any:
    """S = D^-½ W D^-½ as a sparse matrix (n, n): W holds max(cosine, 0) where either row is the other's neighbour."""
    from scipy.sparse import coo_matrix, diags

    nearest, cosines = neighbours(rows, count)
    n, k = nearest.shape
    one_way = coo_matrix(
        (np.maximum(cosines, 0).ravel().astype(np.float64), (np.repeat(np.arange(n), k), nearest.ravel())), (n, n)
    ).tocsr()
    both = one_way.maximum(one_way.T)
    degree = np.asarray(both.sum(axis=1)).ravel()
    scale = diags(1 / np.sqrt(np.maximum(degree, 1e-12)))
    return scale @ both @ scale


def consistency(nearest: Ints, answers: NDArray[Any]) -> float:
    """The mean share of a row's neighbours that have its answer. nearest: (m, k). answers: (m,) class numbers."""
    return float((answers[nearest] == answers[:, None]).mean())

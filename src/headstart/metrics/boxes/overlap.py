"""How much rectangles overlap: intersection over union."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


def areas(corners: NDArray[Any]) -> Reals:
    """(m,) the area of each of (m, 4) left, top, right, bottom."""
    return np.asarray((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]), np.float64)


def overlaps(corners: NDArray[Any], others: NDArray[Any], *, ignored: NDArray[np.bool_] | None = None) -> Reals:
    """(m, k) intersection over union of every pair; over the first's area alone where the other is ignored (a crowd).

    >>> overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    wide = np.minimum(corners[:, None, 2], others[None, :, 2]) - np.maximum(corners[:, None, 0], others[None, :, 0])
    high = np.minimum(corners[:, None, 3], others[None, :, 3]) - np.maximum(corners[:, None, 1], others[None, :, 1])
    shared: Reals = np.maximum(wide, 0) * np.maximum(high, 0)
    own = areas(corners)[:, None]
    whole = own + areas(others)[None] - shared
    if ignored is not None:
        whole = np.where(ignored[None], own, whole)
    return np.asarray(shared / np.maximum(whole, 1e-12))

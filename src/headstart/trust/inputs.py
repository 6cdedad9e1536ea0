"""Embeddings and whole numbers as novelty and drift take them from a caller, checked in one place. numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.errors import DataError
from headstart.records.arrays import Floats, Ints


def rows(X: Any, *, what: str = "embeddings", width: int | None = None) -> Floats:
    """`X` as float32 (n, d), finite and of the `width` asked for; else `DataError`."""
    found = np.asarray(X)
    if found.ndim != 2 or found.dtype.kind not in "fiu" or found.shape[1] == 0:
        raise DataError(f"{what} must be rows of numbers, of shape (n, d); found the shape {found.shape}.")
    if width is not None and found.shape[1] != width:
        raise DataError(
            f"{what} must be {width} numbers wide, like those this was learned on; found {found.shape[1]}: "
            "give embeddings of the same backbone and layers."
        )
    found = np.ascontiguousarray(found, dtype=np.float32)
    if not np.isfinite(found).all():
        raise DataError(f"{what} must be finite numbers; some are not: leave out the rows that hold them.")
    return found


def numbers(values: Any, n: int, what: str) -> Ints:
    """`values` as whole numbers (n,); else `DataError`."""
    found = np.asarray(values)
    if found.shape != (n,) or found.dtype.kind not in "iu":
        raise DataError(f"{what} must be one whole number a row, {n} of them; found the shape {found.shape}.")
    return found.astype(np.int64)

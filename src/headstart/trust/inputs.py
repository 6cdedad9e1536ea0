"""Embeddings and whole numbers as novelty and drift take them from a caller, checked in one place. numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.errors import DataError
from headstart.records.arrays import Floats, Ints


def rows(X: Any, *, what: str = "embeddings", width: int | None = None) -> Floats:
    """`X` as float32 (n, d), finite and of the `width` asked for; else `DataError`."""
    array = np.asarray(X)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or array.shape[1] == 0:
        raise DataError(f"{what} must be rows of numbers, of shape (n, d); found the shape {array.shape}.")
    if width is not None and array.shape[1] != width:
        raise DataError(
            f"{what} must be {width} numbers wide, like those this was learned on; found {array.shape[1]}: "
            "give embeddings of the same backbone and layers."
        )
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{what} must be finite numbers; some are not: leave out the rows that hold them.")
    return array


def numbers(values: Any, n: int, what: str) -> Ints:
    """`values` as whole numbers (n,); else `DataError`."""
    array = np.asarray(values)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise DataError(f"{what} must be one whole number a row, {n} of them; found the shape {array.shape}.")
    return array.astype(np.int64)

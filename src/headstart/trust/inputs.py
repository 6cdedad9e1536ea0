"""Checks of embeddings and saved arrays, for novelty, triage and shift tests.

`rows` checks embeddings that come in; `check_layout` checks arrays that come out of a bundle, which may be a
stranger's: names, kinds of number, shapes that agree, finite values. numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BundleError, DataError
from headstart.records.arrays import Floats, Ints

Arrays = dict[str, NDArray[Any]]
Layout = Mapping[str, tuple[str, str]]
"""Array name → (dtype, one letter an axis): equal letters mean equal lengths, no letters a single number."""

_MAY_BE_EMPTY = "r"


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


def check_layout(what: str, arrays: Mapping[str, Any], layout: Layout) -> Arrays:
    """The arrays of `layout`, each of its exact dtype and shape and finite; else `BundleError` about `what`."""
    if set(arrays) != set(layout):
        raise layout_error(
            what, f"it must hold {', '.join(sorted(layout))}, and holds {', '.join(sorted(arrays)) or 'none'}"
        )
    lengths: dict[str, int] = {}
    for name, (dtype, axes) in layout.items():
        wrong = _wrong(arrays[name], dtype, axes, lengths)
        if wrong:
            raise layout_error(what, f"its array {name!r} {wrong}")
    return {name: np.array(arrays[name], order="C") for name in layout}


def layout_error(what: str, wrong: str) -> BundleError:
    """The error for saved arrays that cannot be used."""
    return BundleError(f"the saved {what} cannot be used: {wrong}; the file is damaged or not ours: train again.")


def _wrong(array: Any, dtype: str, axes: str, lengths: dict[str, int]) -> str:
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype):
        return f"does not hold {np.dtype(dtype)} numbers"
    if array.ndim != len(axes):
        return f"has {array.ndim} axes where {len(axes)} were expected"
    for axis, length in zip(axes, array.shape, strict=True):
        if (length == 0 and axis not in _MAY_BE_EMPTY) or lengths.setdefault(axis, length) != length:
            return f"has an axis of length {length}"
    return "" if array.dtype.kind != "f" or np.isfinite(array).all() else "holds numbers that are not finite"

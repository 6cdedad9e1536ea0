"""What the forms of heads share: checks on saved arrays, and a little arithmetic on rows.

A saved head may come from a stranger: names, kinds of number, shapes that agree and finite values are checked, and
whatever is wrong is a `BundleError` that names the array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BundleError
from headstart.records.arrays import Floats

Arrays = dict[str, NDArray[Any]]
Layout = Mapping[str, tuple[str, str]]
"""Array name → (dtype, one letter an axis); equal letters mean equal lengths, and no letters a single number."""

AT_ONCE = 1 << 22
"""Numbers held at once by a form that compares rows with stored rows or trees."""

_MOST = {"K": 1 << 20, "d": 1 << 24}
_LEAST = {"K": 2}


def check_arrays(kind: str, arrays: Mapping[str, Any], layout: Layout) -> Arrays:
    """The arrays of `layout`, each of its exact dtype and shape, contiguous and finite; else `BundleError`."""
    if set(arrays) != set(layout):
        raise BundleError(
            f"the saved head of kind {kind!r} must hold the arrays {', '.join(sorted(layout))}; "
            f"found {', '.join(sorted(map(str, arrays))) or 'none'}: the file is damaged or not a Headstart model."
        )
    lengths: dict[str, int] = {}
    return {name: _one(kind, name, arrays[name], *layout[name], lengths) for name in layout}


def array_error(kind: str, what: str) -> BundleError:
    """The error for a saved head whose arrays contradict each other."""
    return BundleError(f"the saved head of kind {kind!r} cannot be used: {what}; the file is damaged.")


def _one(kind: str, name: str, array: Any, dtype: str, axes: str, lengths: dict[str, int]) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype):
        found = getattr(array, "dtype", type(array).__name__)
        raise array_error(kind, f"the array {name!r} must hold {dtype} numbers, and holds {found}")
    if array.ndim != len(axes):
        raise array_error(kind, f"the array {name!r} must have {len(axes)} axes, and has the shape {array.shape}")
    for axis, length in zip(axes, array.shape, strict=True):
        _agree(kind, name, axis, length, lengths)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise array_error(kind, f"the array {name!r} holds numbers that are not finite")
    return np.ascontiguousarray(array) if array.ndim else array.copy()


def _agree(kind: str, name: str, axis: str, length: int, lengths: dict[str, int]) -> None:
    if not _LEAST.get(axis, 1) <= length <= _MOST.get(axis, 1 << 31):
        raise array_error(kind, f"the array {name!r} has an axis of length {length}")
    if lengths.setdefault(axis, length) != length:
        raise array_error(kind, f"the array {name!r} has an axis of length {length} where {lengths[axis]} was expected")


class SavedForm:
    """A form's arrays are its fields."""

    def to_arrays(self) -> Arrays:
        """The arrays that `forms.from_arrays` takes back, by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def signed_root(X: Floats) -> Floats:
    """sign(x) √|x|: large activations count for less.

    >>> signed_root(np.array([4.0, -9.0], dtype=np.float32)).tolist()
    [2.0, -3.0]
    """
    return np.copysign(np.sqrt(np.abs(X)), X)


def centre_rows(X: Floats, centre: Floats, root: NDArray[Any]) -> Floats:
    """Rows about `centre`, after a signed square root where `root` is 1."""
    rows = signed_root(X) if root else X
    return np.subtract(rows, centre, dtype=np.float32)


def unit_rows(X: Floats) -> Floats:
    """Rows of length one; a row of zeros stays."""
    length = np.sqrt(np.einsum("ij,ij->i", X, X))
    return X / np.maximum(length, np.float32(1e-12))[:, None]  # type: ignore[no-any-return]


def row_blocks(n: int, width: int) -> Iterator[slice]:
    """Slices of n rows, each of about `AT_ONCE` numbers when a row takes `width` of them."""
    size = max(1, AT_ONCE // max(1, width))
    return (slice(low, min(low + size, n)) for low in range(0, n, size))

"""What the forms of heads share: how they are saved, and a little arithmetic on rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BundleError
from headstart.records.arrays import Floats
from headstart.storage.arrays import Arrays, array_error

AT_ONCE = 1 << 22
"""Numbers held at once by a form that compares rows with stored rows or trees."""


class SavedForm:
    """A form's arrays are its fields."""

    kind: ClassVar[str]

    def error(self, problem: str) -> BundleError:
        """The error for a saved head whose arrays contradict each other."""
        return array_error(f"head of the kind {self.kind!r}", problem)

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

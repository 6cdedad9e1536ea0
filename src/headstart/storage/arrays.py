"""Saved arrays: as safetensors, and checked against a declared layout when they come back.

A saved model may come from a stranger. `check_arrays` takes arrays by name and a layout, and gives back the arrays
of that layout: exactly those names, kinds of number, shapes that agree with each other, finite values. Whatever is
wrong is a `BundleError` that names the array. What the numbers mean is checked by those who use them, who raise
`array_error`, too. Nothing here is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BundleError

Arrays: TypeAlias = dict[str, NDArray[Any]]

Layout: TypeAlias = Mapping[str, tuple[str, str]]
"""Array name → (dtype, one letter an axis); equal letters mean equal lengths, and no letters a single number."""

_SHORTEST = {"K": 2, "r": 0}
"""Least lengths of axes, 1 where none is given: K classes, r directions that may all be left out."""
_LONGEST = {"K": 1 << 20, "d": 1 << 24}
"""Greatest lengths of axes, 2^31 where none is given: K classes, d numbers of a row."""


def check_arrays(what: str, arrays: Mapping[str, Any], layout: Layout) -> Arrays:
    """The arrays of a layout, each of its exact dtype and shape, contiguous and finite.

    what: what was saved, for the message ("novelty score", say). arrays: as they were read. Raises `BundleError`.

    >>> check_arrays("scale", {"mean": np.ones(3, np.float32)}, {"mean": ("f4", "d")})["mean"].shape
    (3,)
    """
    if set(arrays) != set(layout):
        names = ", ".join(sorted(map(str, arrays))) or "none"
        raise array_error(what, f"it must hold {', '.join(sorted(layout))}, and holds {names}")
    lengths: dict[str, int] = {}
    for name, (dtype, axes) in layout.items():
        check_numbers(what, name, arrays[name], dtype)
        _check_axes(what, name, arrays[name].shape, axes, lengths)
    return {name: np.asarray(arrays[name], order="C") for name in layout}


def check_numbers(what: str, name: str, array: Any, *dtypes: str) -> NDArray[Any]:
    """An array that is of one of these dtypes and finite; else `BundleError`."""
    allowed = [np.dtype(dtype) for dtype in dtypes]
    if not isinstance(array, np.ndarray) or array.dtype not in allowed:
        kind = getattr(array, "dtype", type(array).__name__)
        raise array_error(what, f"the array {name!r} holds {kind} numbers, not {' or '.join(map(str, allowed))}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise array_error(what, f"the array {name!r} holds numbers that are not finite")
    return array


def _check_axes(what: str, name: str, shape: tuple[int, ...], axes: str, lengths: dict[str, int]) -> None:
    """lengths: of the axes met so far, by letter; those of this array are added."""
    if len(shape) != len(axes):
        raise array_error(what, f"the array {name!r} has {len(shape)} axes where {len(axes)} were expected")
    for axis, length in zip(axes, shape, strict=True):
        if not _SHORTEST.get(axis, 1) <= length <= _LONGEST.get(axis, 1 << 31):
            raise array_error(what, f"the array {name!r} has an axis of length {length}")
        if lengths.setdefault(axis, length) != length:
            expected = lengths[axis]
            raise array_error(what, f"the array {name!r} has an axis of length {length} where {expected} was expected")


def array_error(what: str, problem: str) -> BundleError:
    """The error for saved arrays that cannot be used. what: what was saved. problem: what is wrong with it."""
    return BundleError(
        f"the saved {what} cannot be used: {problem}; the file is damaged or not a Headstart model's: "
        "copy or train the model again."
    )


def dump_arrays(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, str] | None = None) -> bytes:
    """Arrays as safetensors, with facts in the header; equal arrays give equal bytes."""
    from safetensors.numpy import save

    contiguous = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    return save(contiguous, None if facts is None else dict(facts))


def load_arrays(what: str, content: bytes) -> Arrays:
    """The arrays in the content of a safetensors file; raises `BundleError` about `what` when it is damaged."""
    from safetensors.numpy import load

    def refuse(error: Exception) -> BundleError:
        return array_error(what, f"it is not a whole safetensors file ({error})")

    return _parse(lambda: load(content), refuse)


def read_arrays(path: Path) -> Arrays:
    """The arrays in a safetensors file; raises `BundleError` when it is damaged."""
    from safetensors.numpy import load_file

    def refuse(error: Exception) -> BundleError:
        return BundleError(f"the file {path} is damaged ({error}): copy or train the model again.")

    return _parse(lambda: load_file(path), refuse)


def _parse(read: Callable[[], Arrays], refuse: Callable[[Exception], BundleError]) -> Arrays:
    from safetensors import SafetensorError

    try:
        return read()
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, MemoryError) as error:
        raise refuse(error) from error


def read_facts(content: bytes) -> dict[str, str]:
    """The facts in the header of safetensors, which were whole when they were kept; empty where there are none."""
    length = int.from_bytes(content[:8], "little")  # the format: 8 bytes of the header's length, JSON, the numbers
    facts: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return facts

"""A fine-tuned backbone: the graph of a known one, and the tensors that training changed.

The changed tensors are safetensors: name in the network's state dict → array, matrices and kernels as float16, the rest
as float32, as in the graph itself. `apply_delta` gives a backbone with changed tensors, `read_delta` one with those of
a file, `without_delta` the one as published. Engines put them into a graph with `fit_tensors`, which refuses what the
graph does not hold. This module opens no graph and needs neither torch nor OpenVINO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.backbones.graph import WeightDelta
from headstart.checks import join_words
from headstart.errors import BundleError
from headstart.records.arrays import Floats
from headstart.storage.arrays import array_error, check_numbers, dump_arrays, load_arrays

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

SUFFIX = ".delta.safetensors"
_LEAST_HALVED = 256  # numbers: below that, half precision saves nothing
_MOST_HALF = 65504.0
_SLACK = 1 << 20  # bytes for a file's header


def apply_delta(backbone: Backbone, arrays: Mapping[str, NDArray[Any]]) -> Backbone:
    """The backbone with these tensors in place of its own; tensors changed earlier stay so.

    arrays: name in the network's state dict → values of the tensor's shape; matrices and kernels are rounded to half
    precision. No arrays, no change. Raises `BundleError` for values that are not finite.

    >>> from headstart.backbones.opening import open_backbone
    >>> lite0 = open_backbone("lite0")
    >>> tuned = apply_delta(lite0, {"bn2.bias": np.zeros(1280, np.float32)})
    >>> tuned.name == lite0.name, tuned.weights == lite0.weights, without_delta(tuned) == lite0
    (True, False, True)
    """
    return (
        _with_delta(without_delta(backbone), pack_tensors({**delta_tensors(backbone), **arrays}))
        if arrays
        else backbone
    )


def read_delta(backbone: Backbone, path: Path) -> Backbone:
    """The backbone with the changed tensors in a file.

    Raises `BundleError` when the file is absent, damaged, or cannot hold tensors of this backbone.
    """
    try:
        if path.stat().st_size > 2 * backbone.graph.stat().st_size + _SLACK:
            raise BundleError(f"the weight delta {path} is larger than the backbone {backbone.name}: do not trust it.")
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"the weight delta {path} cannot be read: {error.strerror}.") from error
    return _with_delta(backbone, content)


def without_delta(backbone: Backbone) -> Backbone:
    """The backbone as it was before any tensor was changed."""
    delta = backbone.delta
    return backbone if delta is None else replace(backbone, weights=delta.base, delta=None)


def _with_delta(backbone: Backbone, content: bytes) -> Backbone:
    changed = replace(
        backbone,
        weights=fingerprint.hash_parts(backbone.weights, fingerprint.hash_bytes(content)),
        delta=WeightDelta(content, backbone.weights),
    )
    delta_tensors(changed)  # what cannot be used is refused now
    return changed


def delta_tensors(backbone: Backbone) -> dict[str, Floats]:
    """The changed tensors as float32 by name; empty for a backbone that is as it was published."""
    return {} if backbone.delta is None else _unpack(backbone.delta.content, backbone.name)


def fit_tensors(backbone: Backbone, shapes: Mapping[str, Sequence[int]]) -> dict[str, Floats]:
    """The changed tensors, after a check that the graph or network holds each of them.

    shapes: of all tensors that may be changed, by name. Raises `BundleError` for a strange name or another shape.
    """
    tensors = delta_tensors(backbone)
    if strange := [name for name in tensors if name not in shapes]:
        raise array_error(_what(backbone.name), f"the network has no tensor {join_words(strange, 3)}")
    for name, array in tensors.items():
        if array.shape != tuple(shapes[name]):
            raise array_error(
                _what(backbone.name), f"{name!r} has the shape {array.shape}, in the network {tuple(shapes[name])}"
            )
    return tensors


def pack_tensors(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Tensors as the content of a delta's file; equal tensors give equal bytes."""
    return dump_arrays({name: _halved(np.array(array, np.float32, order="C")) for name, array in arrays.items()})


def _halved(array: Floats) -> NDArray[Any]:
    return array.astype(np.float16) if fits_half(array) else array


def fits_half(array: NDArray[Any]) -> bool:
    """Whether a tensor is stored in half precision: matrices and kernels, unless they are tiny or have huge values."""
    if array.dtype != np.float32 or array.ndim < 2 or array.size < _LEAST_HALVED:
        return False
    return bool(np.abs(array).max() <= _MOST_HALF)


def _unpack(content: bytes, name: str) -> dict[str, Floats]:
    what = _what(name)
    arrays = load_arrays(what, content)
    if not arrays:
        raise array_error(what, "the file holds none")
    return {
        tensor: check_numbers(what, tensor, array, "f2", "f4").astype(np.float32)
        for tensor, array in sorted(arrays.items())
    }


def _what(name: str) -> str:
    return f"weight delta of the backbone {name}"

"""The engine for texts: an encoder's graph on the CPU, texts sorted by length, long ones in windows.

A text is cut into windows as long as the network takes; its row is the mean over all its pieces (windows averaged by
their length), each tap then of length one: layers differ in scale, and heads see them alike. Windows are padded to the
next of a few lengths, about 1,024 pieces a call, so that a row does not depend on what came along.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.embed.engine import Engine
from headstart.embed.networks import open_network
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

PIECES = 1024
"""Of all windows of a call, padding counted."""
_TEXTS = 256
_INPUTS = ("ids", "mask", "first")


def padded_length(pieces: int) -> int:
    """The length that a window is padded to: in steps of an eighth of its power of two, at least 4.

    >>> [padded_length(n) for n in (3, 12, 33, 100, 256)]
    [4, 12, 36, 104, 256]
    """
    step = max(4, 1 << max(0, (pieces - 1).bit_length() - 4))
    return -(-pieces // step) * step


@dataclass(frozen=True, eq=False)
class _Window:
    """A piece of a text: which text, its pieces with the special ones, and how many belong to the first words."""

    text: int
    ids: NDArray[np.int64]
    first: int


class TextEngine(Engine):
    """An encoder compiled for this CPU; raises `BackboneError` when its graph cannot be read or lacks a tap."""

    def __init__(self, backbone: Backbone, *, precision: str) -> None:
        self.batch = _TEXTS
        self._before, self._after = backbone.spec.ends()
        self._room, self._window = backbone.spec.room, backbone.spec.window
        self._first = [tap.kind == "first" for tap in backbone.taps]
        self._widths = [tap.width for tap in backbone.taps]
        self._network = open_network(backbone, [tap.pooled for tap in backbone.taps], shape=None, precision=precision)
        self.requests = self._network.requests

    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """As the contract says: one row a text, the taps side by side, each of length one."""
        windows = [window for i in range(count) for window in self._windows(i, inputs[i])]
        total = np.zeros((count, sum(self._widths)), np.float32)
        for batch in _batches(windows):
            self._add(batch, total)
        ends = np.cumsum([0, *self._widths])
        for low, high in itertools.pairwise(ends):
            length = np.sqrt(np.einsum("ij,ij->i", total[:, low:high], total[:, low:high]))
            total[:, low:high] /= np.maximum(length, np.float32(1e-12))[:, None]
        return total

    def _windows(self, text: int, loaded: NDArray[np.int32]) -> Iterator[_Window]:
        """A text's windows; `loaded` is what `TextSpec.load` gives."""
        pieces = loaded[1:].astype(np.int64)
        for start in range(0, max(1, len(pieces)), self._room):
            part = pieces[start : start + self._room]
            ids = np.concatenate([self._before, part, self._after]).astype(np.int64)
            yield _Window(text, ids, min(int(loaded[0]), len(part)) if start == 0 else 0)

    def _add(self, batch: Sequence[_Window], total: Floats) -> None:
        """Pass windows through the graph, and add what it gives to the rows of their texts, weighed by their pieces."""
        width = min(padded_length(max(len(window.ids) for window in batch)), self._window)
        ids, mask, first = (np.zeros((len(batch), width), np.int64) for _ in range(3))  # what is masked may be anything
        for row, window in enumerate(batch):
            ids[row, : len(window.ids)], mask[row, : len(window.ids)] = window.ids, 1
            first[row, len(self._before) : len(self._before) + window.first] = 1
        texts = [window.text for window in batch]
        weights = mask.sum(axis=1).astype(np.float32)[:, None]
        # What stands first stands in the first window alone.
        firsts = np.array([[float(window.first > 0)] for window in batch], np.float32)
        low = 0
        outputs = self._network.infer(dict(zip(_INPUTS, (ids, mask, first), strict=True)))
        for output, is_first, tap in zip(outputs, self._first, self._widths, strict=True):
            np.add.at(total[:, low : low + tap], texts, output * (firsts if is_first else weights))
            low += tap


def _batches(windows: list[_Window]) -> Iterator[list[_Window]]:
    """Windows of one padded length, about `PIECES` pieces at a time."""
    by_length: dict[int, list[_Window]] = {}
    for window in windows:
        by_length.setdefault(padded_length(len(window.ids)), []).append(window)
    for length, group in sorted(by_length.items()):
        size = max(1, PIECES // length)
        yield from (group[low : low + size] for low in range(0, len(group), size))

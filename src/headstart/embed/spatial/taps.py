"""Maps of several taps of one graph, at the size of a canvas, in float32.

The packaged graphs carry `<tap>.spatial` for every tap, and their input takes any multiple of 32: no export is needed
for another size. A map is turned to (rows, columns, channels), so that a cell's numbers lie together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.backbones.graph import INPUT
from headstart.data.images.decode import DECODING
from headstart.device import FULL, threads
from headstart.embed.networks import open_network
from headstart.embed.spatial.canvas import Canvas, Laid, load_on_canvas
from headstart.errors import UnreadableImage
from headstart.records.arrays import Floats
from headstart.records.samples import ImageSource

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

TAPS = ("blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")
"""Depths with cells of 4, 8, 16, 16, 32 and 32 pixels: one alone sees either the place or the kind of a thing."""

CONTEXT = ("blocks.4", 5)
"""A tap whose mean over so many cells to each side of a square is added as one more map: what lies around."""
Maps = list[Floats]


def window_mean(tap: Floats, side: int) -> Floats:
    """The mean over a square of `side` cells about each cell, cut at the border; by cumulative sums.

    >>> window_mean(np.arange(3, dtype=np.float32).reshape(1, 3, 1), 3).ravel().tolist()
    [0.5, 1.0, 1.5]
    """
    for axis in (0, 1):
        count = tap.shape[axis]
        sums = np.concatenate([np.zeros_like(tap.take([0], axis)), np.cumsum(tap, axis=axis)], axis=axis)
        low = np.maximum(np.arange(count) - side // 2, 0)
        high = np.minimum(np.arange(count) + side // 2 + 1, count)
        shape = [1, 1, 1]
        shape[axis] = count
        tap = (sums.take(high, axis) - sums.take(low, axis)) / (high - low).astype(np.float32).reshape(shape)
    return tap


class TapEngine:
    """A backbone's taps as maps, for one canvas. Safe to call from several threads."""

    def __init__(self, backbone: Backbone, canvas: Canvas, taps: Sequence[str] = TAPS) -> None:
        self.backbone, self.canvas, self.taps = backbone, canvas, tuple(taps)
        outputs = [backbone.tap(name).spatial for name in taps]
        shape = (1, canvas.height, canvas.width, 3)
        self._network = open_network(backbone, outputs, shape=shape, precision=FULL)
        self.maps(np.zeros(shape[1:], np.uint8))  # the binding's first conversion must not meet another thread's

    def maps(self, pixels: NDArray[np.uint8]) -> Maps:
        """Every tap's map, (rows, columns, channels), of an image on the canvas."""
        outputs = self._network.infer({INPUT: pixels[None]})
        maps = [np.ascontiguousarray(output[0].transpose(1, 2, 0)) for output in outputs]
        return [*maps, window_mean(maps[self.taps.index(CONTEXT[0])], CONTEXT[1])]

    @property
    def recipe(self) -> str:
        """Names all that a map depends on besides the image: for caches."""
        return fingerprint.hash_parts(self.backbone.weights, list(self.taps), self.canvas.to_dict(), DECODING)

    def load(self, item: ImageSource) -> Laid:
        """An image on the canvas; raises `UnreadableImage`."""
        return load_on_canvas(item, self.canvas, self.backbone.spec.ground)

    def stream(self, items: Sequence[ImageSource]) -> Iterator[tuple[Laid, Maps] | UnreadableImage]:
        """Each image with its maps, in order, decoded ahead; the reason in the place of one that cannot be read."""
        with ThreadPoolExecutor(threads()) as pool:
            ahead = 2 * threads()
            waiting = [pool.submit(self._read, item) for item in items[:ahead]]
            for place in range(len(items)):
                if place + ahead < len(items):
                    waiting.append(pool.submit(self._read, items[place + ahead]))
                yield waiting[place].result()
                waiting[place] = None  # type: ignore[call-overload]  # its maps may go

    def _read(self, item: ImageSource) -> tuple[Laid, Maps] | UnreadableImage:
        try:
            laid = self.load(item)
        except UnreadableImage as error:
            return error
        return laid, self.maps(laid.pixels)

"""Maps of several taps of one graph, at the size of a canvas, in float32.

The packaged graphs carry `<tap>.spatial` for every tap, and OpenVINO reshapes them to any multiple of 32: no export is
needed for another size. A map is turned to (rows, columns, channels), so that a cell's numbers lie together.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.device import FULL, threads
from headstart.embed.openvino_engine import compiled_network, cut_graph
from headstart.embed.spatial.canvas import Canvas, Laid, load_on_canvas
from headstart.errors import UnreadableImage
from headstart.records.arrays import Floats
from headstart.records.samples import ImageSource

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

TAPS = ("blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")
"""Depths with cells of 4, 8, 16, 16, 32 and 32 pixels: one alone sees either the place or the kind of a thing."""

Maps = list[Floats]


class TapEngine:
    """A backbone's taps as maps, for one canvas. Safe to call from several threads."""

    def __init__(self, backbone: Backbone, canvas: Canvas, taps: Sequence[str] = TAPS) -> None:
        self.backbone, self.canvas, self.taps = backbone, canvas, tuple(taps)
        outputs = [backbone.tap(name).spatial for name in taps]
        shape = (1, canvas.height, canvas.width, 3)
        network = compiled_network(
            lambda: cut_graph(backbone, outputs, shape), backbone.weights, outputs, list(shape), batch=1, precision=FULL
        )
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(max(1, int(network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))):
            self._idle.put(network.create_infer_request())
        self.maps(np.zeros(shape[1:], np.uint8))  # the binding's first conversion must not meet another thread's

    def maps(self, pixels: NDArray[np.uint8]) -> Maps:
        """Every tap's map, (rows, columns, channels), of an image on the canvas."""
        request = self._idle.get()
        try:
            request.infer({0: pixels[None]}, share_inputs=True, share_outputs=True)
            outputs = [request.get_output_tensor(i).data[0] for i in range(len(self.taps))]
            return [np.ascontiguousarray(output.transpose(1, 2, 0)) for output in outputs]
        finally:
            self._idle.put(request)

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

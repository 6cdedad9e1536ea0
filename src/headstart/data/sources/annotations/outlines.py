"""Class maps from outlines: polygons, COCO's run lengths (compressed or not), and boxes where that is all there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from headstart.errors import DataError
from headstart.records.masks import ClassMap


@dataclass(frozen=True)
class OutlineMap:
    """The class map of outlines. size: width and height. shapes: (class number or -1, outline), later ones on top.
    ground: the number of what lies outside all of them."""

    size: tuple[int, int]
    shapes: tuple[tuple[int, Any], ...]
    ground: int = 0

    def read(self) -> ClassMap:
        """The map, drawn now."""
        canvas = np.full((self.size[1], self.size[0]), self.ground, np.int16)
        for label, outline in self.shapes:
            canvas[outline_mask(outline, self.size)] = label
        return canvas


def outline_mask(outline: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(rows, columns) what an outline covers; raises `DataError` for what is none.

    >>> outline_mask([[0, 0, 1, 0, 1, 1, 0, 1]], (3, 2)).astype(int).tolist()
    [[1, 1, 0], [1, 1, 0]]
    """
    if isinstance(outline, Mapping):
        return _run_lengths(outline, size)
    drawing = Image.new("1", size)
    pen = ImageDraw.Draw(drawing)
    for polygon in outline:
        if len(polygon) < 6:
            raise DataError("a polygon needs three points")
        pen.polygon([float(v) for v in polygon], fill=1)
    return np.asarray(drawing, bool)


def _run_lengths(outline: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    counts = outline.get("counts")
    runs = _decompress(counts) if isinstance(counts, (str, bytes)) else counts
    shape = outline.get("size")
    if not isinstance(runs, Sequence) or list(shape or ()) != [size[1], size[0]] or sum(runs) != size[0] * size[1]:
        raise DataError("run lengths that do not fit their image")
    if any(run < 0 for run in runs):
        raise DataError("run lengths below zero")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)  # by columns, beginning with what is outside
    return flat.reshape(size[0], size[1]).T


def _decompress(counts: str | bytes) -> list[int]:
    """COCO's text of run lengths: five bits a character from the lowest, differences to the run before last.

    >>> _decompress("05a1")
    [0, 5, 49]
    """
    text = counts.encode() if isinstance(counts, str) else counts
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place == len(text):
                raise DataError("run lengths that end in the middle")
            code = text[place] - 48
            value |= (code & 0x1F) << shift
            more = bool(code & 0x20)
            place, shift = place + 1, shift + 5
            if not more and code & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs

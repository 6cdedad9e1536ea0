"""Resamples a part of an image in two explicit passes, so that no pixel depends on Pillow's version.

`Image.resize` rounds to eight bits between its two passes, and which pass comes first has changed from one version to
the next. Here the image is resampled along its rows first and then along its columns, in two calls, and the part of it
that is looked at lies on a grid of 1/256 pixel, which Pillow's single-precision box holds exactly. Anyone can compute
the same pixels from the formula (`tests/data/images/test_resample.py` does so in float64, an exported graph in
operators). Nothing is decoded or turned here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

GRID = 256
"""Boxes lie on multiples of 1/GRID pixel."""
_REACH = 2  # of the widest filter, bicubic, in pixels of the result

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def centre_square(width: float, height: float, size: int, resize: int) -> Box:
    """The centred square that becomes `size` pixels where the shorter side would become `resize`.

    In units of 1/256 pixel: its side is an even number, min(width, height) × size / resize rounded (halves up), so that
    its corners lie on the grid and a mirrored image has the mirrored square.

    >>> centre_square(640, 480, 224, 256)
    (110.0, 30.0, 530.0, 450.0)
    """
    columns, rows = round(GRID * width), round(GRID * height)
    half = max((min(columns, rows) * size + resize) // (2 * resize), 1)
    left, top = columns / 2 - half, rows / 2 - half
    return left / GRID, top / GRID, (left + 2 * half) / GRID, (top + 2 * half) / GRID


@dataclass(frozen=True)
class Window:
    """A part of the square that a network looks at, for further views of an image in training.

    side: its side as a share of the square's, above 0, at most 1. left, top: where it lies in the room that is left, 0
    to 1. mirrored: whether left and right change places.
    """

    side: float
    left: float
    top: float
    mirrored: bool = False

    def inside(self, box: Box) -> Box:
        """The part of a box, its corners on the grid.

        >>> Window(0.5, 0.0, 1.0).inside((0.0, 0.0, 512.0, 256.0))
        (0.0, 128.0, 256.0, 256.0)
        """
        (left, right), (top, bottom) = (
            _part(box[0], box[2], self.side, self.left),
            _part(box[1], box[3], self.side, self.top),
        )
        return left, top, right, bottom


WHOLE = Window(1.0, 0.0, 0.0)


def _part(low: float, high: float, share: float, place: float) -> tuple[float, float]:
    extent = max(round(GRID * (high - low) * share), 1)
    start = round(GRID * low) + math.floor((GRID * (high - low) - extent) * place)
    return start / GRID, (start + extent) / GRID


def resample(
    image: Image.Image, size: tuple[int, int], box: Box, method: Image.Resampling, *, columns_first: bool = False
) -> Image.Image:
    """The part of an image inside `box` as `size` (width, height): rows first, rounded to eight bits, then columns.

    columns_first: the other way round, for an image that lies on its side and is turned upright afterwards. Pixels
    outside the box count where the filter reaches them.
    """
    if columns_first:
        turned = resample(
            image.transpose(Image.Transpose.TRANSPOSE), size[::-1], (box[1], box[0], box[3], box[2]), method
        )
        return turned.transpose(Image.Transpose.TRANSPOSE)
    (width, height), (left, top, right, bottom) = size, box
    reach = _REACH * max((bottom - top) / height, 1) + 1
    low, high = max(math.floor(top - reach), 0), min(math.ceil(bottom + reach), image.height)
    strip = image.crop((0, low, image.width, high))  # only the rows that the second pass looks at
    rows = strip.resize((width, high - low), method, (left, 0, right, high - low))
    return rows.resize(size, method, (0, top - low, width, bottom - low))

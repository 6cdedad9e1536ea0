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
    """A smaller square (or box) somewhere in an image, in place of the one that a network looks at.

    side: its sides as shares of that one's, above 0, at most 1. left, top: where in the image it lies, 0 to 1 of the
    room that there is.
    """

    side: float
    left: float
    top: float

    def within(self, width: float, height: float, box: Box) -> Box:
        """The window in an image of this size, its corners on the grid. box: what is looked at without it.

        >>> Window(0.5, 0.0, 1.0).within(640, 480, (110.0, 30.0, 530.0, 450.0))
        (0.0, 270.0, 210.0, 480.0)
        """
        left, right = _part(width, self.side * (box[2] - box[0]), self.left)
        top, bottom = _part(height, self.side * (box[3] - box[1]), self.top)
        return left, top, right, bottom


def _part(length: float, extent: float, place: float) -> tuple[float, float]:
    """Where a stretch lies along a side."""
    units = max(math.floor(GRID * extent), 1)
    start = math.floor((GRID * length - units) * place)
    return start / GRID, (start + units) / GRID


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

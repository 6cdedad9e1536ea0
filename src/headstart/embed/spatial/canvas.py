"""The rectangle on which images of any size are laid before a network sees them, and the way back to their pixels.

An image is scaled to fit and laid into the upper left corner; the rest is the colour that a network takes for
nothing. One whose shape is nearly the canvas's fills it. Sides are multiples of 32: every tap's cells are whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.checks import between
from headstart.data.images.decode import FILTERS, read_image
from headstart.data.images.open import reasons
from headstart.errors import BundleError, OptionError
from headstart.records.samples import ImageSource

STRIDE = 32
"""The coarsest tap's cell, in pixels of the canvas."""
LONGEST = 2048
FILLS = 0.06
"""A band narrower than this share of a side is left out: the image is stretched by as much instead."""


@dataclass(frozen=True)
class Canvas:
    """width, height: in pixels, multiples of 32 up to 2048.

    >>> Canvas(416, 320).scales(640, 480)
    (0.65, 0.6666666666666666)
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            between("a side of the canvas", side, STRIDE, LONGEST)
            if side % STRIDE:
                raise OptionError(f"a side of the canvas must be a multiple of {STRIDE}; found {side}.")

    def scales(self, width: float, height: float) -> tuple[float, float]:
        """Pixels of the canvas a pixel of an image of this size, across and down."""
        across, down = self.width / width, self.height / height
        scale = min(across, down)
        return (across, down) if max(across, down) * (1 - FILLS) <= scale else (scale, scale)

    def extent(self, width: float, height: float) -> tuple[int, int]:
        """How many columns and rows of the canvas an image of this size fills."""
        across, down = self.scales(width, height)
        return min(max(round(width * across), 1), self.width), min(max(round(height * down), 1), self.height)

    def lay(self, image: Image.Image, ground: tuple[int, int, int]) -> NDArray[np.uint8]:
        """An image on the canvas: (height, width, 3) uint8. ground: the colour beside it."""
        columns, rows = self.extent(*image.size)
        scaled = image.resize((columns, rows), FILTERS["bicubic"])
        if (columns, rows) != (self.width, self.height):
            whole = Image.new("RGB", (self.width, self.height), ground)
            whole.paste(scaled, (0, 0))
            scaled = whole
        return np.asarray(scaled)

    def to_dict(self) -> dict[str, int]:
        """The sides as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> Canvas:
        """The canvas of `to_dict`; raises `BundleError` for anything else."""
        sides = [values.get(name) for name in ("width", "height")] if isinstance(values, Mapping) else []
        if len(sides) != 2 or not all(type(side) is int for side in sides):
            raise BundleError(f"a canvas must have a whole width and height; found {values!r}: train the model again.")
        try:
            return cls(*(int(str(side)) for side in sides))
        except OptionError as error:
            raise BundleError(f"{error} The saved model is damaged or foreign.") from error


def canvas_for(sizes: Sequence[tuple[int, int]] | NDArray[Any], longest: int) -> Canvas:
    """The canvas whose longer side is `longest` and whose shape is the middle image's; small images are enlarged.

    sizes: width and height of each image, in pixels.

    >>> canvas_for([(640, 480)], 416)
    Canvas(width=416, height=320)
    """
    width, height = np.median(np.asarray(sizes, np.float64), axis=0)
    scale = longest / max(width, height)
    sides = [min(max(round(side * scale / STRIDE), 1) * STRIDE, LONGEST) for side in (width, height)]
    return Canvas(*sides)


@dataclass(frozen=True, eq=False)
class Laid:
    """An image on a canvas. pixels: (height, width, 3) uint8. size: the width and height that it had, upright."""

    pixels: NDArray[np.uint8]
    size: tuple[int, int]


def load_on_canvas(item: ImageSource, canvas: Canvas, ground: tuple[int, int, int]) -> Laid:
    """Decode an image, turned upright as its EXIF says, and lay it on the canvas; raises `UnreadableImage`."""
    image = read_image(item)
    with reasons():
        return Laid(canvas.lay(image, ground), image.size)

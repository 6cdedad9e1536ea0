"""A canvas to draw a screen on: words, fixed-width cells, boxes, badges, and panes that clip what is drawn in them.

It takes the place and the words and draws them in the theme's colours, in the font that ships with Pillow: the same
calls give the same pixels wherever the same Pillow runs. It lays nothing out by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from headstart.demo.screens.themes import Colour, Theme, on

_CELL = 0.58
"""Width of a fixed-width character, as a share of the font's size."""


class Box(NamedTuple):
    """A rectangle in pixels; right and bottom are just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    def shrunk(self, by: int) -> Box:
        """The box without a margin on each side."""
        return Box(self.left + by, self.top + by, self.right - by, self.bottom - by)

    def rows(self, *shares: float) -> list[Box]:
        """The box cut into boxes above one another whose heights have these shares."""
        edges = _edges(self.top, self.bottom, shares)
        return [Box(self.left, a, self.right, b) for a, b in pairwise(edges)]

    def columns(self, *shares: float) -> list[Box]:
        """The box cut into boxes beside one another whose widths have these shares."""
        edges = _edges(self.left, self.right, shares)
        return [Box(a, self.top, b, self.bottom) for a, b in pairwise(edges)]


class Canvas:
    """An image with what is needed to draw on it; `size` is the font's size in pixels, from which layouts derive."""

    def __init__(self, image: Image.Image, theme: Theme, size: int, random: Random) -> None:
        self.image = image
        self.theme = theme
        self.size = size
        self.random = random
        self.draw = ImageDraw.Draw(image)

    @property
    def box(self) -> Box:
        """The whole canvas."""
        return Box(0, 0, *self.image.size)

    @property
    def row(self) -> int:
        """Height of a line of a table."""
        return round(1.6 * self.size)

    @property
    def cell(self) -> int:
        """Width of a fixed-width character."""
        return max(1, round(_CELL * self.size))

    @contextmanager
    def pane(self, box: Box, fill: Colour | None = None, *, size: int | None = None) -> Iterator[Canvas]:
        """A canvas of its own in a box, with its own origin: what is drawn outside of it is not seen."""
        width, height = max(1, box.width), max(1, box.height)
        inner = Canvas(
            Image.new("RGB", (width, height), fill or self.theme.panel), self.theme, size or self.size, self.random
        )
        yield inner
        self.image.paste(inner.image, (box.left, box.top))

    def text(
        self,
        at: tuple[int, int],
        words: str,
        colour: Colour | None = None,
        *,
        scale: float = 1.0,
        bold: bool = False,
        width: int | None = None,
        align: str = "left",
    ) -> int:
        """Draw a line of words with its top left corner at a place; returns how wide it is.

        width: at most; longer words end in an ellipsis. align: 'left', 'right' or 'centre' within `width`, or about
        the place where there is no width.
        """
        font = font_of(round(self.size * scale))
        text_shown = words if width is None else _cut(words, font, width - bold)
        long = round(font.getlength(text_shown)) + bold
        room = 0 if width is None else width
        x = at[0] + {"left": 0, "centre": (room - long) // 2, "right": room - long}[align]
        ink = colour or self.theme.text
        self.draw.text((x, at[1]), text_shown, ink, font=font)
        if bold:
            self.draw.text((x + 1, at[1]), text_shown, ink, font=font)
        return long

    def cells(self, at: tuple[int, int], words: str, colour: Colour | None = None, *, bold: bool = False) -> int:
        """Draw a line of words in fixed-width cells; returns how wide it is."""
        ink = colour or self.theme.text
        x, y = at
        for place, letter in enumerate(words):
            if letter != " ":
                glyph = _glyph(letter, self.size, self.cell)
                for shift in (0, 1) if bold else (0,):
                    self.image.paste(ink, (x + place * self.cell + shift, y), glyph)
        return len(words) * self.cell

    def rect(self, box: Box, fill: Colour | None = None, outline: Colour | None = None, *, radius: int = 0) -> None:
        """Draw a rectangle, filled, outlined or both; nothing where it is empty."""
        if box.width < 1 or box.height < 1:
            return
        inside = (box.left, box.top, box.right - 1, box.bottom - 1)
        if radius and min(box.width, box.height) > 2 * radius:
            self.draw.rounded_rectangle(inside, radius, fill, outline)
        else:
            self.draw.rectangle(inside, fill, outline)

    def across(self, y: int, colour: Colour | None = None, *, left: int = 0, right: int | None = None) -> None:
        """Draw a horizontal rule."""
        self.draw.line((left, y, (right or self.image.width) - 1, y), colour or self.theme.line)

    def down(self, x: int, top: int, bottom: int, colour: Colour | None = None) -> None:
        """Draw a vertical rule."""
        self.draw.line((x, top, x, bottom - 1), colour or self.theme.line)

    def badge(self, at: tuple[int, int], words: str, fill: Colour, *, scale: float = 0.85, width: int = 0) -> int:
        """Draw words on a filled pill, at least `width` wide; returns how wide it is."""
        font = font_of(round(self.size * scale))
        wide = max(width, round(font.getlength(words)) + round(0.9 * self.size))
        high = round(1.35 * self.size * scale)
        self.rect(Box(at[0], at[1], at[0] + wide, at[1] + high), fill, radius=max(2, high // 4))
        self.text((at[0], at[1] + round(0.06 * high)), words, on(fill), scale=scale, width=wide, align="centre")
        return wide

    def button(self, at: tuple[int, int], words: str, *, chosen: bool = False) -> int:
        """Draw a push button; returns how wide it is."""
        wide, high = self.width_of(words) + self.size, round(1.7 * self.size)
        box = Box(at[0], at[1], at[0] + wide, at[1] + high)
        fill = self.theme.accent if chosen else self.theme.chrome
        self.rect(box, fill, self.theme.line, radius=3)
        ink = on(fill) if chosen else self.theme.text
        self.text((at[0], at[1] + round(0.25 * self.size)), words, ink, width=wide, align="centre")
        return wide

    def width_of(self, words: str, *, scale: float = 1.0) -> int:
        """How wide a line of words would be."""
        return round(font_of(round(self.size * scale)).getlength(words))

    def lines(self, words: str, width: int, *, scale: float = 1.0) -> int:
        """How many lines `wrap_text` would draw in a box of this width."""
        return len(list(_lines(words, font_of(round(self.size * scale)), width)))

    def wrap_text(self, box: Box, words: str, colour: Colour | None = None, *, scale: float = 1.0) -> int:
        """Draw words broken over lines as wide as a box; returns the y below the last line."""
        font, y = font_of(round(self.size * scale)), box.top
        for line in _lines(words, font, box.width):
            self.text((box.left, y), line, colour, scale=scale)
            y += round(1.45 * self.size * scale)
        return y


@lru_cache(maxsize=64)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font at a size in pixels, laid out without the optional libraries that differ between machines."""
    font_found = ImageFont.load_default(max(6, size))
    assert isinstance(font_found, ImageFont.FreeTypeFont)
    return font_found.font_variant(layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _glyph(letter: str, size: int, cell: int) -> Image.Image:
    """A letter's mask in a cell of fixed width: centred, and narrowed where it is too wide."""
    font = font_of(size)
    left, _, right, _ = font.getbbox(letter)
    high = round(1.35 * size)
    mask = Image.new("L", (max(1, round(right - left)) + 2, high), 0)
    ImageDraw.Draw(mask).text((1 - left, 0), letter, 255, font=font)
    if mask.width > cell + 1:
        mask = mask.resize((cell + 1, high), Image.Resampling.BICUBIC)
    inside = Image.new("L", (cell, high), 0)
    inside.paste(mask, ((cell - mask.width) // 2, 0))
    return inside


def _cut(words: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(words) <= width:
        return words
    while words and font.getlength(words + "…") > width:
        words = words[:-1]
    return words + "…" if words else ""


def _lines(words: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    line = ""
    for word in words.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _edges(low: int, high: int, shares: Sequence[float]) -> list[int]:
    whole, reached, edges = sum(shares), 0.0, [low]
    for share in shares:
        reached += share
        edges.append(low + round((high - low) * reached / whole))
    return edges

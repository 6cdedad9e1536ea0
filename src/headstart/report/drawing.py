"""Draws what a model sees into an image: boxes with names and scores, class maps as colours over it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from headstart.data.images.decode import read_image
from headstart.records.boxes import Detections
from headstart.records.masks import ClassMap
from headstart.records.samples import ImageSource

Colour = tuple[int, int, int]
# Okabe and Ito's colours, which colour-blind people tell apart, then the same darker and lighter.
_BASE: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167), (0, 114, 178), (240, 228, 66)),
)
_SHADES = (1.0, 0.6, 1.35, 0.35)
_OVER = 0.55
"""How much of a pixel's colour is its class's."""


def colour_of(label: int) -> Colour:
    """The colour of a class number."""
    base = _BASE[label % len(_BASE)]
    shade = _SHADES[label // len(_BASE) % len(_SHADES)]
    red, green, blue = (min(round(part * shade), 255) for part in base)
    return red, green, blue


def draw_boxes(item: ImageSource, seen: Detections, classes: Sequence[str]) -> Image.Image:
    """The image with a box, a name and a score for everything seen; the surest on top."""
    image = read_image(item).copy()
    pen = ImageDraw.Draw(image)
    width = max(2, round(min(image.size) / 240))
    font = ImageFont.load_default(max(10, round(min(image.size) / 36)))
    for corners, score, label in reversed(list(zip(seen.corners, seen.scores, seen.labels.tolist(), strict=True))):
        colour = colour_of(label)
        left, top, right, bottom = (float(value) for value in corners)
        pen.rectangle((left, top, max(right, left + 1), max(bottom, top + 1)), outline=colour, width=width)
        _write(pen, f"{classes[label]} {score:.2f}", (left, top), colour, font)
    return image


def _write(pen: ImageDraw.ImageDraw, text: str, place: tuple[float, float], colour: Colour, font: Any) -> None:
    """A label above a corner, or inside where there is no room."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    high = bottom - top + 4
    y = place[1] - high if place[1] >= high else place[1]
    x = max(0.0, min(place[0], pen.im.size[0] - (right - left + 6)))
    pen.rectangle((x, y, x + right - left + 6, y + high), fill=colour)
    dark = sum(colour) > 380
    pen.text((x + 3 - left, y + 2 - top), text, fill=(0, 0, 0) if dark else (255, 255, 255), font=font)


def draw_mask(item: ImageSource, labels: ClassMap, classes: Sequence[str]) -> Image.Image:
    """The image under its classes' colours, with their names in a strip below."""
    image = np.asarray(read_image(item), np.float32)
    table = np.array([colour_of(k) for k in range(len(classes))], np.float32)
    over = table[np.clip(labels, 0, None)]
    painted = (labels >= 0) & (labels != _ground(classes))
    mixed = np.where(painted[..., None], over * _OVER + image * (1 - _OVER), image)
    return _with_names(Image.fromarray(mixed.astype(np.uint8)), np.unique(labels[labels >= 0]).tolist(), classes)


def _ground(classes: Sequence[str]) -> int:
    """The number of the class that is called background, which is left as it is; -1 where there is none."""
    return next((k for k, name in enumerate(classes) if name.casefold() == "background"), -1)


def _with_names(image: Image.Image, present: Sequence[int], classes: Sequence[str]) -> Image.Image:
    size = max(11, round(min(image.size) / 30))
    font = ImageFont.load_default(size)
    places, x, y = [], 4, 4
    for label in present:
        wide = round(font.getlength(classes[label])) + size + 14
        if x + wide > image.width and x > 4:
            x, y = 4, y + size + 6
        places.append((x, y, label))
        x += wide
    whole = Image.new("RGB", (image.width, image.height + y + size + 8), (255, 255, 255))
    whole.paste(image, (0, 0))
    pen = ImageDraw.Draw(whole)
    for x, y, label in places:
        top = image.height + y
        pen.rectangle((x, top, x + size, top + size), fill=colour_of(label))
        pen.text((x + size + 4, top), classes[label], fill=(0, 0, 0), font=font)
    return whole


def png_bytes(image: Image.Image) -> bytes:
    """The image as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=4)
    return file.getvalue()


def mask_png(labels: ClassMap, classes: int) -> bytes:
    """A class map as an index PNG with the drawn colours as its palette; void is 255."""
    image = Image.new("P", (labels.shape[1], labels.shape[0]))
    image.frombytes(np.where(labels >= 0, labels, 255).astype(np.uint8).tobytes())  # as they are, never quantised
    image.putpalette([part for k in range(min(classes, 255)) for part in colour_of(k)])
    return png_bytes(image)

"""Masks as files: index images (a class number a pixel) and colour images with a palette, beside their images.

A folder of masks lies beside the folder of its images: train and trainannot, `images` and `masks`, `JPEGImages` and
`SegmentationClass`, `image` and `label`. Names, and colours of colour masks, stand in a table (`class_dict.csv`,
`label_colors.txt`, `classes.txt`, `codes.txt`); without one, classes are named after their numbers or colours. 255 is
void, and so are names such as 'void'; another number by option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.data.images.open import open_image
from headstart.errors import UnreadableImage
from headstart.records.masks import VOID, ClassMap

VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown"})
VOID_NUMBER = 255
MOST_COLOURS = 256
_NAME_FILES = (
    *("class_dict.csv", "label_colors.txt", "label_colours.txt", "labelmap.txt", "palette.txt"),
    *("classes.txt", "codes.txt", "labels.txt", "names.txt"),
)
_HEADERS = frozenset({"name", "names", "class", "label", "# label:color_rgb:parts:actions"})


@dataclass(frozen=True)
class Palette:
    """names: the classes, void ones among them. colours: of each, None for an index mask. spoken: whether a file said
    them."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] | None
    spoken: bool = True


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """A mask as stored: (rows, columns) numbers of an index image, or (rows, columns, 3) colours.

    Raises `UnreadableImage`.
    """
    with open_image(path) as image:
        image.load()
        if image.mode == "1":
            return np.asarray(image.convert("L")) // 255
        if image.mode in ("L", "P"):
            return np.array(image)
        if image.mode in ("I;16", "I"):
            numbers = np.array(image)
            if numbers.max(initial=0) > 255:
                raise UnreadableImage("it has class numbers above 255")
            return numbers.astype(np.uint8)
        return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class MaskFile:
    """One mask file. numbers: class number of each index (256), or of each colour in `colours`."""

    path: Path
    numbers: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...] | None = None

    def read(self) -> ClassMap:
        """The class map; raises `UnreadableImage`."""
        pixels = read_pixels(self.path)
        table = np.asarray(self.numbers, np.int16)
        if self.colours is None:
            return np.asarray(table[pixels if pixels.ndim == 2 else pixels[..., 0]])
        codes = pack(pixels)
        known = pack(np.asarray(self.colours, np.uint8))
        order = np.argsort(known)
        place = np.clip(np.searchsorted(known[order], codes), 0, len(known) - 1)
        found = order[place]
        return np.where(known[found] == codes, table[found], VOID).astype(np.int16)


def pack(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Colours (…, 3) as single numbers."""
    wide = colours.astype(np.int64)
    return np.asarray((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2])


def read_palette(root: Path) -> Palette | None:
    """Names, and colours where they are said, from the first table that lies in the folder; None where there is none.

    A line is `name,r,g,b`, `r g b name`, `name:r,g,b::` (CVAT) or a name alone.
    """
    path = next((root / name for name in _NAME_FILES if (root / name).is_file()), None)
    if path is None:
        return None
    names, colours = [], []
    for line in path.read_text("utf-8", "replace").splitlines():
        words = [word for word in re.split(r"[,;:\t]|\s{2,}|(?<=\d)\s+|\s+(?=\d)", line.strip()) if word.strip()]
        numbers = [int(word) for word in words if word.strip().isdigit()]
        texts = [word.strip() for word in words if not word.strip().isdigit()]
        if not texts or line.strip().casefold() in _HEADERS or texts[0].casefold() in _HEADERS:
            continue
        names.append(texts[0])
        if len(numbers) >= 3 and max(numbers[:3]) < 256:
            colours.append((numbers[0], numbers[1], numbers[2]))
    if not names:
        return None
    return Palette(tuple(names), tuple(colours) if len(colours) == len(names) else None)

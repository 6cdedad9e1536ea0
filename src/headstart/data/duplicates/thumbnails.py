"""Makes a thumbnail of each image and measures a few facts of its quality; decoded once, cached by content.

`make_thumbnails` takes samples and returns `Thumbnails`: grey thumbnails, sizes, darkest and brightest grey, and how
much fine and coarse detail there is. An image that cannot be read is named with the reason. Nothing is judged here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates import thumbnail_cache
from headstart.data.duplicates.alignment import SIDE
from headstart.data.images.decode import read_image, read_remarks
from headstart.data.images.open import open_image
from headstart.device import threads
from headstart.errors import UnreadableImage
from headstart.progress import bar
from headstart.records.arrays import Floats
from headstart.records.samples import Failure, ImageSource, Samples

_NEAR = 256
"""The shorter side at which detail is measured is at most this, in pixels, whatever the image's size."""
_COARSER = 4
_TAIL = 0.001
"""The share of pixels that the darkest and the brightest grey leave out at their ends."""
_CHUNK = 32


@dataclass(frozen=True)
class ImageFacts:
    """What is measured of one image.

    width, height: of the file, in pixels. darkest, brightest: grey levels (0..255) that all but 0.1 % of the pixels
    reach. fine, coarse: variance of the Laplacian, in squared grey levels, at a shorter side of at most 256 pixels and
    of a quarter of that. remarks: what a user should know of how it was read (`data.images.remarks`).
    """

    width: float
    height: float
    darkest: float
    brightest: float
    fine: float
    coarse: float
    remarks: float


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Thumbnails and facts of images, row by row.

    grey: (n, 64, 64) uint8, the whole image squeezed into a square. facts: (n, 7) in the order of `ImageFacts`.
    rows: (n,) row of each among the samples. failures: samples that cannot be read.
    """

    grey: NDArray[np.uint8]
    facts: Floats
    rows: NDArray[np.int64]
    failures: tuple[Failure, ...]

    def fact(self, name: str) -> Floats:
        """One fact of every row, by its name in `ImageFacts`: (n,)."""
        column: Floats = self.facts[:, [field.name for field in fields(ImageFacts)].index(name)]
        return column


def make_thumbnails(samples: Samples, *, cache: bool = True) -> Thumbnails:
    """The thumbnails and facts of all samples that can be read.

    cache: look them up in the cache folder by content, and store the new ones.

    >>> from headstart.data.sources.in_memory import unlabelled_samples
    >>> make_thumbnails(unlabelled_samples([np.zeros((48, 32), np.uint8)]), cache=False).grey.shape
    (1, 64, 64)
    """
    cached = thumbnail_cache.find_thumbnails(samples.content) if cache else {}
    missing = {name: row for row, name in enumerate(samples.content) if name not in cached}
    fresh, reasons = _make_missing(samples, missing)
    if cache:
        thumbnail_cache.store_thumbnails(fresh)
    thumbnails = {**cached, **fresh}
    rows = [row for row, name in enumerate(samples.content) if name in thumbnails]
    failures = tuple(
        Failure(row, samples.names[row], reasons[name]) for row, name in enumerate(samples.content) if name in reasons
    )
    grey = np.empty((len(rows), SIDE, SIDE), np.uint8)
    facts = np.empty((len(rows), len(fields(ImageFacts))), np.float32)
    for place, row in enumerate(rows):
        grey[place], facts[place] = thumbnails[samples.content[row]]
    return Thumbnails(grey, facts, np.array(rows, np.int64), failures)


def _make_missing(
    samples: Samples, missing: dict[str, int]
) -> tuple[dict[str, thumbnail_cache.Thumbnail], dict[str, str]]:
    """Thumbnails and facts of the missing contents, and the reasons of those that cannot be read."""
    names = list(missing)
    fresh: dict[str, thumbnail_cache.Thumbnail] = {}
    reasons: dict[str, str] = {}
    chunks = [names[i : i + _CHUNK] for i in range(0, len(names), _CHUNK)]
    with bar("thumbnails", len(names)) as advance, ThreadPoolExecutor(threads()) as pool:
        for chunk, part in zip(
            chunks, pool.map(lambda chunk: [_try(samples, missing[name]) for name in chunk], chunks), strict=True
        ):
            for name, result in zip(chunk, part, strict=True):
                if isinstance(result, str):
                    reasons[name] = result
                else:
                    fresh[name] = result
            advance(len(chunk))
    return fresh, reasons


def _try(samples: Samples, row: int) -> thumbnail_cache.Thumbnail | str:
    try:
        return make_thumbnail(samples.items[row])
    except UnreadableImage as reason:
        return str(reason)


def make_thumbnail(source: ImageSource) -> thumbnail_cache.Thumbnail:
    """An image's thumbnail (64, 64) and its facts (7,); raises `UnreadableImage`."""
    from PIL import Image

    image = read_image(source, near=_NEAR)
    width, height = _size(source) or image.size
    grey = image.convert("L")
    thumbnail = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    side = min(grey.size)
    if side > _NEAR:
        grey = grey.resize(_scaled(grey.size, _NEAR / side), Image.Resampling.BILINEAR)
    small = grey.resize(_scaled(grey.size, 1 / _COARSER), Image.Resampling.BILINEAR)
    pixels = np.asarray(grey)
    darkest, brightest = _ends(pixels)
    fine, coarse = _detail(pixels), _detail(np.asarray(small))
    facts = ImageFacts(width, height, darkest, brightest, fine, coarse, read_remarks(source))
    return thumbnail, np.array([getattr(facts, field.name) for field in fields(ImageFacts)], np.float32)


def _size(source: ImageSource) -> tuple[int, int] | None:
    """The size that a file declares; None for an image in memory."""
    if not isinstance(source, Path):
        return None
    with open_image(source) as image:
        return image.size


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _ends(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """The grey levels between which all but a small share at each end lie."""
    cumulative = np.cumsum(np.bincount(pixels.ravel(), minlength=256)) / pixels.size
    return int(np.searchsorted(cumulative, _TAIL, side="right")), int(np.searchsorted(cumulative, 1 - _TAIL))


def _detail(pixels: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000); 0 for an image of fewer than 3 pixels a side."""
    if min(pixels.shape) < 3:
        return 0.0
    p = pixels.astype(np.float32)
    # four neighbours minus four times the pixel
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    return float(laplacian.var())

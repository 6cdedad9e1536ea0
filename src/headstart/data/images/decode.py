"""Decodes images: the one path from a file to pixels for training, prediction, export check and serving.

`decode` returns a square (size, size, 3) uint8: first frame, turned as its EXIF says, RGB, shorter side resized and
cropped in one resampling (or the whole squeezed or padded). `read_image` returns the whole image, `read_remarks` what a
user should know of it, `hash_content` the fingerprint of its bytes. An image is a path, a PIL image, an array of
pixels, or a one-dimensional uint8 array that holds an encoded file's bytes.
Whatever is wrong with it is raised as `UnreadableImage`, whose message is the reason alone. Nothing is normalised
here: that happens inside the backbone's graph. Safe to call from threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart import fingerprint
from headstart.data.images import tiff, to_rgb
from headstart.data.images.open import check_file, check_size, open_image, reasons
from headstart.data.images.remarks import Remark
from headstart.data.images.resample import Window, centre_square, resample
from headstart.device import threads
from headstart.errors import UnreadableImage
from headstart.records.samples import ImageSource

DECODING = 3  # Raise when `decode` returns other pixels for the same arguments: a cache must not mix the two.
_MARGIN = 1.4  # JPEG decodes at the smallest scale whose shorter side is this many times the wanted one.
FITS = ("crop", "squeeze", "pad")
"""How an image becomes a square: its centre, the whole of it squeezed, the whole of it with bands at two sides."""
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])
"""Turns of an image that lies on its side: its columns are the upright image's rows."""


def decode(
    source: ImageSource,
    *,
    size: int,
    resize: int,
    interpolation: str = "bicubic",
    fit: str = "crop",
    ground: tuple[int, int, int] = (0, 0, 0),
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """An image as a square: (size, size, 3) uint8, RGB, read-only.

    resize: what the shorter side becomes before the centre is cropped, in pixels; at least `size`. Resizing and
    cropping are one resampling of the pixels inside the crop, along the upright image's rows first. fit: one of
    `FITS`; squeezed and padded images are shown to their edges, whatever `resize` says. ground: the colour of the bands
    of a padded image. A JPEG is decoded at a reduced scale where that leaves enough: less than one grey level away, on
    average, from decoding it whole. window: a smaller part that is shown in place of what the network looks at.
    Raises `UnreadableImage`.
    """
    image = _decoded_image(source, resize if window is None else math.ceil(resize / window.side))
    with reasons():
        width, height = image.extent
        method, lying = FILTERS[interpolation], image.turn in _LYING
        if fit != "crop":
            target, box = _whole(width, height, size, fit), (0.0, 0.0, width, height)
        else:
            target, box = (size, size), centre_square(width, height, size, resize)
        box = box if window is None else window.within(width, height, box)
        part = _upright(resample(image.pixels, target, box, method, columns_first=lying), image.turn).convert("RGB")
        return np.asarray(_centred(part, size, ground))  # a centred square turns after as before


def _whole(width: float, height: float, size: int, fit: str) -> tuple[int, int]:
    """The size of a whole image that fits into a square; squeezed, it fills it."""
    if fit == "squeeze":
        return size, size
    longer = max(width, height)
    return max(1, round(size * width / longer)), max(1, round(size * height / longer))


def _centred(image: Image.Image, size: int, ground: tuple[int, int, int]) -> Image.Image:
    if image.size == (size, size):
        return image
    square = Image.new("RGB", (size, size), ground)
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    return square


def make_square(image: Image.Image, side: int, fit: str, ground: tuple[int, int, int]) -> Image.Image:
    """A whole image, as `read_image` gives it, squeezed or padded to a square of `side` pixels; cropped, it stays."""
    if fit == "crop":
        return image
    box = (0, 0, *image.size)
    whole = resample(image, _whole(*image.size, side, fit), box, Image.Resampling.BICUBIC)
    return _centred(whole, side, ground)


def read_image(source: ImageSource, *, near: int | None = None) -> Image.Image:
    """The whole image as RGB, turned as its EXIF says.

    near: the shorter side that will be needed, in pixels: a JPEG may then come back smaller than it is, with a shorter
    side of at least 1.4 times that. Raises `UnreadableImage`.
    """
    image = _decoded_image(source, near)
    with reasons():
        return _upright(image.pixels, image.turn).convert("RGB")


def read_remarks(source: ImageSource) -> Remark:
    """What a user should know of how an image is read; none for one that cannot be read.

    A JPEG costs a glance at its first bytes, another image its header, one with transparency its pixels.
    """
    try:
        return _remarks(source)
    except UnreadableImage:
        return Remark.NONE


def find_remarks(sources: Sequence[ImageSource]) -> list[Remark]:
    """The remarks of many images, read in threads."""
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(read_remarks, sources))


def _remarks(source: ImageSource) -> Remark:
    if isinstance(source, Path):
        return _remarks_of_encoded(source)
    with reasons():
        if isinstance(source, Image.Image):
            return to_rgb.from_image(source)[1]
        array = _array(source)
        if not _is_encoded(array):
            return to_rgb.from_array(array)[1] if array.ndim == 3 and array.shape[2] == 4 else Remark.NONE
    return _remarks_of_encoded(array.tobytes())


def _remarks_of_encoded(source: Path | bytes) -> Remark:
    with open_image(source) as image:
        if image.format == "JPEG":
            return Remark.NONE
        transparent = image.has_transparency_data
        remark = Remark.CHANNELS if tiff.further_channels(tiff.tags_of(image)) else Remark.NONE
        if tiff.has_pages(image):
            remark |= Remark.PAGES
    if transparent:
        with open_image(source) as image:
            image.load()
            remark |= to_rgb.from_image(image)[1]
    return remark


def hash_content(source: ImageSource) -> str:
    """Fingerprint of an image's bytes: the file's for a path, the pixels' for an image in memory.

    Raises `UnreadableImage` when there are none to read. The image is not decoded, except a PIL image.
    """
    with reasons():
        if isinstance(source, Path):
            check_file(source)
            return fingerprint.hash_file(source)
        if isinstance(source, Image.Image):
            return _content_of_image(source)
        array = _array(source)
        return fingerprint.hash_bytes(array.tobytes()) if _is_encoded(array) else fingerprint.hash_array(array)


def _content_of_image(image: Image.Image) -> str:
    check_size(image.size)
    body = fingerprint.hash_bytes(image.tobytes())
    palette = image.palette.tobytes().hex() if image.palette else ""
    transparent = repr(image.info.get("transparency"))
    return fingerprint.hash_parts(image.mode, image.size, palette, transparent, str(_turn(image)), body)


class _Decoded(NamedTuple):
    """Pixels in mode L or RGB, before they are turned upright.

    extent: width and height that the image fills; a JPEG at reduced scale may end within its last row or column.
    """

    pixels: Image.Image
    extent: tuple[float, float]
    turn: Image.Transpose | None


def _decoded_image(source: ImageSource, near: int | None) -> _Decoded:
    if isinstance(source, Path):
        return _from_encoded(source, near)
    with reasons():
        if isinstance(source, Image.Image):
            return _convert(source, None)
        array = _array(source)
        if not _is_encoded(array):
            image, _ = to_rgb.from_array(array)
            return _Decoded(image, image.size, None)
    return _from_encoded(array.tobytes(), near)


def _from_encoded(source: Path | bytes, near: int | None) -> _Decoded:
    with open_image(source) as image:
        side = math.ceil((near or 0) * _MARGIN)
        reduced = image.draft(None, (side, side)) if near else None
        return _convert(image, reduced[1][2:] if reduced else None)


def _convert(image: Image.Image, extent: tuple[float, float] | None) -> _Decoded:
    check_size(image.size)
    image.load()
    return _Decoded(to_rgb.from_image(image)[0], extent or image.size, _turn(image))


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How the pixels must be turned to stand upright; EXIF data that cannot be read count as absent."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a parser may raise anything on damaged bytes
        return None


def _upright(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _array(source: object) -> NDArray[Any]:
    if not isinstance(source, np.ndarray):
        raise UnreadableImage(f"a {type(source).__name__} is not an image: a path, PIL image or array was expected")
    if source.dtype.kind not in "buif":
        raise UnreadableImage(f"an array of {source.dtype} is not an image: numbers were expected")
    return source


def _is_encoded(array: NDArray[Any]) -> bool:
    return array.ndim == 1 and array.dtype == np.uint8

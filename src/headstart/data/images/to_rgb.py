"""Converts any pixel format to eight-bit grey or RGB.

`from_image` takes a PIL image of any mode, `from_array` an array of numbers; both return a PIL image of mode L or RGB,
with what is to be said of it. Transparency is laid over white, or over black where white would hide everything; whole
numbers are scaled by the white that they declare (never clipped), and formats without a sure meaning (32-bit numbers,
floats outside 0..1) are refused with what was found. Nothing here opens files, turns or resizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.data.images import tiff
from headstart.data.images.remarks import Remark
from headstart.errors import UnreadableImage

_DIRECT = ("CMYK", "YCbCr", "HSV", "LAB", "P", "RGBX")
_MOST_16_BIT = 65535
_ROUNDING = 1e-3
"""How far a float may lie outside 0..1: half as much as half a grey level; arithmetic leaves such traces."""
_OPACITY = 0.5
"""Of real opacity at least this share is wholly transparent or wholly solid."""
_VISIBLE = 32
"""Grey levels between drawing and ground, below which nothing is seen."""


def from_image(image: Image.Image) -> tuple[Image.Image, Remark]:
    """The image in mode L or RGB, and what is to be said of it.

    Raises `UnreadableImage` for a pixel format without a sure meaning.
    """
    mode, tags = image.mode, tiff.tags_of(image)
    tiff.check_layout(tags)
    further = Remark.CHANNELS if tiff.further_channels(tags) else Remark.NONE
    if mode.startswith("I"):
        return _grey(_eight_bit_from_integers(np.asarray(image), image.info.get("transparency"), tags)), further
    if mode == "F":
        values = np.asarray(image)
        return _grey(_eight_bit_from_floats(1 - values if tiff.is_inverted(tags) else values)), further
    if image.has_transparency_data:
        colours, remark = _without_alpha(image)
        return colours, remark | further
    if mode in ("L", "RGB"):
        return image, further
    if mode == "1":
        return image.convert("L"), further
    if mode in _DIRECT:
        return image.convert("RGB"), further
    raise UnreadableImage(f"its pixel format {mode!r} is not supported")


def from_array(array: NDArray[Any]) -> tuple[Image.Image, Remark]:
    """The image in mode L or RGB, and what is to be said of it, from numbers.

    array: (height, width) or (height, width, 1 | 3 | 4). uint8 is taken as it is, uint16 scaled from 0..65535, floats
    from 0..1, booleans are black and white; a fourth channel is opacity. Raises `UnreadableImage` for anything else.

    >>> from_array(np.ones((2, 3), dtype=np.float32))[0].getpixel((0, 0))
    255
    """
    pixels = _eight_bit(_shaped(array))
    if pixels.ndim == 2:
        return _grey(pixels), Remark.NONE
    return from_image(Image.fromarray(np.ascontiguousarray(pixels)))


def _shaped(array: NDArray[Any]) -> NDArray[Any]:
    """The array without a single last channel, once its shape is sure to be an image's."""
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not fits or 0 in array.shape:
        hint = "; move the channels last" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        raise UnreadableImage(
            f"an array of shape {array.shape} is not an image: (height, width) or (height, width, 1, 3 or "
            f"4) was expected{hint}"
        )
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _eight_bit(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return _scaled(array, _MOST_16_BIT)
    if array.dtype.kind == "f":
        return _eight_bit_from_floats(array)
    raise UnreadableImage(
        f"an array of {array.dtype} is not an image: uint8, uint16, bool or floats from 0 to 1 were expected"
    )


def _eight_bit_from_integers(values: NDArray[Any], transparent: Any, tags: tiff.Tags) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    white = tiff.white_level(tags, high, _MOST_16_BIT)
    if low < 0 or high > white:
        raise UnreadableImage(
            f"its values run from {low} to {high}; {white.bit_length()}-bit values (0 to {white}) were expected"
        )
    grey = _scaled(white - values if tiff.is_inverted(tags) else values, white)
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return grey


def _scaled(values: NDArray[Any], white: int) -> NDArray[np.uint8]:
    """round(value * 255 / white), exactly: no half is met, because white is odd."""
    grey: NDArray[np.uint8] = ((values.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    return grey


def _eight_bit_from_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not (low >= -_ROUNDING and high <= 1.0 + _ROUNDING):
        span = "values that are not numbers" if np.isnan(low) else f"values from {low:.4g} to {high:.4g}"
        raise UnreadableImage(f"floating-point pixels must lie between 0 and 1; found {span}")
    pixels: NDArray[np.uint8] = (np.clip(values, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return pixels


def _grey(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels))


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Remark]:
    """Opacity laid over a ground, whether it is a channel, a palette's, or one colour declared transparent.

    Opacity of 0 everywhere counts as absent (a BMP's unused byte). A fourth channel that is mostly neither 0 nor 255 is
    another band than opacity: nothing is lost where its colours are read as they are.
    """
    solid = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    alpha = solid.getchannel("A")
    histogram = np.array(alpha.histogram())
    if histogram[0] == histogram.sum():
        return solid.convert("RGB"), Remark.EMPTY_ALPHA
    if image.info.get(tiff.PREMULTIPLIED):
        if (np.asarray(solid.convert("RGB")).max(axis=2) > np.asarray(alpha)).any():  # no product of colour and opacity
            return solid.convert("RGB"), Remark.CHANNELS
        solid = Image.frombytes("RGBa", solid.size, solid.tobytes()).convert("RGBA")
    elif (histogram > 0).sum() > 1 and histogram[0] + histogram[255] < _OPACITY * histogram.sum():
        return solid.convert("RGB"), Remark.CHANNELS
    over_white = _over(solid, alpha, 255)
    if _contrast(over_white) >= _VISIBLE:
        return over_white, Remark.NONE
    over_black = _over(solid, alpha, 0)
    return (over_black, Remark.BLACK_GROUND) if _contrast(over_black) >= _VISIBLE else (over_white, Remark.NONE)


def _over(solid: Image.Image, alpha: Image.Image, grey: int) -> Image.Image:
    ground = Image.new("RGB", solid.size, (grey, grey, grey))
    ground.paste(solid, mask=alpha)
    return ground


def _contrast(image: Image.Image) -> int:
    """The largest difference between two pixels in any one channel."""
    return max(high - low for low, high in image.getextrema())  # type: ignore[misc]

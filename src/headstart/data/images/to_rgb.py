"""Converts any pixel format to eight-bit grey or RGB.

`from_image` takes a PIL image of any mode, `from_array` an array of numbers; both return a PIL image of mode L or RGB.
Transparency is laid over white, 16-bit values are scaled by their whole range (never clipped), and formats without a
sure meaning (32-bit numbers, floats outside 0..1) are refused with what was found. Nothing here opens files, turns or
resizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.errors import UnreadableImage

_DIRECT = ("CMYK", "YCbCr", "HSV", "LAB", "P", "RGBX")
_MOST_16_BIT = 65535


def from_image(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB; raises `UnreadableImage` for a pixel format without a sure meaning."""
    mode = image.mode
    if mode.startswith("I"):
        return _grey(_eight_bit_from_integers(np.asarray(image), image.info.get("transparency")))
    if mode == "F":
        return _grey(_eight_bit_from_floats(np.asarray(image)))
    if image.has_transparency_data:
        return _over_white(image)
    if mode in ("L", "RGB"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode in _DIRECT:
        return image.convert("RGB")
    raise UnreadableImage(f"its pixel format {mode!r} is not supported")


def from_array(array: NDArray[Any]) -> Image.Image:
    """The image in mode L or RGB from numbers of shape (height, width) or (height, width, 1 | 3 | 4).

    uint8 is taken as it is, uint16 scaled from 0..65535, floats from 0..1, booleans are black and white; a
    fourth channel is opacity, laid over white. Raises `UnreadableImage` for anything else.

    >>> from_array(np.ones((2, 3), dtype=np.float32)).getpixel((0, 0))
    255
    """
    pixels = _eight_bit(_shaped(array))
    if pixels.ndim == 2:
        return _grey(pixels)
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
        return _scaled_from_16_bit(array)
    if array.dtype.kind == "f":
        return _eight_bit_from_floats(array)
    raise UnreadableImage(
        f"an array of {array.dtype} is not an image: uint8, uint16, bool or floats from 0 to 1 were expected"
    )


def _eight_bit_from_integers(values: NDArray[Any], transparent: Any) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _MOST_16_BIT:
        raise UnreadableImage(f"its values run from {low} to {high}; 16-bit values (0 to {_MOST_16_BIT}) were expected")
    grey = _scaled_from_16_bit(values)
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return grey


def _scaled_from_16_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    """round(value * 255 / 65535), exactly: 65535 = 255 * 257."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _eight_bit_from_floats(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 1.0):
        found = "values that are not numbers" if np.isnan(low) else f"values from {low:.4g} to {high:.4g}"
        raise UnreadableImage(f"floating-point pixels must lie between 0 and 1; found {found}")
    return (values * 255.0 + 0.5).astype(np.uint8)


def _grey(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels))


def _over_white(image: Image.Image) -> Image.Image:
    """Opacity laid over white, whether it is a channel, a palette's, or one colour declared transparent."""
    solid = image.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(solid, mask=solid.getchannel("A"))
    return white

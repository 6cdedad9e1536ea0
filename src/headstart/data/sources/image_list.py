"""Many images from whatever stands for many in Python: one image alone is refused, with what to write instead.

`image_list` is the one way in for everything that predicts: paths, PIL images and arrays in any sequence or iterator.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.sources.places import check_place
from headstart.errors import DataError, OptionError
from headstart.records.samples import ImageSource

_CHANNELS = (1, 3, 4)


def image_list(images: Any) -> list[ImageSource]:
    """The images one by one; an iterator is read to its end.

    images: paths (text too), PIL images or arrays in a list, a tuple, a generator, an array or one column of a table;
    or one array (n, height, width[, 1|3|4]). Raises `OptionError` for a single image, `DataError` for an item that is
    none.

    >>> image_list(name for name in ["a.png"])
    [PosixPath('a.png')]
    """
    _refuse_one(images)
    return [_image(item, row) for row, item in enumerate(_column(images))]


def _refuse_one(images: Any) -> None:
    """Raise `OptionError` where `images` is one image, or nothing that holds images."""
    if isinstance(images, (str, os.PathLike)):
        raise OptionError(
            f"images must be a list of images; found the single path {str(images)!r}: write [{str(images)!r}]."
        )
    if isinstance(images, Image.Image):
        raise OptionError("images must be a list of images; found a single PIL image: write [image].")
    if isinstance(images, np.ndarray) and images.dtype != object and _is_one(images):
        raise OptionError(f"images must be a list of images; found one array of shape {images.shape}: write [image].")
    if isinstance(images, (bytes, dict)) or not isinstance(images, Iterable):
        raise OptionError(f"images must be a list of images; found a {type(images).__name__}.")


def _is_one(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array of numbers is one image: (height, width) or (height, width, channels)."""
    if array.dtype.kind not in "buif":
        return False
    return array.ndim < 3 or (array.ndim == 3 and array.shape[2] in _CHANNELS)


def _column(images: Any) -> Iterable[Any]:
    """The items; of a table or array with a single column, that column."""
    if getattr(images, "ndim", 1) == 2 and hasattr(images, "columns"):  # a DataFrame iterates over its column names
        if images.shape[1] != 1:
            raise OptionError(
                f"images must be one column; found a table with {images.shape[1]}: write table['path'], say."
            )
        return images.iloc[:, 0].tolist()  # type: ignore[no-any-return]
    if isinstance(images, np.ndarray) and images.ndim == 2 and images.shape[1] == 1:
        return images[:, 0].tolist()  # type: ignore[no-any-return]
    return images  # type: ignore[no-any-return]


def _image(item: Any, row: int) -> ImageSource:
    if isinstance(item, (str, os.PathLike)):
        check_place(os.fspath(item), f"image {row}")
        return Path(item)
    if isinstance(item, (Image.Image, np.ndarray)):
        return item
    raise DataError(f"image {row} is a {type(item).__name__}: a path, a PIL image or a numpy array was expected.")

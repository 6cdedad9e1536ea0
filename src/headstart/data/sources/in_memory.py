"""Reads images with labels from Python: paths, PIL images, arrays, or one array of them all.

`load_images` returns a labelled `Dataset`, `unlabelled_samples` the same images as unlabelled `Samples`. Nothing is
opened or decoded here beyond what a fingerprint needs; a path that does not exist is reported when it is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.sources.dataset import Dataset, assemble_dataset
from headstart.errors import DataError, OptionError
from headstart.records.samples import ImageSource, Samples


def load_images(images: Any, labels: Any, *, groups: Any = None) -> Dataset:
    """Labelled images: paths, PIL images, arrays, or one array (n, height, width[, 1|3|4]); a label each.

    Labels are names or whole numbers (which become text); groups likewise. Raises `DataError` for a label
    that is missing or not one an image, `OptionError` without labels.
    """
    if labels is None:
        raise OptionError("labels must be given with a sequence of images, one for each; found none.")
    sources, names = _named_sources(images)
    pairs = zip(_one_each(labels, sources, "label"), names, strict=True)
    label_texts = [label_text(label, f"the label of {name}") for label, name in pairs]
    group_texts = None
    if groups is not None:
        group_texts = ["" if _absent(group) else str(group) for group in _one_each(groups, sources, "group")]
    return Dataset(assemble_dataset(sources, names, label_texts, groups=group_texts))


def unlabelled_samples(images: Any) -> Samples:
    """The images without labels."""
    return assemble_dataset(*_named_sources(images), None)


def label_text(label: Any, what: str) -> str:
    """A label as text: a whole number without a fraction, any other value as it prints.

    >>> label_text(3.0, "the label"), label_text(" cat ", "the label")
    ('3', 'cat')
    """
    if _absent(label):
        raise DataError(f"{what} is missing: give every image a label.")
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    text = str(label).strip()
    if not text:
        raise DataError(f"{what} is empty: give every image a label.")
    return text


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value))


def _named_sources(images: Any) -> tuple[list[ImageSource], list[str]]:
    sources = [_source(item, row) for row, item in enumerate(_items(images))]
    if not sources:
        raise DataError("a sequence of images was expected; found an empty one.")
    base = _common_folder([str(source.parent) for source in sources if isinstance(source, Path)])
    return sources, [_name(source, row, base) for row, source in enumerate(sources)]


def _items(images: Any) -> Iterable[Any]:
    if isinstance(images, np.ndarray):
        if images.dtype.kind in "buif" and not _is_batch(images.shape):
            raise DataError(
                f"an array of shape {images.shape} is not a set of images: (n, height, width) or (n, "
                "height, width, 1, 3 or 4) was expected."
            )
        return list(images)
    if isinstance(images, (str, bytes, os.PathLike, Image.Image)) or not hasattr(images, "__len__"):
        raise DataError(f"a sequence of images was expected; found a {type(images).__name__}.")
    return list(images)


def _is_batch(shape: tuple[int, ...]) -> bool:
    return (len(shape) == 3 and shape[2] not in (1, 3, 4)) or (len(shape) == 4 and shape[3] in (1, 3, 4))


def _source(item: Any, row: int) -> ImageSource:
    if isinstance(item, (str, os.PathLike)):
        return Path(item)
    if isinstance(item, (Image.Image, np.ndarray)):
        return item
    raise DataError(f"image {row} is a {type(item).__name__}: a path, a PIL image or a numpy array was expected.")


def _common_folder(parents: Sequence[str]) -> str | None:
    """The folder that all paths lie in, to leave out of their names; None where there is no such folder."""
    try:
        return os.path.commonpath(parents)
    except ValueError:
        return None


def _name(image: ImageSource, row: int, base: str | None) -> str:
    if not isinstance(image, Path):
        return f"image {row}"
    return Path(os.path.relpath(image, base)).as_posix() if base else image.as_posix()


def _one_each(values: Any, images: Sequence[Any], noun: str) -> Sequence[Any]:
    listed = list(values)
    if len(listed) != len(images):
        raise DataError(
            f"one {noun} for each image was expected; found {len(listed):,} {noun}s for {len(images):,} images."
        )
    return listed

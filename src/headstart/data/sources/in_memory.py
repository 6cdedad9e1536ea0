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

from headstart.data.sources.class_names import unify_classes
from headstart.data.sources.dataset import Dataset, assemble_dataset
from headstart.data.sources.places import check_place
from headstart.data.sources.values import group_text, is_frame, label_text, one_column
from headstart.errors import DataError, OptionError
from headstart.records.samples import ImageSource, Samples


def load_images(images: Any, labels: Any, *, groups: Any = None) -> Dataset:
    """Labelled images: paths, PIL images, arrays, or one array (n, height, width[, 1|3|4]); a label each.

    Labels are names or whole numbers (which become text); groups likewise, one that is missing is a group of its own.
    Both may be lists, arrays (n,) or (n, 1), series, or data frames of one column. Raises `DataError` for a label
    that is missing or not one an image, `OptionError` without labels.
    """
    if labels is None:
        raise OptionError("labels must be given with a sequence of images, one for each; found none.")
    sources, names = _named_sources(images)
    values = _one_each(labels, sources, "label")
    texts = [label_text(value, f"the label of {_place(names[row], row)}") for row, value in enumerate(values)]
    texts, notes = unify_classes(texts)
    group_texts = None
    if groups is not None:
        group_texts = [group_text(group) for group in _one_each(groups, sources, "group")]
    return Dataset(assemble_dataset(sources, names, texts, groups=group_texts), {}, notes)


def _place(name: str, row: int) -> str:
    """An image by its row, counted from 0, and its name where that says more."""
    return name if name == f"image {row}" else f"image {row} ({name})"


def unlabelled_samples(images: Any) -> Samples:
    """The images without labels."""
    return assemble_dataset(*_named_sources(images), None)


def _named_sources(images: Any) -> tuple[list[ImageSource], list[str]]:
    sources = [_source(item, row) for row, item in enumerate(_items(images))]
    if not sources:
        raise DataError("a sequence of images was expected; found an empty one.")
    base = _common_folder([str(source.parent) for source in sources if isinstance(source, Path)])
    return sources, [_name(source, row, base) for row, source in enumerate(sources)]


def _items(images: Any) -> Iterable[Any]:
    if is_frame(images):
        return one_column(images, "path")
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
        check_place(os.fspath(item), f"image {row}")
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
    listed = one_column(values, noun)
    if len(listed) != len(images):
        raise DataError(
            f"one {noun} for each image was expected; found {len(listed):,} {noun}s for {len(images):,} images."
        )
    return listed

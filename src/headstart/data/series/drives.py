"""Frames of drives, films and scans among images with boxes or masks: by the words before the number of their names.

Such images have no class of their own, so `data.series.find`, which looks within classes, cannot be asked. Names count
where they hold most images in three groups or more, and where neighbours of a name look more alike than strangers do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.data.series.keys import before_last_number, folder_keys, to_first_number
from headstart.metrics.auroc import auroc
from headstart.records.arrays import Floats, Ints

_COVERED = 0.8
_FEWEST_GROUPS, _FEWEST_PAIRS = 3, 10
_AGREES = 0.75
_MOST_PAIRS = 3000
_SPLITS = ("train", "test", "val", "valid", "validation", "images")


def find_drives(names: Sequence[str], grey: NDArray[np.uint8]) -> Ints | None:
    """(n,) a number for each image, equal for frames of one drive; None where nothing speaks for drives.

    names: of the images. grey: (n, 64, 64) their thumbnails.
    """
    plain = [name.rpartition("/")[2] for name in names]  # a folder may be a split
    views = _views(grey)
    for keys in (before_last_number(plain), to_first_number(plain), _folders(names)):
        numbers = np.unique([key or f"\0{row}" for row, key in enumerate(keys)], return_inverse=True)[1]
        if _hold_most(numbers) and _agree(views, numbers):
            return numbers.astype(np.int64)
    return None


def _folders(names: Sequence[str]) -> list[str]:
    """The folder of each image, '' where it may be a split's."""
    return [key if key.rpartition("/")[2].casefold() not in _SPLITS else "" for key in folder_keys(names)]


def _hold_most(numbers: Ints) -> bool:
    sizes = np.bincount(numbers)
    several = int((sizes > 1).sum())
    return bool((sizes[numbers] > 1).mean() >= _COVERED and _FEWEST_GROUPS <= several <= len(numbers) // 3)


def _views(grey: NDArray[np.uint8]) -> Floats:
    """Thumbnails of 16 x 16, less their mean, of length one."""
    small = grey.reshape(len(grey), 16, 4, 16, 4).mean(axis=(2, 4)).reshape(len(grey), -1).astype(np.float32)
    small -= small.mean(axis=0)
    return np.asarray(small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6))


def _agree(views: Floats, numbers: Ints) -> bool:
    """Whether neighbours of a group are nearer than images of two groups, in most cases."""
    order = np.argsort(numbers, kind="stable")
    together = numbers[order[:-1]] == numbers[order[1:]]
    near = np.stack([order[:-1][together], order[1:][together]], axis=1)[:_MOST_PAIRS]
    one, other = np.random.default_rng(0).integers(len(numbers), size=(2, _MOST_PAIRS))
    apart = numbers[one] != numbers[other]
    if len(near) < _FEWEST_PAIRS or apart.sum() < _FEWEST_PAIRS:
        return False
    strangers = np.einsum("ij,ij->i", views[one[apart]], views[other[apart]])
    return auroc(strangers, np.einsum("ij,ij->i", views[near[:, 0]], views[near[:, 1]])) >= _AGREES

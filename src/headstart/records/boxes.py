"""Boxes: any number of labelled rectangles an image, and what was detected in images.

`Boxes` is the target of detection, `Detections` what a model says of one image. Coordinates are pixels of the upright
image: left, top, right, bottom. An image without objects is data like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.records.arrays import Ints, require


@dataclass(frozen=True, eq=False)
class Boxes:
    """Labelled rectangles of n images, those of one image together.

    image: (m,) the row of each object's image, ascending. corners: (m, 4) float64 left, top, right, bottom, in pixels.
    labels: (m,) index into `names`. ignored: (m,) objects that count neither for nor against (crowds, 'difficult').
    sizes: (n, 2) width and height of each image, in pixels. names: the K classes.
    """

    image: Ints
    corners: NDArray[np.float64]
    labels: Ints
    ignored: NDArray[np.bool_]
    sizes: Ints
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        m = len(self.image)
        require(self.corners.shape == (m, 4) and len(self.labels) == len(self.ignored) == m, "one line an object")
        require(m == 0 or bool((np.diff(self.image) >= 0).all()), "objects of an image lie together")
        require(m == 0 or int(self.labels.max()) < len(self.names), "labels lie within the classes")

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def values(self) -> Ints:
        """(n, K) how many objects of each class an image has; ignored ones do not count."""
        counts = np.zeros((len(self), len(self.names)), np.int64)
        np.add.at(counts, (self.image[~self.ignored], self.labels[~self.ignored]), 1)
        return counts

    def of(self, row: int) -> slice:
        """Where the objects of an image stand."""
        low, high = np.searchsorted(self.image, [row, row + 1])
        return slice(int(low), int(high))

    def take(self, rows: NDArray[Any]) -> Boxes:
        """The boxes of these images (indices or a boolean mask)."""
        index = np.arange(len(self))[rows]
        parts = [np.arange(self.of(row).start, self.of(row).stop) for row in index.tolist()]
        lines = np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int64)
        image = np.repeat(np.arange(len(index)), [len(part) for part in parts]).astype(np.int64)
        return replace(
            self,
            image=image,
            corners=self.corners[lines],
            labels=self.labels[lines],
            ignored=self.ignored[lines],
            sizes=self.sizes[index],
        )

    def strata(self) -> Ints:
        """(n,) the rarest class that the image has, K where it has none: folds spread what is scarce."""
        return rarest(self.values > 0)

    def fingerprint(self) -> str:
        """Equal for equal boxes of equal classes in the same order."""
        arrays = (self.image, self.corners, self.labels, self.ignored, self.sizes)
        return fingerprint.hash_parts(list(self.names), *(fingerprint.hash_array(array) for array in arrays))

    def describe(self) -> dict[str, int]:
        """How many images have an object of each class."""
        return dict(zip(self.names, (self.values > 0).sum(axis=0).tolist(), strict=True))

    def objects(self) -> dict[str, int]:
        """How many objects each class has."""
        return dict(zip(self.names, self.values.sum(axis=0).tolist(), strict=True))


def rarest(present: NDArray[np.bool_]) -> Ints:
    """(n,) the rarest class present in each row of (n, K), K where none is.

    >>> rarest(np.array([[True, True], [True, False], [False, False]])).tolist()
    [1, 0, 2]
    """
    order = np.argsort(present.sum(axis=0), kind="stable")
    first = order[present[:, order].argmax(axis=1)]
    return np.asarray(np.where(present.any(axis=1), first, present.shape[1]), np.int64)


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects that a model sees in one image, the surest first.

    corners: (d, 4) left, top, right, bottom, in pixels. scores: (d,) 0 to 1. labels: (d,) index into the model's
    classes.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: Ints

    def __post_init__(self) -> None:
        require(self.corners.shape == (len(self.scores), 4) and len(self.labels) == len(self.scores), "one line each")

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Detections:
        """Those whose score is at least this."""
        mask = self.scores >= threshold
        return Detections(self.corners[mask], self.scores[mask], self.labels[mask])

    @classmethod
    def none(cls) -> Detections:
        """An image in which nothing is seen."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))


def boxes_from_lists(
    objects: Sequence[Sequence[tuple[int, Sequence[float], bool]]], sizes: Any, names: Sequence[str]
) -> Boxes:
    """Boxes from a list an image of (class number, corners, ignored). sizes: (n, 2) width and height."""
    lines = [(row, *entry) for row, entries in enumerate(objects) for entry in entries]
    return Boxes(
        np.array([line[0] for line in lines], np.int64),
        np.array([line[2] for line in lines], np.float64).reshape(-1, 4),
        np.array([line[1] for line in lines], np.int64),
        np.array([line[3] for line in lines], bool),
        np.asarray(sizes, np.int64).reshape(-1, 2),
        tuple(names),
    )

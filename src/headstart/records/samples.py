"""Samples: labelled examples in a fixed order; and failures, examples that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.records.arrays import Ints, require

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageSource: TypeAlias = Path | Image | NDArray[Any]
else:
    ImageSource = object

UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with their labels, in a fixed order.

    images: where each picture is: a path, a PIL image, or a uint8/uint16/float array (height, width[, 1|3|4]).
    names: what to call each in messages and tables (a relative path, or `image 17`).
    content: fingerprint of each picture's bytes (equal content, equal fingerprint).
    labels: (n,) index into `classes`; -1 where unlabelled.
    classes: class names, sorted.
    groups: (n,) rows with equal numbers belong together and never part between folds; None where every row is alone.
    splits: (n,) 'train', 'val' or 'test' for each row; None where the data came without a split.
    """

    images: tuple[ImageSource, ...]
    names: tuple[str, ...]
    content: tuple[str, ...]
    labels: Ints
    classes: tuple[str, ...]
    groups: Ints | None = None
    splits: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        require(len(self.names) == len(self.content) == len(self.labels) == n, "one name, hash and label an image")
        require(self.groups is None or len(self.groups) == n, "one group an image")
        require(self.splits is None or len(self.splits) == n, "one split an image")
        require(n == 0 or int(self.labels.max()) < len(self.classes), "labels lie within the classes")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[Any] | Sequence[int]) -> Samples:
        """The samples at `rows` (indices or a boolean mask), with the same classes."""
        index = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            images=tuple(self.images[i] for i in index),
            names=tuple(self.names[i] for i in index),
            content=tuple(self.content[i] for i in index),
            labels=self.labels[index],
            groups=None if self.groups is None else self.groups[index],
            splits=None if self.splits is None else self.splits[index],
        )

    def counts(self) -> dict[str, int]:
        """How many images each class has, in the order of `classes`."""
        found = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist(), strict=True))

    def fingerprint(self) -> str:
        """Fingerprint of the pictures' contents with their labels, in this order."""
        labels = [self.classes[i] if i >= 0 else None for i in self.labels]
        return fingerprint.hash_parts(list(self.content), labels)


@dataclass(frozen=True)
class Failure:
    """An image that could not be read: its row among the samples, its name, and why."""

    row: int
    name: str
    reason: str

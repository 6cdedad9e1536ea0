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
from headstart.records.targets import UNLABELLED as UNLABELLED
from headstart.records.targets import Classes, Target, class_numbers

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageSource: TypeAlias = Path | Image | NDArray[Any]
else:
    ImageSource = object


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with their labels, in a fixed order.

    items: where each image is: a path, a PIL image, or a uint8/uint16/float array (height, width[, 1|3|4]).
    names: what to call each in messages and tables (a relative path, or `image 17`).
    content: fingerprint of each image's bytes (equal content, equal fingerprint).
    target: their labels.
    groups: (n,) rows with equal numbers belong together and never part between folds; None where every row is alone.
    splits: (n,) 'train', 'val' or 'test' for each row; None where the data came without a split.
    """

    items: tuple[ImageSource, ...]
    names: tuple[str, ...]
    content: tuple[str, ...]
    target: Target
    groups: Ints | None = None
    splits: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.items)
        require(len(self.names) == len(self.content) == len(self.target) == n, "one name, hash and label an image")
        require(self.groups is None or len(self.groups) == n, "one group an image")
        require(self.splits is None or len(self.splits) == n, "one split an image")

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[Any] | Sequence[int]) -> Samples:
        """The samples at `rows` (indices or a boolean mask), with the same names to predict."""
        index = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            items=tuple(self.items[i] for i in index),
            names=tuple(self.names[i] for i in index),
            content=tuple(self.content[i] for i in index),
            target=self.target.take(index),
            groups=None if self.groups is None else self.groups[index],
            splits=None if self.splits is None else self.splits[index],
        )

    @property
    def labels(self) -> Ints:
        """(n,) index into `classes`, -1 where unlabelled; of samples whose target is classes."""
        return class_numbers(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what can be predicted."""
        return self.target.names

    def counts(self) -> dict[str, int]:
        """How many images carry each name, in the order of `classes`."""
        return self.target.describe()

    def fingerprint(self) -> str:
        """Fingerprint of the images' contents with their labels, in this order."""
        if isinstance(self.target, Classes):
            return fingerprint.hash_parts(list(self.content), self.target.written())
        return fingerprint.hash_parts(list(self.content), self.target.fingerprint())


@dataclass(frozen=True)
class Failure:
    """An image that could not be read: its row among the samples, its name, and why."""

    row: int
    name: str
    reason: str

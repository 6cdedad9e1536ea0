"""What is to be predicted, one record a kind of label: `Classes` (one a row), `Tags` (several a row).

`Boxes` and `Masks` stand in files of their own beside this one.

Everything that compares, resamples or saves asks a target through the four methods of `Target` alone, so a new kind of
label is a new record here, its metrics, and a task; no other room changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.errors import InternalError
from headstart.records.arrays import Ints, require

UNLABELLED = -1
"""The number that stands where a row has no class."""


@runtime_checkable
class Target(Protocol):
    """The labels of n rows."""

    def __len__(self) -> int:
        """How many rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """What can be predicted: the K classes or tags."""

    @property
    def values(self) -> NDArray[Any]:
        """What a head learns: (n,) class numbers, or (n, K)."""

    def take(self, rows: NDArray[Any]) -> Self:
        """The labels of these rows (indices or a boolean mask)."""

    def strata(self) -> Ints:
        """(n,) what folds keep even."""

    def fingerprint(self) -> str:
        """Equal for equal labels in the same order."""

    def describe(self) -> dict[str, int]:
        """How many rows carry each name."""


@dataclass(frozen=True, eq=False)
class Classes:
    """One class a row.

    labels: (n,) index into `names`; -1 where unlabelled. names: the classes, sorted.
    """

    labels: Ints
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        require(len(self.labels) == 0 or int(self.labels.max()) < len(self.names), "labels lie within the classes")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def values(self) -> Ints:
        """(n,) the class numbers."""
        return self.labels

    def take(self, rows: NDArray[Any]) -> Classes:
        """The labels of these rows (indices or a boolean mask)."""
        return replace(self, labels=self.labels[rows])

    def strata(self) -> Ints:
        """(n,) the class numbers: folds hold every class in its share."""
        return self.labels

    def written(self) -> list[str | None]:
        """The name of each row's class; None where it has none."""
        return [self.names[i] if i >= 0 else None for i in self.labels.tolist()]

    def fingerprint(self) -> str:
        """Equal for equal class names in the same order."""
        return fingerprint.hash_parts(self.written())

    def describe(self) -> dict[str, int]:
        """How many rows each class has, in the order of `names`."""
        counts = np.bincount(self.labels[self.labels >= 0], minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))


def class_numbers(target: Target) -> Ints:
    """(n,) index into the target's names, -1 where unlabelled; of classes only."""
    if not isinstance(target, Classes):
        raise InternalError(f"class numbers were asked of {type(target).__name__}.")
    return target.labels


@dataclass(frozen=True, eq=False)
class Tags:
    """Any number of tags a row.

    present: (n, K) whether the row carries the tag. names: the K tags.
    """

    present: NDArray[np.bool_]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        require(self.present.ndim == 2 and self.present.shape[1] == len(self.names), "one column a tag")

    def __len__(self) -> int:
        return len(self.present)

    @property
    def values(self) -> NDArray[np.bool_]:
        """(n, K) whether each row carries each tag."""
        return self.present

    def take(self, rows: NDArray[Any]) -> Tags:
        """The labels of these rows (indices or a boolean mask)."""
        return replace(self, present=self.present[rows])

    def strata(self) -> Ints:
        """(n,) the rarest tag that the row carries, K where it carries none: folds spread what is scarce."""
        rarest_first = np.argsort(self.present.sum(axis=0), kind="stable")
        first: Ints = self.present[:, rarest_first].argmax(axis=1)
        return np.where(self.present.any(axis=1), rarest_first[first], len(self.names)).astype(np.int64)

    def fingerprint(self) -> str:
        """Equal for equal tags in the same order."""
        return fingerprint.hash_parts(list(self.names), fingerprint.hash_array(self.present))

    def describe(self) -> dict[str, int]:
        """How many rows carry each tag."""
        return dict(zip(self.names, self.present.sum(axis=0).tolist(), strict=True))

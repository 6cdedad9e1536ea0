"""What is learnt from: the rows that take part in a comparison, built once and handed on whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from headstart.errors import InternalError
from headstart.records.arrays import Floats, Ints, require
from headstart.records.targets import Target, class_numbers


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with their labels and folds.

    target: the labels, of n rows. folds: (repeats, n) the fold of each row, 0 or more; -1 for a row that is only
    trained on. groups: (n,) rows with equal numbers never part between folds; None where every row is alone.
    content: the fingerprint of each row's image; empty where nobody needs it.
    X: (n, d) what the fitted head looks at; None before one was chosen, or where a fine-tuned network stands between.
    weights: fingerprints of the backbones that X comes from.
    """

    target: Target
    folds: Ints
    groups: Ints | None = None
    content: tuple[str, ...] = ()
    X: Floats | None = None
    weights: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.target)
        require(self.folds.ndim == 2 and self.folds.shape[1] == n, "folds have the shape (repeats, n)")
        require(self.groups is None or len(self.groups) == n, "one group a row")
        require(not self.content or len(self.content) == n, "one fingerprint a row")
        require(self.X is None or len(self.X) == n, "one vector a row")

    def __len__(self) -> int:
        return len(self.target)

    @property
    def labels(self) -> Ints:
        """(n,) class numbers, where classes are what is predicted."""
        return class_numbers(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what can be predicted."""
        return self.target.names

    @property
    def features(self) -> Floats:
        """(n, d) what the fitted head looks at."""
        if self.X is None:
            raise InternalError("these rows hold no features.")
        return self.X

    @property
    def fold_count(self) -> int:
        """How many folds a repeat has."""
        return int(self.folds.max()) + 1

    def seen_as(self, X: Floats | None, weights: tuple[str, ...]) -> Rows:
        """The same rows with what a head looks at."""
        return replace(self, X=X, weights=weights)

    def take(self, index: Ints) -> Rows:
        """The rows at these positions."""
        return replace(
            self,
            target=self.target.take(index),
            folds=self.folds[:, index],
            groups=None if self.groups is None else self.groups[index],
            content=tuple(self.content[i] for i in index) if self.content else (),
            X=None if self.X is None else self.X[index],
        )

    def first_folds(self, count: int) -> Rows:
        """The rows that the first `count` folds of the first repeat hold out, with that repeat alone."""
        first = replace(self, folds=self.folds[:1])
        return first.take(np.flatnonzero((self.folds[0] >= 0) & (self.folds[0] < count)))

    def without(self, content: set[str]) -> Rows:
        """The rows of other images than these."""
        return self.take(np.flatnonzero([mark not in content for mark in self.content]))

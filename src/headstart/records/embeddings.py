"""Embeddings: what a backbone says of each image, one array a tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import first_lines, quantity
from headstart.records.arrays import Floats, Ints, require
from headstart.records.notebook import NotebookText
from headstart.records.samples import Failure


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings(NotebookText):
    """What a backbone says of each image: pooled activations, one float32 array (n, width) a tap.

    backbone: the backbone's name.
    taps: tap name → (n, width), earliest tap first, the usual embedding last.
    rows: (n,) which of the asked images each row is (unreadable ones are left out).
    failures: the images left out.
    cached: how many rows came from the cache.
    """

    backbone: str
    taps: Mapping[str, Floats]
    rows: Ints
    failures: tuple[Failure, ...] = ()
    cached: int = 0

    def __repr__(self) -> str:
        head = f"Embeddings of {quantity(len(self), 'image')} by {self.backbone}, {len(self.failures):,} unreadable"
        return first_lines("\n".join([head, *(f"{tap}: {rows.shape[1]:,} numbers" for tap, rows in self.taps.items())]))

    def __post_init__(self) -> None:
        require(all(len(v) == len(self.rows) for v in self.taps.values()), "one row an image in every tap")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def last(self) -> Floats:
        """The last tap's rows: what is usually called the embedding."""
        return self.taps[next(reversed(list(self.taps)))]

    def joined(self, taps: Sequence[str] | None = None) -> Floats:
        """The rows of several taps side by side (all of them by default)."""
        return np.concatenate([self.taps[name] for name in (taps or self.taps)], axis=1)

    def aligned(self, tap: str | None = None) -> Floats:
        """A tap's numbers with a row for every image that was asked for, in order: NaN for one that could not be read.

        tap: the last one by default. Of embeddings as they were made, not of some that were taken from them.
        """
        rows = self.last if tap is None else self.taps[tap]
        table = np.full((len(self) + len(self.failures), rows.shape[1]), np.nan, np.float32)
        table[self.rows] = rows
        return table

    def take(self, rows: NDArray[Any]) -> Embeddings:
        """The embeddings at these positions (indices or a boolean mask)."""
        return replace(self, taps={k: v[rows] for k, v in self.taps.items()}, rows=self.rows[rows])

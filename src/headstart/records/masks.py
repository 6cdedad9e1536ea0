"""Masks: a class a pixel. The maps stay where they are (files, polygons) and are read one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.records.arrays import Ints, require
from headstart.records.boxes import rarest

VOID = -1
"""The class number of a pixel that counts neither for nor against."""

ClassMap = NDArray[np.int16]
"""(rows, columns) a class number a pixel, -1 where it is void."""


class MapSource(Protocol):
    """Where the class map of one image is."""

    def read(self) -> ClassMap:
        """The map, read now."""


@dataclass(frozen=True, eq=False)
class ArrayMap:
    """A class map in memory."""

    array: ClassMap

    def read(self) -> ClassMap:
        """The map."""
        return self.array


@dataclass(frozen=True, eq=False)
class Masks:
    """Class maps of n images.

    maps: where they are. pixels: (n, K) how many pixels of each class an image has. content: a fingerprint a map.
    names: the K classes.
    """

    maps: tuple[MapSource, ...]
    pixels: Ints
    content: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        require(self.pixels.shape == (len(self.maps), len(self.names)), "one count a class and image")
        require(len(self.content) == len(self.maps), "one fingerprint a map")

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def values(self) -> Ints:
        """(n, K) how many pixels of each class an image has."""
        return self.pixels

    def take(self, rows: NDArray[Any]) -> Masks:
        """The masks of these images (indices or a boolean mask)."""
        index = np.arange(len(self))[rows]
        maps, content = (tuple(column[i] for i in index.tolist()) for column in (self.maps, self.content))
        return replace(self, maps=maps, pixels=self.pixels[index], content=content)

    def strata(self) -> Ints:
        """(n,) the rarest class that the image shows, K where it shows none."""
        return rarest(self.pixels > 0)

    def fingerprint(self) -> str:
        """Equal for equal maps of equal classes in the same order."""
        return fingerprint.hash_parts(list(self.names), list(self.content))

    def describe(self) -> dict[str, int]:
        """How many images show each class."""
        return dict(zip(self.names, (self.pixels > 0).sum(axis=0).tolist(), strict=True))

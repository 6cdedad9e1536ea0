"""Distance to the k-th nearest training row: a novelty score that assumes no shape of the classes (Sun et al. 2022).

Rows are brought to length one, so the distance is between directions. At most a few thousand rows are kept, as
float16. Scoring needs numpy alone. Models of before `by_layer` hold it and are still opened; beside that it is what the
score by layer is measured against (benchmarks/novelty.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.data.sampling import stratified_subsample
from headstart.heads.forms.arrays import row_blocks, unit_rows
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays

MOST_ROWS = 2000
"""Reference rows kept: 5 MB at 1,280 features."""
_ROWS_A_NEIGHBOUR = 500
_MOST_NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class NearestDistance:
    """Euclidean distance, 0 to 2, to the k-th nearest stored row after both are brought to length one.

    stored: (m, d), of length one. k: which neighbour, 1 to m.
    """

    kind: ClassVar[str] = "nearest"
    layout: ClassVar[Layout] = {"stored": ("f2", "md"), "k": ("i8", "")}
    stored: NDArray[np.float16]
    k: NDArray[Any]

    def __post_init__(self) -> None:
        if not 1 <= int(self.k) <= len(self.stored):
            raise array_error("novelty score", f"it asks for neighbour {int(self.k)} of {len(self.stored)}")

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> NearestDistance:
        """Build it from what `to_arrays` gave; `BundleError` where that is not what it needs."""
        return cls(**check_arrays("novelty score", arrays, cls.layout))

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return int(self.stored.shape[1])

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        found = np.empty(len(X), np.float32)
        stored = self.stored.astype(np.float32)
        lengths = np.einsum("ij,ij->i", stored, stored)
        for block in row_blocks(len(X), max(stored.shape)):
            rows = unit_rows(X[block])
            squared = lengths - 2 * (rows @ stored.T) + np.einsum("ij,ij->i", rows, rows)[:, None]
            found[block] = np.partition(squared, int(self.k) - 1, axis=1)[:, int(self.k) - 1]
        return np.sqrt(np.maximum(found, 0))

    def to_arrays(self) -> Arrays:
        """The fields, by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.layout}


def neighbours_for(rows: int) -> int:
    """Which neighbour to take: the first below 1,000 rows, the tenth from 5,000.

    >>> [neighbours_for(rows) for rows in (30, 999, 1000, 100_000)]
    [1, 1, 2, 10]
    """
    return int(np.clip(rows // _ROWS_A_NEIGHBOUR, 1, _MOST_NEIGHBOURS))


def fit_nearest(X: Floats, labels: Ints, *, most_rows: int = MOST_ROWS) -> NearestDistance:
    """Keep rows of X (n, d), at most `most_rows` spread evenly over the classes' rows; `labels` are (n,).

    >>> X = np.eye(3, dtype=np.float32)
    >>> fit_nearest(X, np.arange(3)).score(-X[:1]).round(3).tolist()
    [1.4140000343322754]
    """
    kept = stratified_subsample(labels, most_rows)
    return NearestDistance(unit_rows(X[kept]).astype(np.float16), np.array(neighbours_for(len(kept)), np.int64))

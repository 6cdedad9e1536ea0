"""Is a batch whose answers are to be accepted like the training images? A drift test that runs by itself.

`watched_rows` picks what a bundle keeps for it (a few hundred embeddings), `draw` what a prediction keeps of a batch;
`watch` compares the two and returns a `Watched`. Pictures that are nearly one picture count once on either side: the
test takes images to be independent. It reads no pictures and moves no threshold (`trust.deciding` does the rest).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.checks import counted
from headstart.heads.arrays import unit
from headstart.records import Floats, Ints
from headstart.trust.drift import LEAST_BATCH, LEAST_REFERENCE, Reference, drift, reference
from headstart.trust.triage import one_of_each

LEAST = 30
"""Images in a batch from which on it is compared: `trust.drift.LEAST_BATCH` of them must differ from one another."""
LEVEL = 0.01
"""The share of batches like the training images that are called different: an alarm here costs a person's time."""
MOST_DRAWN = 500
_PERMUTATIONS = 499
_NEAR = 0.05
"""The share of training images that are so near another one that one of the two is not kept."""


@dataclass(frozen=True)
class Watched:
    """What was found. p: of the test. rows: images of the batch that were compared."""

    p: float
    rows: int

    @property
    def differs(self) -> bool:
        """Whether the batch counts as coming from elsewhere."""
        return self.p <= LEVEL

    def sentence(self) -> str:
        """What it means, for a person."""
        if not self.differs:
            return f"These {counted(self.rows, 'image')} show no difference from the training images."
        return (
            f"These images differ from the training images (p = {self.p:.3f}; {counted(self.rows, 'image')} compared): "
            "the promise is void here. 'headstart drift' shows how they differ."
        )


def watched_rows(X: Any, groups: Ints | None = None, *, seed: int = 0) -> Reference | None:
    """What a bundle keeps: at most 500 embeddings of X (n, d), the training images'; None where there are too few.

    groups: (n,) images that belong together; one of each is taken.
    """
    alone = X if groups is None else X[one_of_each(groups)]
    if len(alone) < LEAST_REFERENCE:
        return None
    kept = reference(alone, seed=seed)
    rows = thinned(kept.rows.astype(np.float32), float(np.quantile(_nearest(kept), _NEAR)), seed)
    return _taken(kept, rows) if len(rows) >= LEAST_REFERENCE else None


def draw(X: Floats, seed: int = 0) -> Floats:
    """At most 500 random rows of a batch's embeddings (n, d): what `watch` needs of it."""
    if len(X) <= MOST_DRAWN:
        return X
    return X[np.sort(np.random.default_rng(seed).permutation(len(X))[:MOST_DRAWN])]


def watch(against: Reference, drawn: Any, *, seed: int = 0) -> Watched | None:
    """Compare a batch's embeddings (m, d) with what was kept; None where there are too few different ones."""
    if len(drawn) < LEAST:
        return None
    rows = thinned(against.rounded(drawn), float(_nearest(against).min()), seed)
    if len(rows) < LEAST_BATCH:
        return None
    return Watched(drift(against, drawn[rows], permutations=_PERMUTATIONS, seed=seed).p, len(rows))


def thinned(X: Floats, radius: float, seed: int = 0) -> Ints:
    """Rows of X (n, d) no two of which lie nearer to one another than `radius`: (m,), in order.

    Distances are between directions, 0 to 2. Rows are tried in a random order.

    >>> thinned(np.array([[1, 0], [1, 0.001], [0, 1]], np.float32), 0.1).shape
    (2,)
    """
    directions = unit(X)
    kept: list[int] = []
    for row in np.random.default_rng(seed).permutation(len(X)).tolist():
        if not kept or float(_distances(directions[kept], directions[row : row + 1]).min()) >= radius:
            kept.append(row)
    return np.sort(np.array(kept, np.int64))


def _nearest(of: Reference) -> Floats:
    """The distance of each kept row to the nearest other, (n,)."""
    directions = unit(of.rows.astype(np.float32))
    found = _distances(directions, directions)
    np.fill_diagonal(found, np.inf)
    return found.min(axis=1)  # type: ignore[no-any-return]


def _distances(one: Floats, other: Floats) -> Floats:
    """Between rows of length one: (n, m)."""
    return np.sqrt(np.maximum(2 - 2 * (one @ other.T), 0))  # type: ignore[no-any-return]


def _taken(kept: Reference, rows: Ints) -> Reference:
    return replace(kept, rows=kept.rows[rows], positions=kept.positions[rows], groups=kept.groups[rows])

"""Is a batch whose answers are to be accepted like the training images? A drift test that runs by itself.

`watched_rows` picks what a bundle keeps for it (a few hundred embeddings), `draw` what a prediction keeps of a batch;
`watch` compares the two and returns a `Watched`. Pictures that are nearly one picture count once on either side, and
training images in the batch do not count: the test takes images to be independent. It reads no pictures and moves no
threshold (`trust.triage.decide` does the rest).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.data.sampling import one_per_group, random_rows
from headstart.heads.forms.arrays import unit_rows
from headstart.records.arrays import Floats, Ints
from headstart.records.predictions import Drawn
from headstart.trust.shift.batch_test import (
    LEAST_BATCH,
    LEAST_REFERENCE,
    ReferenceSample,
    draw_reference,
    run_batch_test,
)

LEAST = 30
"""Images in a batch from which on it is compared: `batch_test.LEAST_BATCH` of them must differ from one another."""
LEVEL = 0.01
"""The share of batches like the training images that are called different: an alarm here costs a person's time."""
MOST_DRAWN = 500
_PERMUTATIONS = 499
_SAME = 0.1
"""In units of the least distance between two kept rows."""
_NEAR = 0.05
"""The share of training images that are so near another one that one of the two is not kept."""


@dataclass(frozen=True, eq=False)
class ShiftCheck:
    """What was found.

    rows: positions in the batch of images that are no training images and not there a second time. p: of the test;
    None where too few could be compared. compared: how many were. known: how many of the images that were looked at
    are training images themselves.
    """

    rows: Ints
    p: float | None
    compared: int = 0
    known: int = 0

    @property
    def differs(self) -> bool:
        """Whether the batch counts as coming from elsewhere."""
        return self.p is not None and self.p <= LEVEL

    def sentence(self) -> str:
        """What it means, for a person."""
        compared = (
            f"p = {self.p:.3f}; {quantity(self.compared, 'image')} compared" if self.p is not None else "not tested"
        )
        if not self.differs:
            return f"No difference from the training images was found ({compared})."
        return (
            f"These images differ from the training images ({compared}): the promise is void here. 'headstart drift' "
            "shows how they differ."
        )


def reference_rows(X: Any, groups: Ints | None = None, *, seed: int = 0) -> ReferenceSample | None:
    """What a bundle keeps: at most 500 embeddings of X (n, d), the training images'; None where there are too few.

    groups: (n,) images that belong together; one of each is taken.
    """
    alone = X if groups is None else X[one_per_group(groups)]
    if len(alone) < LEAST_REFERENCE:
        return None
    kept = draw_reference(alone, seed=seed)
    rows = thin_rows(kept.rows.astype(np.float32), float(np.quantile(_nearest(kept), _NEAR)), seed)
    return _taken(kept, rows) if len(rows) >= LEAST_REFERENCE else None


def subsample(X: Floats, seed: int = 0) -> Drawn:
    """At most 500 random rows of a batch's embeddings (n, d): what `watch` needs of it."""
    rows = random_rows(len(X), MOST_DRAWN, seed)
    return Drawn(rows, X[rows])


def check_shift(against: ReferenceSample, drawn: Drawn, *, seed: int = 0) -> ShiftCheck:
    """Compare what was drawn of a batch with what was kept of the training images.

    Images nearer to one another than any two that were kept are compared once. No more are compared than were kept:
    among many more there are many pairs nearer than any two of few, which would be taken for copies.
    """
    X, radius = against.rounded(drawn.X), float(_nearest(against).min())
    known = _known(X, against, radius)
    new = np.flatnonzero(~known)[thin_rows(X[~known], _SAME * radius, seed)]
    some = new[random_rows(len(new), len(against.rows), seed)]
    compared = some[thin_rows(X[some], radius, seed)]
    p = None
    if len(drawn.rows) >= LEAST and len(compared) >= LEAST_BATCH:
        p = run_batch_test(against, drawn.X[compared], permutations=_PERMUTATIONS, seed=seed).p
    return ShiftCheck(drawn.rows[new], p, len(compared), int(known.sum()))


def _known(X: Floats, against: ReferenceSample, radius: float) -> NDArray[np.bool_]:
    """Which rows (n, d) are training images themselves, (n,): nearer to one than different pictures ever are."""
    if not len(X):
        return np.zeros(0, bool)
    between = _distances(unit_rows(X), unit_rows(against.rows.astype(np.float32)))
    return between.min(axis=1) < _SAME * radius  # type: ignore[no-any-return]


def thin_rows(X: Floats, radius: float, seed: int = 0) -> Ints:
    """Rows of X (n, d) no two of which lie nearer to one another than `radius`: (m,), in order.

    Distances are between directions, 0 to 2. Rows are tried in a random order.

    >>> thin_rows(np.array([[1, 0], [1, 0.001], [0, 1]], np.float32), 0.1).shape
    (2,)
    """
    directions = unit_rows(X)
    kept: list[int] = []
    for row in np.random.default_rng(seed).permutation(len(X)).tolist():
        if not kept or float(_distances(directions[kept], directions[row : row + 1]).min()) >= radius:
            kept.append(row)
    return np.sort(np.array(kept, np.int64))


def _nearest(of: ReferenceSample) -> Floats:
    """The distance of each kept row to the nearest other, (n,)."""
    directions = unit_rows(of.rows.astype(np.float32))
    found = _distances(directions, directions)
    np.fill_diagonal(found, np.inf)
    return found.min(axis=1)  # type: ignore[no-any-return]


def _distances(one: Floats, other: Floats) -> Floats:
    """Between rows of length one: (n, m)."""
    return np.sqrt(np.maximum(2 - 2 * (one @ other.T), 0))  # type: ignore[no-any-return]


def _taken(kept: ReferenceSample, rows: Ints) -> ReferenceSample:
    return replace(kept, rows=kept.rows[rows], positions=kept.positions[rows], groups=kept.groups[rows])

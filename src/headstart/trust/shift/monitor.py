"""Batch-level covariate-shift check, run before predictions are accepted automatically.

`reference_rows` picks what a bundle keeps for it (a few hundred embeddings), `subsample` what a prediction keeps of a
batch; `check_shift` compares the two and returns a `ShiftCheck`. Near-duplicates count once on either side, and
training images in the batch do not count: the test takes images to be independent. It reads no images and moves no
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
from headstart.records.predictions import Subsample
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
"""The false-positive rate over batches like the training images: an alarm here costs a person's time."""
MOST_DRAWN = 500
_PERMUTATIONS = 499
_SAME = 0.1
"""In units of the least distance between two reference rows."""
_NEAR = 0.05
"""The share of training images that are so near another one that one of the two is no reference row."""


@dataclass(frozen=True, eq=False)
class ShiftCheck:
    """The result of the covariate-shift check of a batch.

    rows: positions in the batch of images that are no training images and no duplicates of one another. p: the p-value;
    None where too few could be compared. sample_size: how many were compared. training_images: how many of the images
    that were drawn are training images themselves.
    """

    rows: Ints
    p: float | None
    sample_size: int = 0
    training_images: int = 0

    @property
    def shifted(self) -> bool:
        """Whether the batch is under covariate shift."""
        return self.p is not None and self.p <= LEVEL

    def sentence(self) -> str:
        """What it means, for a person."""
        test = (
            f"p = {self.p:.3f}; {quantity(self.sample_size, 'image')} compared" if self.p is not None else "not tested"
        )
        if not self.shifted:
            return f"No covariate shift was found ({test})."
        return (
            f"Covariate shift: these images differ from the training images ({test}): the guarantee is void here. "
            "'headstart drift' shows how they differ."
        )


def reference_rows(X: Any, groups: Ints | None = None, *, seed: int = 0) -> ReferenceSample | None:
    """What a bundle keeps: at most 500 embeddings of X (n, d), the training images'; None where there are too few.

    groups: (n,) images that belong together; one of each is taken.
    """
    independent = X if groups is None else X[one_per_group(groups)]
    if len(independent) < LEAST_REFERENCE:
        return None
    sample = draw_reference(independent, seed=seed)
    rows = thin_rows(sample.rows.astype(np.float32), float(np.quantile(_nearest(sample), _NEAR)), seed)
    if len(rows) < LEAST_REFERENCE:
        return None
    return replace(sample, rows=sample.rows[rows], positions=sample.positions[rows], groups=sample.groups[rows])


def subsample(X: Floats, seed: int = 0) -> Subsample:
    """At most 500 random rows of a batch's embeddings (n, d): what `check_shift` needs of it."""
    rows = random_rows(len(X), MOST_DRAWN, seed)
    return Subsample(rows, X[rows])


def check_shift(reference: ReferenceSample, batch: Subsample, *, seed: int = 0) -> ShiftCheck:
    """Compare the rows drawn of a batch with the reference rows of the training images.

    Images nearer to one another than any two reference rows are compared once. No more are compared than there are
    reference rows: among many more there are many pairs nearer than any two of few, which would be taken for
    duplicates.
    """
    X, radius = reference.rounded(batch.X), float(_nearest(reference).min())
    training_image = _training_images(X, reference, radius)
    new = np.flatnonzero(~training_image)[thin_rows(X[~training_image], _SAME * radius, seed)]
    sample = new[random_rows(len(new), len(reference.rows), seed)]
    sample = sample[thin_rows(X[sample], radius, seed)]
    p = None
    if len(batch.rows) >= LEAST and len(sample) >= LEAST_BATCH:
        p = run_batch_test(reference, batch.X[sample], permutations=_PERMUTATIONS, seed=seed).p
    return ShiftCheck(batch.rows[new], p, len(sample), int(training_image.sum()))


def _training_images(X: Floats, reference: ReferenceSample, radius: float) -> NDArray[np.bool_]:
    """Which rows (n, d) are training images themselves, (n,): nearer to one than different images ever are."""
    if not len(X):
        return np.zeros(0, bool)
    between = _distances(unit_rows(X), unit_rows(reference.rows.astype(np.float32)))
    return between.min(axis=1) < _SAME * radius  # type: ignore[no-any-return]


def thin_rows(X: Floats, radius: float, seed: int = 0) -> Ints:
    """Rows of X (n, d) no two of which lie nearer to one another than `radius`: (m,), in order.

    Distances are between directions, 0 to 2. Rows are tried in a random order.

    >>> thin_rows(np.array([[1, 0], [1, 0.001], [0, 1]], np.float32), 0.1).shape
    (2,)
    """
    directions = unit_rows(X)
    chosen: list[int] = []
    for row in np.random.default_rng(seed).permutation(len(X)).tolist():
        if not chosen or float(_distances(directions[chosen], directions[row : row + 1]).min()) >= radius:
            chosen.append(row)
    return np.sort(np.array(chosen, np.int64))


def _nearest(reference: ReferenceSample) -> Floats:
    """The distance of each reference row to the nearest other, (n,)."""
    directions = unit_rows(reference.rows.astype(np.float32))
    distances = _distances(directions, directions)
    np.fill_diagonal(distances, np.inf)
    return distances.min(axis=1)  # type: ignore[no-any-return]


def _distances(one: Floats, other: Floats) -> Floats:
    """Between rows of length one: (n, m)."""
    return np.sqrt(np.maximum(2 - 2 * (one @ other.T), 0))  # type: ignore[no-any-return]

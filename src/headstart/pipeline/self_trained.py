"""A pool of unlabelled images in a training run: self-training as a strategy, raced on the labelled folds.

`plan_self_trained` loads and embeds the pool and gives the strategy; the pool joins inside each training fold, so the
labelled images that score it never train it, and calibration and guarantees rest on labelled images alone. It is chosen
only where it gains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adaptation.pool import Together, pool_is_alike, prepare, train_with_pool
from headstart.checks import quantity
from headstart.choose.strategy import About, Fitted
from headstart.data.sampling import random_rows
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.embed.features import Part, embed_parts
from headstart.errors import DataError
from headstart.heads.base import PathScores, expand_classes, iterate_folds
from headstart.heads.side_by_side import blas_threads, check_time
from headstart.model.refit import SELF_TRAINED
from headstart.pipeline.prepare import check_share
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.data.splits import Division
    from headstart.pipeline.candidates import HeadStrategy
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

LEAST, MOST = 30, 2000
MOST_LABELLED = 1000
"""With more, labels leave little to gain, and every fold would take long."""
_GAIN = 0.01
"""It gained on average over seven sets (docs/evidence/adapt.md), so a tie is decided for it."""
_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class SelfTrainedStrategy:
    """A linear head that a pool's surest answers have helped to train.

    parts: where the features come from. together: the labelled rows and the pool. note: on the pool, for the user.
    """

    about: About
    parts: tuple[Part, ...]
    together: Together
    note: str
    head: str = SELF_TRAINED

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of the pool."""
        return (self.note,)

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores: the pool joins the rows of the other folds."""
        labels, classes = rows.labels, len(rows.classes)
        scores = np.zeros((1, *rows.folds.shape, classes), np.float32)
        with blas_threads(1):
            for r, _, train, test in iterate_folds(rows.folds):
                check_time()
                present, numbers = np.unique(labels[train], return_inverse=True)
                if len(present) > 1:
                    numbers = numbers.astype(np.int64)
                    head = train_with_pool(self.together, np.flatnonzero(train), numbers, len(present))
                    held_out = head.scores(self.together, np.flatnonzero(test))
                    scores[0, r, test] = expand_classes(held_out, present, classes)
        return PathScores(({},), scores)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The head trained on all rows and the pool."""
        with blas_threads(1):
            head = train_with_pool(self.together, np.arange(len(rows.labels)), rows.labels, len(rows.classes))
        return Fitted(self.parts, head.form(self.together), self.together.X)


def plan_self_trained(
    prepared: Prepared, division: Division, options: Options, heads: list[HeadStrategy]
) -> tuple[list[SelfTrainedStrategy], tuple[str, ...]]:
    """The strategy on what the widest head looks at, or why there is none; nothing where no pool is given.

    Raises `DataError` for a pool that holds test images, and for one of fewer than 30 new images.
    """
    if options.unlabelled is None or not heads:
        return [], ()
    widest = max(heads, key=lambda head: head.X.shape[1])
    if len(widest.X) > MOST_LABELLED:
        return [], (f"The pool was not used: it helps where labels are few, and there are {len(widest.X):,}.",)
    pool, note = _embed_pool(prepared, division.held_out, options, widest.parts)
    labels = prepared.samples.labels[division.fit]
    together = prepare(widest.X, pool)
    if not pool_is_alike(together, labels):
        return [], (
            f"The pool of {quantity(len(pool), 'image')} was not used: its classes seem to have other shares than the "
            "labelled ones, where it would harm. Give one that holds the classes as the labelled images do.",
        )
    about = About(
        SELF_TRAINED,
        f"{widest.about.features} and {quantity(len(pool), 'unlabelled image')}",
        widest.about.cost,
        widest.about.backbones,
        widest.about.prior + _GAIN,
        _SECONDS * division.folds.shape[0] * (int(division.folds.max()) + 1),
    )
    return [SelfTrainedStrategy(about, widest.parts, together, note)], ()


def _embed_pool(prepared: Prepared, held_out: Ints, options: Options, parts: tuple[Part, ...]) -> tuple[Floats, str]:
    samples = load_unlabelled(options.unlabelled).samples
    content = np.array(samples.content)
    tested = {prepared.samples.content[row] for row in held_out.tolist()}
    if same := sum(mark in tested for mark in content.tolist()):
        raise DataError(
            f"the pool {options.unlabelled} holds {quantity(same, 'image')} of the test part, whose score would then "
            "mean nothing: take them out of the pool."
        )
    new = np.array([mark not in set(prepared.samples.content) for mark in content.tolist()], bool)
    known = int((~new).sum())
    samples = samples.take(new)
    if len(samples) < LEAST:
        raise DataError(
            f"a pool needs at least {LEAST} unlabelled images that are not among the labelled ones; "
            f"{options.unlabelled} has {len(samples)} (and {known:,} that are): collect more, or leave the pool out."
        )
    if len(samples) > MOST:
        samples = samples.take(random_rows(len(samples), MOST, options.seed))
    embedded = embed_parts(samples, parts, options.run)
    check_share(embedded.failures, len(samples), options.max_unreadable)
    left = f" ({known:,} that are labelled too were left out of it)" if known else ""
    note = (
        f"A pool of {quantity(len(embedded.X), 'unlabelled image')} took part in training{left}; scores, calibration "
        "and guarantees are of labelled images alone."
    )
    return embedded.X, note

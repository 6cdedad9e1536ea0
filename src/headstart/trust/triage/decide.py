"""Triage at work: for each predicted image accept or review, with the reason.

Takes predictions, a `Triage` and what a batch is compared with; returns `Decisions`. A novel image goes to review
however sure the answer is; so does a whole batch that is not like the labelled images, because a promise made of these
says nothing of it. It computes no thresholds (`trust.triage.thresholds`) and no novelty (`trust.novelty.score`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.records.arrays import Ints
from headstart.records.predictions import REVIEW, Decisions, Predictions
from headstart.trust.shift.batch_test import LEAST_BATCH
from headstart.trust.shift.label_shift import ReferenceCounts, label_shift
from headstart.trust.shift.monitor import LEAST, ShiftCheck
from headstart.trust.triage.records import NOTHING, Triage
from headstart.trust.triage.thresholds import top_predictions

NOVEL, NO_PROMISE, SHIFTED = "novel", "no promise", "batch differs"
NOT_COVERED, LOW = "class not covered", "low confidence"
REASONS = (NOVEL, NO_PROMISE, SHIFTED, NOT_COVERED, LOW)
"""Why an image goes to review, the first that holds: unlike the training images; nothing can be promised of any answer;
the whole batch is not like the labelled images; nothing is promised of answers that name this class; not sure enough.
"""
WARN = "warn"
ON_SHIFT = (REVIEW, WARN)

ENOUGH_FOR_SHARES = 50
"""Images in a batch from which on its classes' shares are compared with training's."""


def decide(
    predictions: Predictions,
    triage: Triage,
    reference: ReferenceCounts,
    watched: ShiftCheck | None = None,
    *,
    on_shift: str = REVIEW,
) -> Decisions:
    """Accept or review each predicted image.

    reference: of the labelled images, see `TrustRecord.reference`. watched: how the batch compares with the training
    images, None where that is not known. on_shift: what becomes of a batch with other pictures, or with the classes in
    other shares: 'review' sends all of it to review, 'warn' only says so.
    """
    one_of("on_shift", on_shift, ON_SHIFT)
    predicted, confidence = top_predictions(predictions.probabilities) if len(predictions) else _no_answers()
    novel = predictions.novel
    covered = np.asarray(triage.thresholds)[predicted] < NOTHING
    notes = _shifted(predictions, triage, reference, watched)  # each voids the promise
    void = np.full(len(predictions), bool(notes) and on_shift == REVIEW)
    accepted = triage.accepts(confidence, predicted) & ~novel & ~void
    why = np.select([novel, np.full(len(predictions), not triage.kept), void, ~covered], REASONS[:4], default=LOW)
    return Decisions(
        predictions,
        accepted,
        tuple("" if sure else str(reason) for sure, reason in zip(accepted.tolist(), why.tolist(), strict=True)),
        triage.sentences(),
        triage.kept,
        (*notes, *_remarks(predictions, triage, watched)),
    )


def _no_answers() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.zeros(0, np.int64), np.zeros(0)


def _shifted(
    predictions: Predictions, triage: Triage, reference: ReferenceCounts, watched: ShiftCheck | None
) -> tuple[str, ...]:
    """What makes the batch another one than was promised of: other pictures, or the classes in other shares."""
    if not triage.kept:
        return ()
    pictures = (watched.sentence(),) if watched is not None and watched.differs else ()
    rows = None if watched is None else watched.rows
    return (*pictures, *_other_shares(predictions, reference, rows))


def _remarks(predictions: Predictions, triage: Triage, watched: ShiftCheck | None) -> tuple[str, ...]:
    """What else should be known of the batch as a whole."""
    if not triage.kept or len(predictions) < LEAST:
        return ()
    if watched is None:
        return (
            "Whether these images as a whole come from elsewhere was not looked at: the model keeps no embeddings for "
            "that (fine-tuned, --no-keep-training, or an older model).",
        )
    said = []
    if watched.known:
        said.append(
            f"At least {watched.known:,} of these images were trained on: what is answered for them says nothing of "
            "new ones."
        )
    if watched.p is None:
        said.append(
            f"Whether these images as a whole come from elsewhere was not tested: fewer than {LEAST_BATCH} of those "
            "looked at differ clearly from one another and from the training images."
        )
    return tuple(said)


def _other_shares(predictions: Predictions, reference: ReferenceCounts, rows: Ints | None) -> tuple[str, ...]:
    """A sentence where a large batch names the classes in other shares; novel images name nothing.

    rows: the images that count, where repeats do not.
    """
    known = ~predictions.novel
    if rows is not None:
        known &= np.isin(np.arange(len(predictions)), rows)
    if int(known.sum()) < ENOUGH_FOR_SHARES or not sum(reference.actual):
        return ()
    found = label_shift(predictions.probabilities[known], reference)
    return (found.sentence(predictions.classes),) if found.shifted else ()

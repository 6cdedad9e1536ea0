"""Triage at work: for each predicted image accept or review, with the reason.

Takes predictions, a `Triage` and what a batch's class shares are compared with; returns `Decisions`. A novel image goes
to review however sure the answer is. It computes no thresholds (`trust.triage`) and no novelty (`trust.novelty`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.records import Decisions, Predictions
from headstart.trust.label_shift import Reference, label_shift
from headstart.trust.promises import NOTHING, Triage
from headstart.trust.triage import answers

NOVEL, NO_PROMISE, NOT_COVERED, LOW = "novel", "no promise", "class not covered", "low confidence"
REASONS = (NOVEL, NO_PROMISE, NOT_COVERED, LOW)
"""Why an image goes to review, the first that holds: unlike the training images; nothing can be promised of any answer;
nothing of answers that name this class; not sure enough."""

ENOUGH_FOR_SHARES = 50
"""Images in a batch from which on its classes' shares are compared with training's."""


def decide(predictions: Predictions, triage: Triage, reference: Reference) -> Decisions:
    """Accept or review each predicted image. reference: of the labelled images, see `TrustRecord.reference`."""
    predicted, confidence = answers(predictions.probabilities) if len(predictions) else _no_answers()
    novel = predictions.novel
    covered = np.asarray(triage.thresholds)[predicted] < NOTHING
    accepted = triage.accepts(confidence, predicted) & ~novel
    why = np.select([novel, np.full(len(predictions), not triage.kept), ~covered], REASONS[:3], default=LOW)
    return Decisions(
        predictions,
        accepted,
        tuple("" if sure else str(reason) for sure, reason in zip(accepted.tolist(), why.tolist(), strict=True)),
        triage.sentences(),
        triage.kept,
        _shifted(predictions, triage, reference),
    )


def _no_answers() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.zeros(0, np.int64), np.zeros(0)


def _shifted(predictions: Predictions, triage: Triage, reference: Reference) -> tuple[str, ...]:
    """A warning where a large batch names the classes in other shares; novel images name nothing."""
    known = ~predictions.novel
    if not triage.kept or int(known.sum()) < ENOUGH_FOR_SHARES or not sum(reference.actual):
        return ()
    found = label_shift(predictions.probabilities[known], reference)
    return (found.sentence(predictions.classes),) if found.shifted else ()

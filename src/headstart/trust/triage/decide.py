"""Decides for each prediction: accept automatically or send to review, with the reason.

Takes predictions, a `Triage` and how the batch compares with the training images; returns `Decisions`. A novel image
goes to review whatever the confidence; so does a whole batch under covariate or label shift, because the guarantee is
about images like the labelled ones. It computes no thresholds (`trust.triage.thresholds`) and no novelty
(`trust.novelty.score`).
"""

from __future__ import annotations

import numpy as np

from headstart.checks import one_of
from headstart.records.arrays import Ints
from headstart.records.predictions import REVIEW, Decisions, Predictions
from headstart.trust.shift.batch_test import LEAST_BATCH
from headstart.trust.shift.label_shift import ReferenceCounts, label_shift
from headstart.trust.shift.monitor import LEAST, ShiftCheck
from headstart.trust.triage.records import NOTHING, Triage
from headstart.trust.triage.thresholds import top_predictions

NOVEL, NO_GUARANTEE, SHIFT = "novel", "no guarantee", "batch shift"
NOT_COVERED, LOW = "class not covered", "low confidence"
REASONS = (NOVEL, NO_GUARANTEE, SHIFT, NOT_COVERED, LOW)
"""Why an image goes to review, the first that holds: unlike the training images; no guarantee is feasible; the whole
batch is under covariate or label shift; no guarantee is feasible for this predicted class; below the threshold."""
WARN = "warn"
ON_SHIFT = (REVIEW, WARN)

ENOUGH_FOR_LABEL_SHIFT = 50
"""Images in a batch from which on its class prior is compared with that of training."""


def decide(
    predictions: Predictions,
    triage: Triage,
    reference: ReferenceCounts,
    shift: ShiftCheck | None = None,
    *,
    on_shift: str = REVIEW,
) -> Decisions:
    """Accept or review each predicted image.

    reference: class counts of the labelled images, see `TrustEvidence.reference_counts`. shift: how the batch compares
    with the training images, None where that is not known. on_shift: what becomes of a batch under covariate or label
    shift: 'review' sends all of it to review, 'warn' only says so.
    """
    one_of("on_shift", on_shift, ON_SHIFT)
    if len(predictions):
        predicted, confidence = top_predictions(predictions.probabilities)
    else:
        predicted, confidence = np.zeros(0, np.int64), np.zeros(0)
    novel = predictions.novel
    covered = np.asarray(triage.thresholds)[predicted] < NOTHING
    shifts = _shifts(predictions, triage, reference, shift)  # each voids the guarantee
    void = np.full(len(predictions), bool(shifts) and on_shift == REVIEW)
    accepted = triage.accepts(confidence, predicted) & ~novel & ~void
    infeasible = np.full(len(predictions), not triage.feasible)
    reasons = np.select([novel, infeasible, void, ~covered], REASONS[:4], default=LOW)
    return Decisions(
        predictions,
        accepted,
        tuple("" if sure else str(reason) for sure, reason in zip(accepted.tolist(), reasons.tolist(), strict=True)),
        triage.sentences(),
        triage.feasible,
        (*shifts, *_remarks(predictions, triage, shift)),
    )


def _shifts(
    predictions: Predictions, triage: Triage, reference: ReferenceCounts, shift: ShiftCheck | None
) -> tuple[str, ...]:
    """What voids the guarantee for this batch: covariate shift, label shift."""
    if not triage.feasible:
        return ()
    covariate_shift = (shift.sentence(),) if shift is not None and shift.shifted else ()
    rows = None if shift is None else shift.rows
    return (*covariate_shift, *_label_shift(predictions, reference, rows))


def _remarks(predictions: Predictions, triage: Triage, shift: ShiftCheck | None) -> tuple[str, ...]:
    """What else should be known of the batch as a whole."""
    if not triage.feasible or len(predictions) < LEAST:
        return ()
    if shift is None:
        return (
            "These images were not tested for covariate shift: the model keeps no embeddings for that (fine-tuned, or "
            "--no-keep-training).",
        )
    remarks = []
    if shift.training_images:
        remarks.append(
            f"At least {shift.training_images:,} of these images were trained on: predictions for them say nothing of "
            "new ones."
        )
    if shift.p is None:
        remarks.append(
            f"These images were not tested for covariate shift: fewer than {LEAST_BATCH} of those drawn differ clearly "
            "from one another and from the training images."
        )
    return tuple(remarks)


def _label_shift(predictions: Predictions, reference: ReferenceCounts, rows: Ints | None) -> tuple[str, ...]:
    """A sentence where a large batch is under label shift; novel images do not count.

    rows: the images that count, where repeats do not.
    """
    candidates = ~predictions.novel
    if rows is not None:
        candidates &= np.isin(np.arange(len(predictions)), rows)
    if int(candidates.sum()) < ENOUGH_FOR_LABEL_SHIFT or not sum(reference.actual):
        return ()
    result = label_shift(predictions.probabilities[candidates], reference)
    return (result.sentence(predictions.classes),) if result.shifted else ()

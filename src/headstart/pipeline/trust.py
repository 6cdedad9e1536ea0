"""Builds the evidence for guarantees of a trained model: calibration, out-of-fold predictions, the novelty score.

`calibrate_scores` chooses how scores become probabilities; `fit_trust` gathers what the bundle stores of the
out-of-fold predictions and fits the novelty score; `add_held_out` adds a split that took no part. The statistics are in
`trust`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.sampling import stratified_subsample
from headstart.model.rows import weight_fingerprints
from headstart.model.trust import TrustFit
from headstart.records.arrays import Floats, Ints
from headstart.records.predictions import Predictions
from headstart.records.rows import Rows
from headstart.tasks.catalog import task_of
from headstart.trust.calibration.choose import CalibrationChoice, choose_calibration
from headstart.trust.evidence import GuaranteeRequest, JudgedPredictions, TrustEvidence, most_rows
from headstart.trust.novelty.by_layer import MOST_LAYERS
from headstart.trust.novelty.fit import FittedNovelty, fit_novelty
from headstart.trust.shift.monitor import reference_rows

if TYPE_CHECKING:
    from headstart.embed.features import Part

_MOST_NUMBERS = 20_000_000
"""Out-of-fold scores above which only the temperature is fitted: the others would take minutes."""
_TUNED = (
    "There is no novelty score and no test for covariate shift: the network was fine-tuned on these very images, so "
    "their embeddings say little of new ones."
)
_NOT_KEPT = "New images are not tested for covariate shift: that needs embeddings of training images (--keep-training)."


def calibrate_scores(scores: Floats, rows: Rows) -> CalibrationChoice:
    """The calibration that the winner's out-of-fold scores reward. scores: (repeats, n, K)."""
    methods = task_of(rows.target).calibrations
    methods = methods if scores.size <= _MOST_NUMBERS else methods[:1]
    return choose_calibration(scores, rows.labels, rows.folds[: len(scores)], methods=methods, groups=rows.groups)


def fit_trust(
    calibration: CalibrationChoice,
    rows: Rows,
    parts: Sequence[Part],
    *,
    layers: Mapping[str, Floats] | None = None,
    guarantee: GuaranteeRequest | None = None,
    keep_rows: bool = True,
) -> TrustFit:
    """What a bundle keeps. The predictions are calibrated by what was fitted on other folds.

    rows: with X, what the head looks at; X is None for a fine-tuned network, whose view of the images that it was
    trained on says little of new ones. layers: the first backbone's, tap name → (n, d), of which novelty looks at the
    last ones; by default those that the head looks at. guarantee: what `predict` guarantees where it is asked for no
    other. keep_rows: keep embeddings to compare whole batches with.
    """
    novelty = None
    if rows.X is not None:
        novelty = _novelty(_layers(rows.X, parts[0]) if layers is None else layers, rows)
    evidence = np.arange(len(rows)) if novelty is None else novelty.rows
    sample = stratified_subsample(rows.labels[evidence], most_rows(calibration.crossed.shape[-1]))
    rows_kept = evidence[sample]
    judged = JudgedPredictions(
        # of one model each: the mean over repeats is calmer than the model that predicts
        calibration.crossed[0][rows_kept],
        rows.labels[rows_kept],
        None if rows.groups is None else rows.groups[rows_kept],
        None if novelty is None else novelty.flagged[sample],
    )
    record = TrustEvidence(
        judged,
        novelty=None if novelty is None else novelty.novelty,
        default_guarantee=guarantee,
        reference_sample=None if rows.X is None or not keep_rows else reference_rows(rows.X, rows.groups),
    )
    return TrustFit(
        record, weight_fingerprints(parts), len(rows), novelty, tuple(_notes(rows, len(judged), keep_rows=keep_rows))
    )


def _notes(rows: Rows, rows_kept: int, *, keep_rows: bool) -> list[str]:
    notes = [_TUNED] if rows.X is None else [] if keep_rows else [_NOT_KEPT]
    if rows_kept < len(rows):
        notes.append(f"Of {len(rows):,} out-of-fold predictions {rows_kept:,} are stored to test guarantees on.")
    return notes


def _layers(X: Floats, part: Part) -> dict[str, Floats]:
    """The taps of the first part, from all that the head looks at."""
    return {tap: X[:, part.columns((tap,))] for tap in part.taps}


def _novelty(layers: Mapping[str, Floats], rows: Rows) -> FittedNovelty:
    """At the last layers."""
    taps = tuple(layers)[-MOST_LAYERS:]
    X, widths = np.concatenate([layers[tap] for tap in taps], axis=1), [layers[tap].shape[1] for tap in taps]
    fit = fit_novelty(X, rows.labels, widths=widths, folds=rows.folds[0], groups=rows.groups)
    return replace(fit, novelty=replace(fit.novelty, taps=taps))


def add_held_out(trust: TrustFit, predictions: Predictions, labels: Ints, groups: Ints | None) -> TrustFit:
    """With a split that took no part, predicted by the model itself."""
    novel = None if predictions.novelty is None else predictions.novel
    judged = JudgedPredictions(predictions.probabilities, labels, groups, novel)
    judged = judged.take(stratified_subsample(labels, most_rows(predictions.probabilities.shape[1])))
    return replace(trust, record=replace(trust.record, held_out=judged))

"""Builds the evidence for guarantees of a trained model: calibration, out-of-fold predictions, the novelty score.

`calibrate_scores` chooses how scores become probabilities; `fit_trust` gathers what the bundle stores of the
out-of-fold predictions and fits the novelty score; `add_held_out` adds a split that took no part. The statistics are in
`trust`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.sampling import stratified_subsample
from headstart.model.rows import weight_fingerprints
from headstart.records.arrays import Floats, Ints
from headstart.records.predictions import Predictions
from headstart.trust.calibration.choose import CalibrationChoice, choose_calibration
from headstart.trust.calibration.methods import METHODS
from headstart.trust.evidence import GuaranteeRequest, JudgedPredictions, TrustEvidence, most_rows
from headstart.trust.novelty.by_layer import MOST_LAYERS
from headstart.trust.novelty.fit import FittedNovelty, fit_novelty
from headstart.trust.shift.monitor import reference_rows

if TYPE_CHECKING:
    from headstart.choose.race import RaceResult
    from headstart.embed.features import Part
    from headstart.pipeline.options import Options

TRUST_FILE = "trust.safetensors"
_MOST_NUMBERS = 20_000_000
"""Out-of-fold scores above which only the temperature is fitted: the others would take minutes."""
_TUNED = (
    "There is no novelty score and no test for covariate shift: the network was fine-tuned on these very images, so "
    "their embeddings say little of new ones."
)
_NOT_KEPT = "New images are not tested for covariate shift: that needs embeddings of training images (--keep-training)."


@dataclass(frozen=True, eq=False)
class TrustFit:
    """The evidence for guarantees, with how it came about.

    record: for the bundle. weights: of the backbones that it is about. rows: out-of-fold predictions there were; the
    record may hold fewer. novelty: what was measured of it, None where there is none.
    """

    record: TrustEvidence
    weights: tuple[str, ...]
    rows: int
    novelty: FittedNovelty | None
    notes: tuple[str, ...]

    def to_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        """What the manifest says of it."""
        record, found = self.record, self.novelty
        novelty = None if found is None else {**found.to_dict(), "sentences": list(found.sentences())}
        return {
            "file": TRUST_FILE,
            "predictions": self.rows,
            "stored": len(record.out_of_fold),
            "held_out": 0 if record.held_out is None else len(record.held_out),
            "novelty": novelty,
            "watched": 0 if record.reference_sample is None else len(record.reference_sample.rows),
            "guarantee": None
            if record.default_guarantee is None
            else _guarantee(record, record.default_guarantee, classes),
        }


def _guarantee(record: TrustEvidence, request: GuaranteeRequest, classes: Sequence[str]) -> dict[str, Any]:
    return {"confidence": request.confidence, **record.triage(request, classes).to_dict()}


def calibrate_scores(found: RaceResult, labels: Ints, folds: Ints, groups: Ints | None) -> CalibrationChoice:
    """The calibration that the winner's out-of-fold scores reward. labels: (n,). folds: (repeats, n)."""
    scores = found.repeated
    methods = METHODS if scores.size <= _MOST_NUMBERS else METHODS[:1]
    return choose_calibration(scores, labels, folds[: len(scores)], methods=methods, groups=groups)


def fit_trust(
    calibration: CalibrationChoice,
    X: Floats | None,
    parts: Sequence[Part],
    labels: Ints,
    folds: Ints,
    groups: Ints | None,
    options: Options,
    *,
    layers: Mapping[str, Floats] | None = None,
) -> TrustFit:
    """What a bundle keeps. X: (n, d) what the head looks at; None for a fine-tuned network, whose view of the images
    that it was trained on says little of new ones. The predictions are calibrated by what was fitted on other folds.
    layers: the first backbone's, tap name → (n, d), of which novelty looks at the last ones; by default those that the
    head looks at.
    """
    there = _layers(X, parts[0]) if layers is None and X is not None else layers
    novelty = None if X is None or there is None else _novelty(there, labels, folds, groups)
    rows = np.arange(len(labels)) if novelty is None else novelty.rows
    few = stratified_subsample(labels[rows], most_rows(calibration.crossed.shape[-1]))
    # Of one model each: the mean over repeats is calmer than the model that predicts.
    judged = JudgedPredictions(
        calibration.crossed[0][rows[few]],
        labels[rows[few]],
        None if groups is None else groups[rows[few]],
        None if novelty is None else novelty.flagged[few],
    )
    request = (
        None
        if options.max_error is None
        else GuaranteeRequest(options.max_error, options.confidence, options.per_class)
    )
    record = TrustEvidence(
        judged,
        novelty=None if novelty is None else novelty.novelty,
        default_guarantee=request,
        reference_sample=None if X is None or not options.keep_training else reference_rows(X, groups),
    )
    notes: tuple[str, ...] = () if X is not None else (_TUNED,)
    if X is not None and not options.keep_training:
        notes += (_NOT_KEPT,)
    if len(judged) < len(labels):
        notes += (f"Of {len(labels):,} out-of-fold predictions {len(judged):,} are stored to test guarantees on.",)
    return TrustFit(record, weight_fingerprints(parts), len(labels), novelty, notes)


def _layers(X: Floats, part: Part) -> dict[str, Floats]:
    """The taps of the first part, from all that the head looks at."""
    return {tap: X[:, part.columns((tap,))] for tap in part.taps}


def _novelty(layers: Mapping[str, Floats], labels: Ints, folds: Ints, groups: Ints | None) -> FittedNovelty:
    """At the last layers."""
    taps = tuple(layers)[-MOST_LAYERS:]
    X, widths = np.concatenate([layers[tap] for tap in taps], axis=1), [layers[tap].shape[1] for tap in taps]
    found = fit_novelty(X, labels, widths=widths, folds=folds[0], groups=groups)
    return replace(found, novelty=replace(found.novelty, taps=taps))


def add_held_out(found: TrustFit, predictions: Predictions, labels: Ints, groups: Ints | None) -> TrustFit:
    """With a split that took no part, predicted by the model itself."""
    novel = None if predictions.novelty is None else predictions.novel
    held = JudgedPredictions(predictions.probabilities, labels, groups, novel)
    held = held.take(stratified_subsample(labels, most_rows(predictions.probabilities.shape[1])))
    return replace(found, record=replace(found.record, held_out=held))

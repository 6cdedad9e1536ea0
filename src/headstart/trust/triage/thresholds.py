"""Confidence thresholds with a guarantee: of the accepted predictions at most so many are wrong (selective risk).

Takes the confidence and the prediction of each labelled image, by a model that was not trained on it; returns a
`Triage`: thresholds, what they guarantee, for all predictions and for each class, or, where the guarantee is not
feasible, how many more labelled images would do. It computes no confidences. What the guarantee rests on is said in
`trust.triage.fixed_sequence`; that the new images are like the labelled ones is the user's to know (`trust.shift` tests
for two ways in which they may not be).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import between, one_of, quantity
from headstart.data.sampling import one_per_group
from headstart.errors import DataError, InternalError
from headstart.metrics.intervals import Estimate, Reals, clopper_pearson
from headstart.records.arrays import Ints
from headstart.trust.triage.fixed_sequence import Flags, check_guarantee, error_bound, last_valid, rows_needed
from headstart.trust.triage.records import (
    GUARANTEED,
    NONE_ACCEPTED,
    NOT_SHOWN,
    VIOLATED,
    ClassTriage,
    Guarantee,
    Triage,
    accepts,
)

LEAST_COVERAGE = 1 / 3
"""Where the sequence of thresholds starts. A later start survives a wrong label among the most confident predictions,
an earlier one serves data of which little can be accepted; a third lies between (150 simulated draws of 1,000 images,
2 %: with 1 % of labels wrong a start at 15, 25, 40 % was feasible in 41, 55, 75 %; where 87 % are right, in 75, 68,
37 %)."""

PLAUSIBLE = 0.8
"""How sure a bound is up to which an error counts as plausible, where more images are asked for."""


def top_predictions(probabilities: NDArray[Any]) -> tuple[Ints, Reals]:
    """The predicted class and its confidence: (n,) and (n,), from (n, K) or (repeats, n, K), averaged over repeats.

    >>> predicted, confidence = top_predictions(np.array([[[0.9, 0.1]], [[0.7, 0.3]]]))
    >>> predicted.tolist(), confidence.round(3).tolist()
    ([0], [0.8])
    """
    mean = np.asarray(probabilities, np.float64)
    mean = mean.mean(axis=0) if mean.ndim == 3 else mean
    return mean.argmax(axis=1), np.minimum(mean.max(axis=1), 1.0)


def triage(
    confidence: NDArray[Any],
    predicted: Ints,
    labels: Ints,
    *,
    classes: Sequence[str],
    max_error: float = 0.02,
    confidence_level: float = 0.95,
    scope: str = "all",
    groups: Ints | None = None,
    reviewed: Flags | None = None,
    least_coverage: float = LEAST_COVERAGE,
    seed: int = 0,
) -> Triage:
    """Find the thresholds that accept most while at most `max_error` of what they accept is wrong.

    confidence: (n,) above 0, at most 1; out of fold, or of a held-out set. predicted, labels: (n,) predicted and true
    class. classes: their names. max_error: the limit of the selective risk, 0.0001 to 0.5. confidence_level: 0.8 to
    0.9999, over draws of labelled data. scope: 'all' or 'class', see `Triage`; in both, the classes' guarantees share
    alpha = 1 - confidence_level evenly (Bonferroni). groups: (n,) one image of each group is tested, drawn by `seed`,
    so the guarantee is about images of new groups, groups counting alike. reviewed: (n,) images that go to a person
    whatever the confidence (novel ones): they take no part in the test and count as not accepted. least_coverage: where
    the sequence of thresholds starts, 0 to 1; it must be fixed before looking at the data: trying several and taking
    the best voids the guarantee.

    >>> confidence = np.linspace(0.99, 0.5, 1000)
    >>> labels = (np.arange(1000) > 930).astype(np.int64)
    >>> print(triage(confidence, np.zeros(1000, np.int64), labels, classes=("cat", "dog")).sentences()[0])
    93.2 % accepted automatically, at most 2 % of them wrong (95 % confidence); 6.8 % to review.
    """
    check_guarantee(max_error, confidence_level)
    between("confidence_level", confidence_level, 0.8, 0.9999)
    between("least_coverage", least_coverage, 0.0, 1.0)
    one_of("scope", scope, ("all", "class"))
    sure, predictions, true = _checked(confidence, predicted, labels, len(classes))
    tested = np.ones(len(sure), bool) if reviewed is None else ~np.asarray(reviewed, bool)
    if groups is not None:
        rows = one_per_group(groups, seed=seed)
        sure, predictions, true, tested = sure[rows], predictions[rows], true[rows], tested[rows]
    request = _Request(max_error, least_coverage)
    wrong = predictions != true
    overall = request.guarantee(sure[tested], wrong[tested], confidence_level)
    # Bonferroni: with alpha / K for each of K classes, all their guarantees hold together with 1 - alpha.
    class_level = 1 - (1 - confidence_level) / max(len(classes), 1)
    by_class = [tested & (predictions == k) for k in range(len(classes))]
    guarantees = [request.guarantee(sure[rows], wrong[rows], class_level) for rows in by_class]
    thresholds = [guarantee.threshold if scope == "class" else overall.threshold for guarantee in guarantees]
    accepted = tested & accepts(sure, predictions, thresholds)
    entries = tuple(
        _class_triage(name, guarantee, accepted & (predictions == k), wrong, overall, scope, max_error)
        for k, (name, guarantee) in enumerate(zip(classes, guarantees, strict=True))
    )
    coverage = _share(int(accepted.sum()), len(sure))
    return Triage(max_error, confidence_level, scope, overall, entries, len(sure), coverage)


@dataclass(frozen=True)
class _Request:
    max_error: float
    least_coverage: float

    def guarantee(self, confidence: Reals, wrong: Flags, confidence_level: float) -> Guarantee:
        """What one threshold guarantees, from confidences (n,) and which predictions are wrong (n,)."""
        limits: Mapping[str, float] = {
            "max_error": self.max_error,
            "confidence_level": confidence_level,
            "least_coverage": self.least_coverage,
        }
        last = last_valid(confidence, wrong, **limits)
        bound = error_bound(last.wrong, last.accepted, confidence_level) if last.accepted else 1.0
        more: int | None = 0
        more_cautious: int | None = 0
        if not last.accepted:
            totals = (rows_needed(confidence, wrong, caution=caution, **limits) for caution in (None, PLAUSIBLE))
            more, more_cautious = (None if total is None else total - len(confidence) for total in totals)
        return Guarantee(
            threshold=last.threshold,
            rows=len(confidence),
            accepted=last.accepted,
            wrong=last.wrong,
            bound=bound,
            confidence_level=confidence_level,
            more=more,
            more_cautious=more_cautious,
            first_step=last.first_step,
        )


def _checked(confidence: NDArray[Any], predicted: Ints, labels: Ints, classes: int) -> tuple[Reals, Ints, Ints]:
    sure, predictions, true = np.asarray(confidence, np.float64), np.asarray(predicted), np.asarray(labels)
    if not sure.shape == predictions.shape == true.shape or sure.ndim != 1:
        raise InternalError(
            f"triage was given confidences, predictions and labels of {sure.shape, predictions.shape, true.shape}."
        )
    if len(sure) and not (sure.min() > 0 and sure.max() <= 1):
        raise DataError(
            f"triage needs confidences above 0 and at most 1; found {sure.min():g} to {sure.max():g}: "
            "turn scores into probabilities first."
        )
    for name, values in (("predictions", predictions), ("labels", true)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise DataError(
                f"triage needs {name} among the {quantity(classes, 'class', 'classes')}, without unlabelled ones."
            )
    return sure, predictions, true


def _class_triage(
    name: str, guarantee: Guarantee, inside: Flags, wrong: Flags, overall: Guarantee, scope: str, max_error: float
) -> ClassTriage:
    accepted, errors = int(inside.sum()), int((inside & wrong).sum())
    # A two-sided interval at 2 c - 1 has a one-sided lower end at confidence c.
    low, _ = clopper_pearson(errors, accepted, confidence=2 * guarantee.confidence_level - 1)
    if not accepted:
        status = NONE_ACCEPTED
    elif guarantee.feasible and (scope == "class" or guarantee.threshold <= overall.threshold):
        status = GUARANTEED
    else:
        status = VIOLATED if float(low) > max_error else NOT_SHOWN
    return ClassTriage(name, guarantee, accepted, errors, status)


def _share(accepted: int, rows: int) -> Estimate:
    low, high = clopper_pearson(accepted, rows)
    return Estimate(accepted / max(rows, 1), float(low), float(high), "coverage", 0.95, "exact binomial")

"""Triage with a guarantee: from which confidence on an answer is accepted, so that few of the accepted are wrong.

Takes the confidence and the answer of each labelled image, by a model that was not trained on it; returns a `Triage`:
thresholds, what they promise, for all answers and for each class, or the refusal with how many more labelled images
would do. It computes no confidences. What the promise rests on is said in `trust.triage.fixed_sequence`; that the new
images are like the labelled ones is the user's to know (`trust.shift.label_shift` watches one way in which they may
not be).
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
    BROKEN,
    KEPT,
    NONE_ACCEPTED,
    NOT_SHOWN,
    ClassTriage,
    Guarantee,
    Triage,
    accepts,
)

LEAST_COVERAGE = 1 / 3
"""Where the sequence of thresholds starts. A later start survives a wrong label among the surest, an earlier one serves
data of which little can be accepted; a third lies between (150 simulated draws of 1,000 images, 2 %: with 1 % of labels
wrong a start at 15, 25, 40 % made a promise in 41, 55, 75 %; where 87 % are right, in 75, 68, 37 %)."""

PLAUSIBLE = 0.8
"""How sure a bound is up to which an error counts as plausible, where more images are asked for."""


def top_predictions(probabilities: NDArray[Any]) -> tuple[Ints, Reals]:
    """The answered class and its confidence: (n,) and (n,), from (n, K) or (repeats, n, K), averaged over repeats.

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
    y: Ints,
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

    confidence: (n,) above 0, at most 1; out of fold, or of a held-out set. predicted, y: (n,) answered and true class.
    classes: their names. max_error: 0.0001 to 0.5. confidence_level: 0.8 to 0.9999, over draws of labelled data. scope:
    'all' or 'class', see `Triage`; in both, the classes' promises share 1 - confidence_level evenly (Bonferroni).
    groups: (n,) one image of each group is tested, drawn by `seed`, so the promise is about images of new groups,
    groups counting alike. reviewed: (n,) images that a person sees however sure the answer is (novel ones): they take
    no part in the test and count as not accepted. least_coverage: where the sequence of thresholds starts, 0 to 1; it
    must be fixed before the data are seen: trying several and keeping the best voids the promise.

    >>> sure = np.linspace(0.99, 0.5, 1000)
    >>> y = (np.arange(1000) > 930).astype(np.int64)
    >>> print(triage(sure, np.zeros(1000, np.int64), y, classes=("cat", "dog")).sentences()[0])
    93.2 % accepted automatically, at most 2 % of them wrong (95 % confidence); 6.8 % to review.
    """
    check_guarantee(max_error, confidence_level)
    between("confidence_level", confidence_level, 0.8, 0.9999)
    between("least_coverage", least_coverage, 0.0, 1.0)
    one_of("scope", scope, ("all", "class"))
    sure, said, true = _checked(confidence, predicted, y, len(classes))
    judged = np.ones(len(sure), bool) if reviewed is None else ~np.asarray(reviewed, bool)
    if groups is not None:
        kept = one_per_group(groups, seed=seed)
        sure, said, true, judged = sure[kept], said[kept], true[kept], judged[kept]
    request = _Request(max_error, least_coverage)
    wrong = said != true
    overall = request.promise(sure[judged], wrong[judged], confidence_level)
    shared = 1 - (1 - confidence_level) / max(len(classes), 1)
    answered = [judged & (said == k) for k in range(len(classes))]
    own = [request.promise(sure[rows], wrong[rows], shared) for rows in answered]
    inside = judged & accepts(sure, said, [p.threshold if scope == "class" else overall.threshold for p in own])
    found = tuple(
        _class(name, promise, inside & (said == k), wrong, overall, scope, max_error)
        for k, (name, promise) in enumerate(zip(classes, own, strict=True))
    )
    return Triage(max_error, confidence_level, scope, overall, found, len(sure), _share(int(inside.sum()), len(sure)))


@dataclass(frozen=True)
class _Request:
    max_error: float
    least_coverage: float

    def promise(self, confidence: Reals, wrong: Flags, confidence_level: float) -> Guarantee:
        """What one threshold can promise, from confidences (n,) and which answers are wrong (n,)."""
        asked: Mapping[str, float] = {
            "max_error": self.max_error,
            "confidence_level": confidence_level,
            "least_coverage": self.least_coverage,
        }
        reached = last_valid(confidence, wrong, **asked)
        bound = error_bound(reached.wrong, reached.accepted, confidence_level) if reached.accepted else 1.0
        more: int | None = 0
        cautious: int | None = 0
        if not reached.accepted:
            more, cautious = (self._more(confidence, wrong, asked, caution) for caution in (None, PLAUSIBLE))
        return Guarantee(
            reached.threshold,
            len(confidence),
            reached.accepted,
            reached.wrong,
            bound,
            confidence_level,
            more,
            cautious,
            reached.first,
        )

    def _more(self, confidence: Reals, wrong: Flags, asked: Mapping[str, float], caution: float | None) -> int | None:
        total = rows_needed(confidence, wrong, caution=caution, **asked)
        return None if total is None else total - len(confidence)


def _checked(confidence: NDArray[Any], predicted: Ints, y: Ints, classes: int) -> tuple[Reals, Ints, Ints]:
    sure, said, true = np.asarray(confidence, np.float64), np.asarray(predicted), np.asarray(y)
    if not sure.shape == said.shape == true.shape or sure.ndim != 1:
        raise InternalError(
            f"triage was given confidences, answers and labels of {sure.shape, said.shape, true.shape}."
        )
    if len(sure) and not (sure.min() > 0 and sure.max() <= 1):
        raise DataError(
            f"triage needs confidences above 0 and at most 1; found {sure.min():g} to {sure.max():g}: "
            "turn scores into probabilities first."
        )
    for name, values in (("answers", said), ("labels", true)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise DataError(
                f"triage needs {name} among the {quantity(classes, 'class', 'classes')}, without unlabelled ones."
            )
    return sure, said, true


def _class(
    name: str, own: Guarantee, inside: Flags, wrong: Flags, overall: Guarantee, scope: str, max_error: float
) -> ClassTriage:
    accepted, errors = int(inside.sum()), int((inside & wrong).sum())
    low, _ = clopper_pearson(errors, accepted, confidence=2 * own.confidence_level - 1)
    if not accepted:
        status = NONE_ACCEPTED
    elif own.kept and (scope == "class" or own.threshold <= overall.threshold):
        status = KEPT
    else:
        status = BROKEN if float(low) > max_error else NOT_SHOWN
    return ClassTriage(name, own, accepted, errors, status)


def _share(accepted: int, rows: int) -> Estimate:
    low, high = clopper_pearson(accepted, rows)
    return Estimate(accepted / max(rows, 1), float(low), float(high), "coverage", 0.95, "exact binomial")

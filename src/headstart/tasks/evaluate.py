"""How a predictor does on labelled images it has not seen: matched by class name, never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import listed
from headstart.errors import DataError
from headstart.metrics.intervals import Estimate, clopper_pearson
from headstart.metrics.probability import brier, calibration_error, log_loss
from headstart.metrics.tallies import confusion, measured, score
from headstart.records import UNLABELLED, Failure, Floats, Ints, Samples

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.runtime import Predictor


@dataclass(frozen=True)
class ClassScore:
    """One class: how many images it has, the share of them found (with its interval), and how far its name can be
    trusted (precision)."""

    name: str
    count: int
    recall: float
    low: float
    high: float
    precision: float
    f1: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores on labelled images. confusion: (classes, classes), rows are the truth."""

    images: int
    accuracy: Estimate
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    brier: float
    calibration_error: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[float, ...], ...]
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def evaluate(
    predictor: Predictor, samples: Samples, *, split: str | None = None, device: Device | None = None
) -> Evaluation:
    """Predict labelled samples and score the answers.

    split: only these rows ('train', 'val' or 'test'). Raises `DataError` where the samples have a class that the
    predictor does not know, or no image can be read.
    """
    if split is not None:
        samples = _only(samples, split)
    labels = _as_known(predictor.classes, samples)
    found = predictor.predict(samples.images, names=samples.names, device=device)
    if not len(found):
        raise DataError(f"none of the {len(samples)} images could be read, so there is nothing to score.")
    failed = {failure.row for failure in found.failures}
    kept = np.array([row not in failed for row in range(len(samples))])
    groups = None if samples.groups is None else samples.groups[kept]
    lacking = sorted(set(predictor.classes) - set(samples.classes))
    notes = (f"the data have no image of {listed(lacking)}, so nothing is said about them.",) if lacking else ()
    return assess(
        labels[kept],
        found.probabilities,
        predictor.classes,
        groups=groups,
        failures=found.failures,
        notes=notes,
    )


def _only(samples: Samples, split: str) -> Samples:
    if samples.splits is None or split not in samples.splits:
        there = sorted(set(samples.splits.tolist())) if samples.splits is not None else []
        raise DataError(f"the split {split!r} was asked for, but the data have {listed(there) or 'no splits'}.")
    return samples.take(samples.splits == split)


def _as_known(classes: Sequence[str], samples: Samples) -> Ints:
    """The labels as numbers of the predictor's classes, by name."""
    unknown = sorted(set(samples.classes) - set(classes))
    if unknown:
        raise DataError(
            f"the data have the classes {listed(unknown)}, which the model does not know "
            f"(it knows {listed(list(classes))}): rename or remove them."
        )
    if (samples.labels == UNLABELLED).any():
        raise DataError("some images have no label, so the answers cannot be scored.")
    position = np.array([list(classes).index(name) for name in samples.classes], dtype=np.int64)
    return position[samples.labels]


def assess(
    labels: Ints,
    probabilities: Floats,
    classes: Sequence[str],
    *,
    groups: Ints | None = None,
    failures: tuple[Failure, ...] = (),
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """Score class probabilities (n, classes) against labels (n,)."""
    answers = probabilities.argmax(axis=1).astype(np.int64)
    table = confusion(labels, answers, len(classes))
    return Evaluation(
        images=len(labels),
        accuracy=measured("accuracy", labels, answers, len(classes), groups=groups),
        balanced_accuracy=score("balanced-accuracy", labels, answers, len(classes)),
        macro_f1=score("macro-f1", labels, answers, len(classes)),
        log_loss=log_loss(labels, probabilities),
        brier=brier(labels, probabilities),
        calibration_error=calibration_error(labels, probabilities),
        per_class=class_scores(table, classes),
        confusion=tuple(tuple(row) for row in table.tolist()),
        failures=failures,
        notes=notes,
    )


def class_scores(table: NDArray[np.float64], classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Recall, precision and F1 of every class from a confusion matrix (rows are the truth)."""
    hits, actual, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    low, high = clopper_pearson(hits, actual)
    recall = hits / np.maximum(actual, 1e-12)
    precision = hits / np.maximum(predicted, 1e-12)
    f1 = 2 * hits / np.maximum(actual + predicted, 1e-12)
    columns = zip(classes, actual, recall, low, high, precision, f1, strict=True)
    return tuple(ClassScore(name, round(float(n)), *(float(v) for v in rest)) for name, n, *rest in columns)

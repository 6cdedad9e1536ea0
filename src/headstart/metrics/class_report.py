"""Classification report of a set of predictions: scores with intervals, a line for each class, the confusion table.

Takes class probabilities and true classes; used for out-of-fold predictions and for a held-out test set alike.
It does not correct for selection (`choose.corrected` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics import probability
from headstart.metrics.classes import ClassCounts, confusion, estimate_score
from headstart.metrics.intervals import Estimate, Reals, effective_size, wilson
from headstart.records.arrays import Ints


@dataclass(frozen=True)
class ClassScores:
    """How one class fares.

    count: its images. recall: the share of them that were predicted rightly, with its interval (Wilson).
    precision: the share of predictions of it that were right (0 where there are none). f1: their
    harmonic mean.
    """

    name: str
    count: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float
    f1: float


@dataclass(frozen=True, eq=False)
class Scorecard:
    """The scores of a set of predictions.

    accuracy, balanced_accuracy, macro_f1: with intervals. per_class: one line a class. confusion: (classes,
    classes) how often each class (row) was predicted as each (column), the mean over repeats. log_loss,
    brier, calibration_error: of the probabilities, lower is better.
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    macro_f1: Estimate
    per_class: tuple[ClassScores, ...]
    confusion: Reals
    log_loss: float
    brier: float
    calibration_error: float


def scorecard(
    labels: Ints,
    probabilities: NDArray[Any],
    classes: Sequence[str],
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
) -> Scorecard:
    """Report on predictions. labels: (n,) class numbers. probabilities: (n, classes) or (repeats, n, classes).

    Repeats are averaged and add no certainty; images of one group are not counted as independent.

    >>> card = scorecard(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), ("cat", "dog"))
    >>> print(card.accuracy, card.per_class[0].precision)
    50.0 % (1.3–98.7) 0.5
    """
    stacked = probabilities.reshape(-1, len(labels), len(classes))
    predicted = stacked.argmax(axis=-1)
    tiled, flat = np.tile(labels, len(stacked)), stacked.reshape(-1, len(classes))
    accuracy, balanced, f1 = (
        estimate_score(metric, labels, predicted, len(classes), groups=groups, confidence=confidence)
        for metric in ("accuracy", "balanced-accuracy", "macro-f1")
    )
    return Scorecard(
        accuracy,
        balanced,
        f1,
        per_class(labels, predicted, classes, groups=groups, confidence=confidence),
        confusion(labels, predicted, len(classes)),
        probability.log_loss(tiled, flat),
        probability.brier(tiled, flat),
        probability.calibration_error(tiled, flat),
    )


def per_class(
    labels: Ints,
    predicted: Ints,
    classes: Sequence[str],
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
) -> tuple[ClassScores, ...]:
    """Recall, precision and F1 of each class. labels: (n,). predicted: (n,) or (repeats, n), averaged over repeats."""
    predicted = np.atleast_2d(predicted)
    counts = ClassCounts.of(labels, predicted, len(classes))
    correct = (predicted == labels).mean(axis=0)
    alone = [labels == k for k in range(len(classes))]
    sizes = np.array(
        [effective_size(correct[r], None if groups is None else groups[r], confidence=confidence) for r in alone]
    )
    recall = counts.hits / np.maximum(counts.actual, 1)
    precision = counts.hits / np.where(counts.predicted > 0, counts.predicted, 1)
    f1 = 2 * counts.hits / np.maximum(counts.actual + counts.predicted, 1e-12)
    low, high = wilson(recall * sizes, sizes, confidence=confidence)
    columns = (recall, low, high, precision, f1)
    lines = zip(classes, counts.actual, *columns, strict=True)
    return tuple(ClassScores(name, round(count), *map(float, line)) for name, count, *line in lines)

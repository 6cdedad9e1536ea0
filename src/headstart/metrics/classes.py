"""Accuracy, balanced accuracy and macro-F1 from one count of predictions per class.

Every metric here is a mean of shares, hits / trials: one share over all images (accuracy), one a class
among the images of that class (balanced accuracy: recall), or one a class among the mean of its images and
its predictions (macro-F1: 2 hits / (actual + predicted)). So one code computes them, resamples them and puts
intervals around them. Metrics that need probabilities are in `metrics.probability`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.checks import one_of
from headstart.metrics.intervals import Estimate, Reals, effective_size, mean_share
from headstart.records.arrays import Ints

METRICS = ("accuracy", "balanced-accuracy", "macro-f1")


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Predictions counted per class; need not be whole (means over repeats).

    hits: (classes,) images of the class that were predicted rightly. predicted: (classes,) predictions
    of the class. actual: (classes,) images of the class.
    """

    hits: Reals
    predicted: Reals
    actual: Reals

    @classmethod
    def of(cls, y: Ints, predicted: Ints, classes: int) -> ClassCounts:
        """Count predictions. y: (n,). predicted: (n,) or (repeats, n), of which the mean over repeats is taken."""
        table = confusion(y, predicted, classes)
        return cls(np.diag(table).copy(), table.sum(axis=0), table.sum(axis=1))


def confusion(y: Ints, predicted: Ints, classes: int) -> Reals:
    """How often each class (row) was predicted as each class (column), (classes, classes).

    y: (n,) class numbers. predicted: (n,) or (repeats, n), of which the mean over repeats is taken.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    repeats = np.atleast_2d(predicted).astype(np.int64)
    cells = (np.asarray(y, np.int64) * classes + repeats).ravel()  # one number for each (true, predicted) pair
    counts = np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
    return counts / len(repeats)


def shares(metric: str, counts: ClassCounts) -> tuple[Reals, Reals]:
    """The metric's hits and trials, (1,) for accuracy and (classes,) otherwise; it is the mean of hits / trials."""
    one_of("metric", metric, METRICS)
    if metric == "accuracy":
        return counts.hits.sum(keepdims=True), counts.actual.sum(keepdims=True)
    if metric == "balanced-accuracy":
        return counts.hits, counts.actual
    return counts.hits, (counts.actual + counts.predicted) / 2


def score(metric: str, y: Ints, predicted: Ints, classes: int) -> float:
    """The metric's value, between 0 and 1; classes that never occur are left out, as scikit-learn does.

    >>> round(score("macro-f1", np.array([0, 0, 1]), np.array([0, 1, 1]), 2), 4)
    0.6667
    """
    hits, trials = shares(metric, ClassCounts.of(y, predicted, classes))
    used = trials > 0
    return float((hits[used] / trials[used]).mean()) if used.any() else 0.0


def effective_share(metric: str, y: Ints, correct: Reals, classes: int, groups: Ints | None = None) -> Reals:
    """How much of each of the metric's trials counts once images of one group are taken together, in 0..1.

    correct: (n,) how often each image was predicted rightly. Returns (1,) or (classes,), as `shares` does.
    """
    rows = [np.ones(len(y), bool)] if metric == "accuracy" else [y == k for k in range(classes)]
    if groups is None:
        return np.ones(len(rows))
    return np.array([effective_size(correct[r], groups[r]) / max(int(r.sum()), 1) for r in rows])


def estimate_score(
    metric: str,
    y: Ints,
    predicted: Ints,
    classes: int,
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
    value: float | None = None,
) -> Estimate:
    """The metric with an interval that is never shorter than exact binomial counting allows.

    For a held-out test set this is all: Clopper–Pearson for accuracy, recovered from the
    classes' exact intervals for the other two. y: (n,). predicted: (n,) or (repeats, n): repeats add no
    images. groups: (n,); images of one group are not counted as independent. value: put the interval around
    this corrected value instead.
    """
    repeats = np.atleast_2d(predicted)
    hits, trials = shares(metric, ClassCounts.of(y, repeats, classes))
    sure = effective_share(metric, y, (repeats == y).mean(axis=0), classes, groups)
    if value is not None:
        hits = _moved(hits, trials, value)
    centre, low, high = mean_share(hits * sure, trials * sure, confidence=confidence)
    how = "exact binomial" if groups is None else "exact binomial at the effective number of independent images"
    return Estimate(centre, min(low, centre), max(high, centre), metric, confidence, how)


def _moved(hits: Reals, trials: Reals, value: float) -> Reals:
    """Hits such that the mean share is `value`: all shares scaled down, or all shares of misses."""
    used = trials > 0
    now = float((hits[used] / trials[used]).mean())
    if value <= now:
        return hits * (value / now if now > 0 else 0.0)
    return trials - (trials - hits) * ((1 - value) / (1 - now) if now < 1 else 0.0)

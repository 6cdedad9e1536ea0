"""Classification: one class a row. Its metrics (accuracy, balanced accuracy, macro F1), its loss, its report."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError
from headstart.heads.catalog import HEADS
from headstart.metrics.class_report import Scorecard, scorecard
from headstart.metrics.classes import estimate_score
from headstart.metrics.intervals import Estimate, Reals
from headstart.metrics.metric import Metric, PredictionArray
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from headstart.tasks.task import Task
from headstart.trust.calibration.methods import METHODS
from headstart.trust.calibration.temperature import crossed_probabilities, fit_temperature, row_losses

_ROWS_FOR_TEMPERATURE = 2000


def hits_of_rows(target: Classes, predictions: PredictionArray) -> Floats:
    """(n, configurations) how many of the repeats answered each row rightly."""
    right: NDArray[np.int64] = (predictions == target.labels).sum(axis=1).T
    return right.astype(np.float32)


def _accuracy(target: Classes, predictions: PredictionArray, right: Floats) -> Iterator[tuple[Floats, Floats]]:
    repeats = np.float32(predictions.shape[1])
    yield right, np.full((len(target), 1), repeats)


def _by_class(
    target: Classes, predictions: PredictionArray, right: Floats, *, predicted: bool
) -> Iterator[tuple[Floats, Floats]]:
    """A share a class: recall, 2 hits / 2 actual; or, with `predicted`, F1 = 2 hits / (actual + predicted)."""
    repeats = np.float32(predictions.shape[1])
    for k in range(len(target.names)):
        members = (target.labels == k)[:, None]
        trials = repeats * members
        if predicted:
            trials = (trials + (predictions == k).sum(axis=1).T) / 2
        yield right * members, trials.astype(np.float32)


def _everyone(target: Classes) -> list[NDArray[np.bool_]]:
    return [np.ones(len(target), bool)]


def _each_class(target: Classes) -> list[NDArray[np.bool_]]:
    return [target.labels == k for k in range(len(target.names))]


def _classes_alike(target: Classes) -> Reals:
    weights: Reals = 1 / np.bincount(target.labels)[target.labels]
    return weights


def _exact(
    target: Classes,
    predictions: PredictionArray,
    groups: Ints | None,
    confidence: float,
    value: float | None,
    *,
    metric: str,
) -> Estimate:
    return estimate_score(
        metric, target.labels, predictions, len(target.names), groups=groups, confidence=confidence, value=value
    )


ACCURACY = Metric("accuracy", hits_of_rows, _accuracy, _everyone, partial(_exact, metric="accuracy"))
BALANCED_ACCURACY = Metric(
    "balanced-accuracy",
    hits_of_rows,
    partial(_by_class, predicted=False),
    _each_class,
    partial(_exact, metric="balanced-accuracy"),
    _classes_alike,
)
MACRO_F1 = Metric(
    "macro-f1",
    hits_of_rows,
    partial(_by_class, predicted=True),
    _each_class,
    partial(_exact, metric="macro-f1"),
    _classes_alike,
)


def most_probable(scores: Floats) -> NDArray[np.int32]:
    """The class of the highest score in each row."""
    classes: NDArray[np.int32] = scores.argmax(axis=-1).astype(np.int32)
    return classes


def _losses(scores: Floats, target: Classes) -> Floats:
    """Log-loss at the temperature that suits the scores best."""
    temperature = fit_temperature(scores, target.labels, most_rows=_ROWS_FOR_TEMPERATURE)
    return row_losses(scores, target.labels, temperature)


def _commonest(target: Classes) -> Ints:
    return np.full(len(target), np.bincount(target.labels).argmax())


def _report(scores: Floats, rows: Rows, confidence: float) -> Scorecard:
    """The figures of out-of-fold scores; probabilities are those of temperatures fitted on other folds."""
    labels = rows.labels
    probabilities = crossed_probabilities(scores, labels, rows.folds[: len(scores)])
    return scorecard(labels, probabilities, rows.classes, groups=rows.groups, confidence=confidence)


def _temperature(scores: Floats, target: Classes) -> float:
    return fit_temperature(scores, target.labels)


def _wrong(predictions: NDArray[np.int64], target: Classes) -> NDArray[np.bool_]:
    return np.asarray(predictions != target.labels)


def _check(target: Classes) -> None:
    if len(target.names) < 2 or int(target.labels.min()) < 0:
        raise InternalError("labels lie within at least two classes.")


CLASSIFY = Task(
    name="classify",
    target=Classes,
    metrics={metric.name: metric for metric in (ACCURACY, BALANCED_ACCURACY, MACRO_F1)},
    heads=tuple(HEADS),
    answer=most_probable,
    losses=_losses,
    constant=_commonest,
    report=_report,
    temperature=_temperature,
    calibrations=METHODS,
    wrong=_wrong,
    check=_check,
)

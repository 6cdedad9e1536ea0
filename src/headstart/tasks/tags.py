"""Several labels a row: every tag is a yes or no of its own. Scores are log-odds, one a tag."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.metrics.tags import MACRO_F1, MICRO_F1
from headstart.records.arrays import Floats
from headstart.records.rows import Rows
from headstart.records.targets import Tags
from headstart.tasks.task import Task


def _answer(scores: Floats) -> NDArray[np.bool_]:
    return np.asarray(scores > 0)


def _losses(scores: Floats, target: Tags) -> Floats:
    """Binary log-loss, the mean over tags and repeats: log(1 + exp(∓score))."""
    signs = np.where(target.present, -1.0, 1.0)
    losses: NDArray[np.float64] = np.logaddexp(0, signs * scores).mean(axis=(0, 2))
    return losses.astype(np.float32)


def _constant(target: Tags) -> NDArray[np.bool_]:
    """The tags that more than half of the rows carry."""
    return np.broadcast_to(target.present.mean(axis=0) > 0.5, target.present.shape)


def _report(scores: Floats, rows: Rows, confidence: float) -> dict[str, float]:
    predictions = _answer(scores)
    return {metric.name: metric.value(rows.target, predictions) for metric in (MACRO_F1, MICRO_F1)}


def _check(target: Tags) -> None:
    rare = [name for name, count in target.describe().items() if not 2 <= count <= len(target) - 2]
    if rare:
        raise DataError(f"the tag {rare[0]!r} is carried by fewer than two rows, or by nearly all: leave it out.")


TAGS = Task(
    name="tags",
    target=Tags,
    metrics={metric.name: metric for metric in (MACRO_F1, MICRO_F1)},
    heads=(),
    answer=_answer,
    losses=_losses,
    constant=_constant,
    report=_report,
    temperature=lambda scores, target: 1.0,
    calibrations=(),
    wrong=lambda predictions, target: np.asarray((predictions != target.present).any(axis=-1)),
    check=_check,
)

"""What is scored where a row carries any number of tags: macro F1 and micro F1, as means of shares.

F1 = 2 TP / (2 TP + FP + FN) = TP / ((actual + predicted) / 2): one share a tag (macro), or one over all tags (micro).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.metric import Metric, PredictionArray
from headstart.records.arrays import Floats
from headstart.records.targets import Tags


def _right(target: Tags, predictions: PredictionArray) -> Floats:
    """(n, configurations) the share of tags that are right, summed over repeats."""
    right: NDArray[np.float64] = (predictions == target.present).mean(axis=-1).sum(axis=1).T
    return right.astype(np.float32)


def _macro(target: Tags, predictions: PredictionArray, right: Floats) -> Iterator[tuple[Floats, Floats]]:
    for k in range(len(target.names)):
        yield _share(target.present[:, k : k + 1], predictions[..., k : k + 1])


def _micro(target: Tags, predictions: PredictionArray, right: Floats) -> Iterator[tuple[Floats, Floats]]:
    yield _share(target.present, predictions)


def _share(present: NDArray[np.bool_], predictions: PredictionArray) -> tuple[Floats, Floats]:
    """Hits and trials of F1 over some tags. present: (n, k). predictions: (configurations, repeats, n, k)."""
    repeats = predictions.shape[1]
    hits = (predictions & present).sum(axis=(1, 3)).T
    trials = (repeats * present.sum(axis=1)[:, None] + predictions.sum(axis=(1, 3)).T) / 2
    return hits.astype(np.float32), trials.astype(np.float32)


def _every_row(target: Tags) -> list[NDArray[np.bool_]]:
    return [np.ones(len(target), bool)]


MACRO_F1 = Metric("macro-f1", _right, _macro, _every_row)
MICRO_F1 = Metric("micro-f1", _right, _micro, _every_row)

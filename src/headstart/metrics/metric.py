"""The contract of a metric: a mean of shares, each a ratio of two sums over rows.

Accuracy is one share (right rows / rows), balanced accuracy one a class, Dice, mean IoU and F1 likewise. Because sums
over rows are all that is asked for, the bootstrap by groups, the correction for selection (BBC-CV) and paired gains are
the same code for every metric. What is no such ratio (mAP) can be reported and not raced by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.intervals import Estimate, Reals
from headstart.records.arrays import Floats

PredictionArray = NDArray[Any]
"""Predictions (configurations, repeats, n), or (configurations, repeats, n, K) where a row has several."""


@dataclass(frozen=True)
class Metric:
    """A mean of shares, as data.

    name: as the user writes it.
    right: target and predictions → (n, configurations) how right each row is, summed over repeats.
    parts: target, predictions and what `right` gave → for every share its hits and trials, each (n, configurations) or
    (n, 1), summed over repeats; whole or half numbers, so that equal scores stay exactly equal in float32.
    members: target → for every share the rows that it is about, (n,) masks; used for intervals of paired differences.
    exact: target, predictions (repeats, n), groups, confidence and value → the interval that counting allows, beside
    the bootstrap's; None where there is none.
    weights: target → (n,) how much each row's loss counts, where classes are to count alike; None for all alike.
    """

    name: str
    right: Callable[[Any, PredictionArray], Floats]
    parts: Callable[[Any, PredictionArray, Floats], Iterator[tuple[Floats, Floats]]]
    members: Callable[[Any], list[NDArray[np.bool_]]]
    exact: Callable[..., Estimate] | None = None
    weights: Callable[[Any], Reals] | None = None

    def value(self, target: Any, predictions: PredictionArray) -> float:
        """The metric of one configuration's predictions, (repeats, n) or (n,); shares without trials are left out."""
        pool = predictions[None] if predictions.ndim > target.values.ndim else predictions[None, None]
        sums = [
            (float(hits.sum(dtype=np.float64)), float(trials.sum(dtype=np.float64)))
            for hits, trials in self.parts(target, pool, self.right(target, pool))
        ]
        shares = [hits / trials for hits, trials in sums if trials > 0]
        return float(np.mean(shares)) if shares else 0.0

"""The contract of a task: what differs between predicting classes, tags, numbers, boxes or masks, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.metric import Metric
from headstart.records.arrays import Floats


@dataclass(frozen=True)
class Task:
    """What is predicted, and how it is scored.

    name: as a saved model's manifest has it.
    target: the record of its labels (`records.targets`).
    metrics: by name, the default first.
    heads: names of the catalogue's heads that learn such labels.
    answer: scores (..., n, K) → predictions (..., n), or (..., n, K) where a row has several.
    losses: scores (repeats, n, K) and target → (n,) a proper loss, the mean over repeats; decides ties.
    constant: target → (n,) or (n, K): what a model that looks at nothing does best to answer.
    report: scores, rows, confidence → the scorecard of the chosen configuration.
    temperature: scores and target → what the scores are divided by before they become probabilities.
    calibrations: names of the calibrations that may be tried; none where scores are no probabilities.
    wrong: predictions and target → (n,) which rows count as wrong for triage.
    check: raises where such labels cannot be compared.
    spatial: whether it looks at positions of a tap and not at pooled vectors.
    """

    name: str
    target: type
    metrics: Mapping[str, Metric]
    heads: tuple[str, ...]
    answer: Callable[[Floats], NDArray[Any]]
    losses: Callable[[Floats, Any], Floats]
    constant: Callable[[Any], NDArray[Any]]
    report: Callable[..., Any]
    temperature: Callable[[Floats, Any], float]
    calibrations: tuple[str, ...]
    wrong: Callable[[NDArray[Any], Any], NDArray[np.bool_]]
    check: Callable[[Any], None]
    spatial: bool = False

"""What all strategies of a comparison are scored on, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.choose.scoring import ScoredStrategy
from headstart.choose.selection import Pool, best_columns
from headstart.metrics.metric import Metric
from headstart.records.rows import Rows
from headstart.tasks.task import Task


@dataclass(frozen=True, eq=False)
class Trial:
    """The rows, the task, and what counts: the metric, and the gain (a share) from which on a difference matters."""

    rows: Rows
    task: Task
    metric: Metric
    min_gain: float
    confidence: float = 0.95

    def score(self, run: ScoredStrategy) -> float:
        """A strategy's score with its best configuration on the rows scored, not corrected for anything."""
        return float(self._pool(run.predictions, run.losses, run.scored).whole.max())

    def pair(self, runs: Sequence[ScoredStrategy]) -> Pool:
        """The best configurations of two strategies on the rows that both were scored on."""
        rows = np.logical_and.reduce([run.scored for run in runs])
        best = [self.best(run, rows) for run in runs]
        predictions = np.stack([run.predictions[number] for run, number in zip(runs, best, strict=True)])
        losses = np.stack([run.losses[number] for run, number in zip(runs, best, strict=True)])
        return self._pool(predictions, losses, rows)

    def best(self, run: ScoredStrategy, rows: NDArray[np.bool_] | None = None) -> int:
        """The number of a strategy's best configuration on these rows; None stands for all that it was scored on."""
        pool = self._pool(run.predictions, run.losses, run.scored if rows is None else rows)
        return int(best_columns(pool.whole[None], pool.whole_losses[None])[0])

    def _pool(self, predictions: NDArray, losses: NDArray, rows: NDArray[np.bool_]) -> Pool:  # type: ignore[type-arg]
        return Pool(self.rows.target, predictions, losses, self.metric, self.rows.groups).take(rows)

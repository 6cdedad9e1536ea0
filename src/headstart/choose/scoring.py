"""A strategy's out-of-fold scores: of all folds at once, or fold by fold.

`score_whole` scores a strategy on all folds; `FoldwiseRun` does so fold by fold, so that a costly one can be given up
on the way. Both end in a `ScoredStrategy`: predictions and losses of every configuration. What is compared with what is
decided elsewhere (`choose.budgeted`, `choose.race`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.choose.selection import Pool, best_columns
from headstart.choose.strategy import Strategy
from headstart.errors import InternalError
from headstart.metrics.metric import Metric
from headstart.records.arrays import Floats
from headstart.records.rows import Rows
from headstart.tasks.task import Task

if TYPE_CHECKING:
    from headstart.heads.base import PathScores

Clock: TypeAlias = Callable[[], float]
"""Seconds that have passed since some moment."""


@dataclass(frozen=True, eq=False)
class ScoredStrategy:
    """A strategy's configurations with their predictions (configurations, repeats, n, …) and losses
    (configurations, n), out of fold.

    best: (repeats, n, K) the scores of the best configuration. scored: (n,) the rows that were scored; the others'
    predictions mean nothing. folds: how many of a repeat's folds were done. seconds: what it took.
    """

    configurations: tuple[dict[str, Any], ...]
    predictions: NDArray[Any]
    losses: Floats
    best: Floats
    scored: NDArray[np.bool_]
    folds: int
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every row was scored."""
        return bool(self.scored.all())

    def of_first_folds(self, folds: int, rows: NDArray[np.bool_]) -> ScoredStrategy:
        """On these rows, those of the first `folds` folds of the first repeat, alone."""
        return replace(
            self,
            predictions=self.predictions[:, :1, rows],
            losses=self.losses[:, rows],
            best=self.best[:1, rows],
            scored=self.scored[rows],
            folds=min(self.folds, folds),
        )

    def filled(self, like: ScoredStrategy, number: int) -> ScoredStrategy:
        """With the predictions and losses of another's configuration where this one has none.

        So that a strategy that was given up stands in the pool as what it was taken for: no better than the other one
        on the folds that it was not tried on.
        """
        if self.whole:
            return self
        shape = (1, 1, -1) + (1,) * (self.predictions.ndim - 3)
        predictions = np.where(self.scored.reshape(shape), self.predictions, like.predictions[number][None])
        losses = np.where(self.scored, self.losses, like.losses[number][None])
        return replace(self, predictions=predictions, losses=losses)


def score_whole(
    strategy: Strategy, rows: Rows, task: Task, metric: Metric, clock: Clock = time.perf_counter
) -> ScoredStrategy:
    """Score a strategy on all folds."""
    start = clock()
    path = strategy.path(rows)
    seconds = clock() - start
    _check(strategy, path, rows)
    return summarise_scores(path, rows, np.ones(len(rows), bool), task, metric, rows.fold_count, seconds)


def summarise_scores(
    path: PathScores, rows: Rows, scored: NDArray[np.bool_], task: Task, metric: Metric, folds: int, seconds: float
) -> ScoredStrategy:
    """What scores (configurations, repeats, n, K) come to, on the rows that were scored."""
    predictions = task.answer(path.scores)
    target = rows.target.take(scored)
    losses = np.zeros((len(path.scores), len(rows)), np.float32)
    losses[:, scored] = [task.losses(scores[:, scored], target) for scores in path.scores]
    pool = Pool(target, predictions[:, :, scored], losses[:, scored], metric)
    best = int(best_columns(pool.whole[None], pool.whole_losses[None])[0])
    return ScoredStrategy(path.configurations, predictions, losses, path.scores[best].copy(), scored, folds, seconds)


@dataclass(eq=False)
class FoldwiseRun:
    """A strategy that is scored fold by fold, on the first repeat of the folds.

    Its predictions in the other repeats are taken to be those of the first: the same expectation, from fewer draws.
    """

    strategy: Strategy
    rows: Rows
    task: Task
    metric: Metric
    clock: Clock = time.perf_counter
    done: int = field(default=0, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    _path: PathScores | None = field(default=None, init=False)

    @property
    def total(self) -> int:
        """How many folds there are."""
        return int(self.rows.folds[0].max()) + 1

    @property
    def left(self) -> int:
        """How many folds are still to be done."""
        return self.total - self.done

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) the rows of the folds that are done."""
        rows: NDArray[np.bool_] = self.rows.folds[0] < self.done
        return rows

    def step(self) -> None:
        """Score the next fold."""
        start = self.clock()
        fold = replace(self.rows, folds=np.where(self.rows.folds[0] == self.done, 0, -1)[None])
        path = self.strategy.path(fold)
        _check(self.strategy, path, fold)
        if self._path is None:
            self._path = replace(path, scores=np.zeros_like(path.scores))
        held_out = fold.folds[0] == 0
        self._path.scores[:, :, held_out] = path.scores[:, :, held_out]
        self.seconds.append(self.clock() - start)
        self.done += 1

    def so_far(self) -> ScoredStrategy:
        """What the folds that are done come to."""
        assert self._path is not None
        result = summarise_scores(
            self._path, self.rows, self.scored, self.task, self.metric, self.done, sum(self.seconds)
        )
        return replace(result, predictions=np.repeat(result.predictions, len(self.rows.folds), axis=1))


def _check(strategy: Strategy, path: PathScores, rows: Rows) -> None:
    wanted = (len(path.configurations), *rows.folds.shape, len(rows.target.names))
    if path.scores.shape != wanted or not np.isfinite(path.scores).all():
        raise InternalError(f"{strategy.about.name!r} gave scores that are not finite or of a wrong shape.")

"""A candidate of the comparison, and its out-of-fold scores: of all folds at once, or fold by fold.

`Candidate` is a head or a fine-tune with the features it looks at. `score_whole` scores it on all folds; `Running` does
so fold by fold, so that a dear one can be given up on the way. Both end in a `Scored`: answers and losses of every
setting. What is compared with what is decided elsewhere (`choose.budgeted`, `choose.race`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.choose.selection import Pool, best_columns
from headstart.errors import InternalError
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.temperature import fit_temperature, row_losses

if TYPE_CHECKING:
    from headstart.heads.base import PathScores

Clock: TypeAlias = Callable[[], float]
"""Seconds that have passed since some moment."""

_ROWS_FOR_TEMPERATURE = 2000


class Head(Protocol):
    """What a candidate's head must be able to do here (see `heads.base`)."""

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """Out-of-fold scores of each setting tried."""


@dataclass(frozen=True)
class ExpectedGain:
    """What is expected of a candidate that is scored fold by fold, before it has been seen on these data.

    gain: over frozen features, as a share of the errors that these leave. depth: share of the network that trains, 0 to
    1; candidates of like depth are expected to do alike. asked: whether the user named it: it is begun then, however
    little is expected of it.
    """

    gain: float
    depth: float
    asked: bool = False


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way of transferring that takes part in the race.

    name: of the head. features: what it looks at, in words. X: (n, d) float32. head: an estimator of `heads`.
    cost: per image at prediction time, mostly its backbones' forward passes; only ratios matter. backbones: their
    names. prior: the gain, as a share, that other data sets led one to expect of it; it decides ties alone. seconds:
    modelled, of scoring it on all folds at once, or, where it has a promise, of one fold.
    """

    name: str
    features: str
    X: Floats
    head: Head
    cost: float
    backbones: tuple[str, ...] = ()
    prior: float = 0.0
    seconds: float = 0.0
    promise: ExpectedGain | None = None


@dataclass(frozen=True, eq=False)
class ScoredCandidate:
    """A candidate's settings with their answers (settings, repeats, n) and losses (settings, n), out of fold.

    best: (repeats, n, classes) the scores of the best setting. seen: (n,) the rows that were scored; the others'
    answers mean nothing. folds: how many of a repeat's folds were done. seconds: what it took.
    """

    settings: tuple[dict[str, Any], ...]
    answers: NDArray[np.int32]
    losses: Floats
    best: Floats
    seen: NDArray[np.bool_]
    folds: int
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every row was scored."""
        return bool(self.seen.all())

    def filled(self, like: ScoredCandidate, number: int) -> ScoredCandidate:
        """With the answers and losses of another's setting where this one has none.

        So that a candidate that was given up stands in the pool as what it was taken for: no better than the other one
        on the folds that it was not tried on.
        """
        if self.whole:
            return self
        answers = np.where(self.seen, self.answers, like.answers[number][None])
        return replace(self, answers=answers, losses=np.where(self.seen, self.losses, like.losses[number][None]))


def score_whole(
    candidate: Candidate, y: Ints, folds: Ints, classes: int, metric: str, clock: Clock = time.perf_counter
) -> ScoredCandidate:
    """Score a candidate on all folds. folds: (repeats, n)."""
    start = clock()
    path = candidate.head.path_scores(candidate.X, y, folds)
    seconds = clock() - start
    _check(candidate, path, folds, classes)
    everywhere = np.ones(len(y), bool)
    return summarise_scores(path.configurations, path.scores, y, everywhere, metric, int(folds.max()) + 1, seconds)


def summarise_scores(
    settings: tuple[dict[str, Any], ...],
    scores: Floats,
    y: Ints,
    seen: NDArray[np.bool_],
    metric: str,
    folds: int,
    seconds: float,
) -> ScoredCandidate:
    """What scores (settings, repeats, n, classes) come to, on the rows seen."""
    answers = scores.argmax(axis=-1).astype(np.int32)
    losses = np.zeros(scores.shape[::2], np.float32)
    losses[:, seen] = [_losses(each[:, seen], y[seen]) for each in scores]
    alone = Pool(y[seen], answers[:, :, seen], losses[:, seen], scores.shape[-1], None, metric)
    best = int(best_columns(alone.whole[None], alone.whole_losses[None])[0])
    return ScoredCandidate(settings, answers, losses, scores[best].copy(), seen, folds, seconds)


@dataclass(eq=False)
class FoldwiseRun:
    """A candidate that is scored fold by fold, on the first repeat of the folds.

    Its answers in the other repeats are taken to be those of the first: the same expectation, from fewer draws.
    """

    candidate: Candidate
    y: Ints
    folds: Ints
    classes: int
    metric: str
    clock: Clock = time.perf_counter
    done: int = field(default=0, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    _scores: Floats | None = field(default=None, init=False)
    _settings: tuple[dict[str, Any], ...] = field(default=(), init=False)

    @property
    def total(self) -> int:
        """How many folds there are."""
        return int(self.folds[0].max()) + 1

    @property
    def left(self) -> int:
        """How many folds are still to be done."""
        return self.total - self.done

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) the rows of the folds that are done."""
        rows: NDArray[np.bool_] = self.folds[0] < self.done
        return rows

    def step(self) -> None:
        """Score the next fold."""
        start = self.clock()
        own = np.where(self.folds[0] == self.done, 0, -1)[None]
        path = self.candidate.head.path_scores(self.candidate.X, self.y, own)
        _check(self.candidate, path, own, self.classes)
        if self._scores is None:
            self._scores, self._settings = np.zeros_like(path.scores), path.configurations
        rows = own[0] == 0
        self._scores[:, :, rows] = path.scores[:, :, rows]
        self.seconds.append(self.clock() - start)
        self.done += 1

    def so_far(self) -> ScoredCandidate:
        """What the folds that are done come to."""
        assert self._scores is not None
        found = summarise_scores(
            self._settings, self._scores, self.y, self.seen, self.metric, self.done, sum(self.seconds)
        )
        return replace(found, answers=np.repeat(found.answers, len(self.folds), axis=1))


def _check(candidate: Candidate, path: PathScores, folds: Ints, classes: int) -> None:
    if path.scores.shape != (len(path.configurations), *folds.shape, classes) or not np.isfinite(path.scores).all():
        raise InternalError(f"the head {candidate.name!r} gave scores that are not finite or of a wrong shape.")


def _losses(scores: Floats, y: Ints) -> Floats:
    temperature = fit_temperature(scores, y, most_rows=_ROWS_FOR_TEMPERATURE)
    return row_losses(scores, y, temperature)

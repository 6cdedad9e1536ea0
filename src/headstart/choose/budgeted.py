"""The comparison under a budget: heads first, then the dear candidates fold by fold, until nothing promises enough.

`compete` takes candidates and a `Budget` and returns what was scored of each and why the rest was not. Candidates with
a `Promise` are scored fold by fold, the one with the highest expected gain per second next (`choose.schedule`); one is
given up when the 95 % interval of its gain lies below `min_gain`, when no more than that is expected of it, or when
the time does not last for the rest of its folds and its fitting. Ctrl-C ends the comparison, not the run: the
best so far stands. It chooses no winner: `choose.race` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.choose.budget import Budget
from headstart.choose.corrected import paired_gain
from headstart.choose.schedule import Belief, MeasuredGain, rank_by_value, update_belief
from headstart.choose.scoring import Candidate, ExpectedGain, FoldwiseRun, ScoredCandidate, score_whole
from headstart.choose.selection import LOSS_PER_SHARE, Pool, best_columns, resample
from headstart.metrics.intervals import Estimate
from headstart.progress import status
from headstart.records.arrays import Floats, Ints

_FIT = 1.25
"""Fitting to all rows takes about this many folds' time."""
_HOPE = 1 / 3
"""Models of seconds are good to a factor of three: until a fold was timed, nothing is refused that might be in time."""
_DRAWS = 300
_CHEAP = 0.1
"""A head that takes less than this share of the time already spent is scored even when the budget is used up."""
_HAIR = 1e-6


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What was scored: a `Scored` for each candidate that was begun, by its number, and why some ended early.

    reasons: by number, for the user, of candidates that were not scored on all folds. stopped: why the comparison
    ended before every candidate was through; empty where it did not.
    """

    scored: dict[int, ScoredCandidate]
    reasons: dict[int, str]
    stopped: str


@dataclass(eq=False)
class Trial:
    """What all candidates are scored on. folds: (repeats, n). groups: (n,) or None."""

    y: Ints
    folds: Ints
    classes: int
    groups: Ints | None
    metric: str
    min_gain: float
    confidence: float = 0.95


def score_within_budget(candidates: Sequence[Candidate], setting: Trial, budget: Budget) -> TrialResult:
    """Score candidates while the budget lasts; at least the first one without a promise is scored."""
    found = _Competition(candidates, setting, budget)
    try:
        with status() as say:
            found.say = say
            found.heads()
            found.folded()
    except KeyboardInterrupt:
        if not any(each.whole for each in found.scored.values()):
            raise
        found.stopped = "it was stopped by Ctrl-C"
    return found.outcome()


@dataclass(eq=False)
class _Competition:
    candidates: Sequence[Candidate]
    setting: Trial
    budget: Budget
    scored: dict[int, ScoredCandidate] = field(default_factory=dict)
    running: dict[int, FoldwiseRun] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    stopped: str = ""
    say: Callable[[str], None] = lambda text: None
    _reference: int = -1

    def heads(self) -> None:
        """Score whatever is scored on all folds at once, in the order given, while the time lasts."""
        s = self.setting
        for number, candidate in enumerate(self.candidates):
            if candidate.promise is not None:
                continue
            allowed = max(self.budget.left, _CHEAP * self.budget.spent)
            if self.scored and candidate.seconds > allowed:
                self.reasons[number] = f"it needs about {_shown(candidate.seconds)}, and {_shown(allowed)} were left"
                continue
            self.say(self._line(candidate.name))
            self.scored[number] = score_whole(candidate, s.y, s.folds, s.classes, s.metric, self.budget.clock)

    # fold by fold ----------------------------------------------------------------------------------------------------

    def folded(self) -> None:
        """Score the others fold by fold, the most promising for its time next, until none is left."""
        s = self.setting
        self.running = {
            number: FoldwiseRun(candidate, s.y, s.folds, s.classes, s.metric, self.budget.clock)
            for number, candidate in enumerate(self.candidates)
            if candidate.promise is not None
        }
        waiting = list(self.running)
        self._reference = self._best(list(self.scored))
        while waiting:
            number = self._next(waiting)
            if number is None:
                return
            run = self.running[number]
            self.say(self._line(f"{run.candidate.name}, fold {run.done + 1} of {run.total}"))
            run.step()
            self.scored[number] = run.so_far()
            gain = self._gain(number) if run.left else None
            if gain is not None and gain.high < s.min_gain:
                self.reasons[number] = _beaten(run, gain, s.min_gain)
            if not run.left or number in self.reasons:
                waiting.remove(number)

    def _next(self, waiting: list[int]) -> int | None:
        """The number of the candidate whose next fold is worth most; those that are not worth it leave `waiting`."""
        belief, bar = self._belief()
        numbers, worth = list(self.running), belief.improvement(bar)
        # By modelled seconds and not by the clock, so that the same data are tried in the same order.
        seconds = [self.candidates[n].seconds * (self.running[n].left + _FIT) for n in numbers]
        for place in rank_by_value(worth, seconds):
            number = numbers[place]
            if number not in waiting:
                continue
            reason = self._not_worth(number, float(worth[place]))
            if not reason:
                return number
            waiting.remove(number)
            self.reasons[number] = reason
        return None

    def _not_worth(self, number: int, worth: float) -> str:
        """Why the candidate is not to be gone on with; empty where it is."""
        run = self.running[number]
        if worth < self.setting.min_gain and (run.done or not self._promise(number).asked):
            counts = f"less than the {100 * self.setting.min_gain:g} that count"
            return f"{_after(run)}a gain of {100 * worth:.2f} points is expected of it, {counts}"
        needed = self._seconds(number) * run.left + max(self._fit(number), self._fit(self._leader()))
        if needed > self.budget.left:
            self.stopped = "the time was used up"
            return f"{_after(run)}it needs about {_shown(needed)} more, and {_shown(self.budget.left)} were left"
        return ""

    def _seconds(self, number: int) -> float:
        """Seconds of a fold: as measured, or as modelled, scaled by how well others' models held."""
        measured = {n: self._timed(n) for n, run in self.running.items() if run.seconds}
        ratios = [seconds / max(self.candidates[n].seconds, _HAIR) for n, seconds in measured.items()]
        modelled = self.candidates[number].seconds * float(np.median(ratios) if ratios else _HOPE)
        return measured.get(number, modelled)

    def _timed(self, number: int) -> float:
        """Seconds of one of the folds that were done; the first one holds what is done once, perhaps half of it."""
        first, *later = self.running[number].seconds
        modelled = self.candidates[number].seconds
        return float(np.mean(later)) if later else min(first, max(first / 2, modelled))

    def _fit(self, number: int) -> float:
        """Seconds of fitting to all rows; heads take none to speak of."""
        return _FIT * self._seconds(number) if number in self.running else 0.0

    def _promise(self, number: int) -> ExpectedGain:
        promise = self.candidates[number].promise
        assert promise is not None
        return promise

    # what was seen ---------------------------------------------------------------------------------------------------

    def _belief(self) -> tuple[Belief, float]:
        """What is thought of the candidates that are scored fold by fold, and the gain that one must beat."""
        seen = [self._measured(number) if self._telling(number) else None for number in self.running]
        errors = 1.0 - _score(self.setting, self.scored[self._reference])
        belief = update_belief([self._promise(number) for number in self.running], seen, errors)
        through = [not run.left for run in self.running.values()]
        return belief, max([0.0, *belief.mean[through].tolist()])

    def _telling(self, number: int) -> bool:
        """Whether a candidate was scored on rows of at least two groups: of one nothing can be told."""
        if number not in self.scored:
            return False
        seen, groups = self.scored[number].seen, self.setting.groups
        return len(np.unique(np.flatnonzero(seen) if groups is None else groups[seen])) > 1

    def _measured(self, number: int) -> MeasuredGain:
        """A candidate's gain over the best head on the rows that it was scored on, half of it told by the losses."""
        pool = _pair(self.setting, self.scored[number], self.scored[self._reference])
        right = pool.correct.T / pool.answers.shape[1]
        finer = (right - pool.losses / LOSS_PER_SHARE) / 2
        gains = (finer[0] - finer[1]).astype(np.float64)
        return MeasuredGain(float(gains.mean()), float(gains.std() / np.sqrt(len(gains))) + _HAIR)

    def _gain(self, number: int) -> Estimate | None:
        """The paired gain over the best candidate that is through, on the rows seen; None where these are too few."""
        if not self._telling(number):
            return None
        pool = _pair(self.setting, self.scored[number], self.scored[self._leader()])
        return paired_gain(pool, resample(pool, count=_DRAWS), 0, 1, confidence=self.setting.confidence)

    def _leader(self) -> int:
        """The best candidate that is through."""
        return self._best([number for number, each in self.scored.items() if each.whole])

    def _best(self, numbers: Sequence[int]) -> int:
        """Of candidates that are through the one with the best score, of equal ones the first."""
        return max(numbers, key=lambda number: _score(self.setting, self.scored[number]))

    # words -----------------------------------------------------------------------------------------------------------

    def _line(self, what: str) -> str:
        """What runs, the best so far, the time left."""
        parts = [what]
        if self.scored:
            best = self._leader()
            score = _score(self.setting, self.scored[best])
            parts.append(f"best so far {self.candidates[best].name} {100 * score:.1f} %")
        if np.isfinite(self.budget.total):
            parts.append(f"{_shown(self.budget.left)} left")
        return " · ".join(parts)

    def outcome(self) -> TrialResult:
        """What was scored, and why the rest was not."""
        for number in range(len(self.candidates)):
            each = self.scored.get(number)
            if number not in self.reasons and (each is None or not each.whole):
                run = self.running.get(number)
                self.reasons[number] = f"{_after(run) if run else ''}{self.stopped or 'the time was used up'}"
        return TrialResult(self.scored, self.reasons, self.stopped)


def _score(setting: Trial, each: ScoredCandidate) -> float:
    """A whole candidate's score with its best setting, not corrected for anything."""
    return float(_pool(setting, each.answers, each.losses, each.seen).whole.max())


def _pair(setting: Trial, one: ScoredCandidate, other: ScoredCandidate) -> Pool:
    """The best settings of two candidates on the rows that both were scored on."""
    rows = one.seen & other.seen
    chosen = []
    for each in (one, other):
        pool = _pool(setting, each.answers, each.losses, rows)
        best = int(best_columns(pool.whole[None], pool.whole_losses[None])[0])
        chosen.append((each.answers[best], each.losses[best]))
    answers, losses = (np.stack(values) for values in zip(*chosen, strict=True))
    return _pool(setting, answers, losses, rows)


def _pool(setting: Trial, answers: NDArray[np.int32], losses: Floats, rows: NDArray[np.bool_]) -> Pool:
    groups = None if setting.groups is None else setting.groups[rows]
    return Pool(setting.y[rows], answers[:, :, rows], losses[:, rows], setting.classes, groups, setting.metric)


def _after(run: FoldwiseRun) -> str:
    return f"after {run.done} of {quantity(run.total, 'fold')}: " if run.done else ""


def _beaten(run: FoldwiseRun, gain: Estimate, least: float) -> str:
    low, value, high = (f"{100 * end:+.1f}" for end in (gain.low, gain.value, gain.high))
    return f"{_after(run)}it gains {value} points ({low} to {high}), not the {100 * least:g} that count"


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""The comparison under a budget: heads first, then the costly strategies fold by fold, until nothing is worth its time.

`score_within_budget` takes strategies and a `Budget` and returns what was scored of each and why the rest was not.
Strategies of which a gain is expected are scored fold by fold, the one with the highest expected gain per second next
(`choose.schedule`); one is given up when the 95 % interval of its gain lies below `min_gain`, when no more than that is
expected of it, or when the time does not last for two of its folds (then for one more) and its fitting. Ctrl-C ends the
comparison, not the run: the best so far stands. It chooses no winner: `choose.race` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from headstart.checks import quantity
from headstart.choose.budget import Budget
from headstart.choose.corrected import paired_gain
from headstart.choose.schedule import Belief, MeasuredGain, rank_by_value, update_belief
from headstart.choose.scoring import FoldwiseRun, ScoredStrategy, score_whole
from headstart.choose.selection import LOSS_PER_SHARE, resample
from headstart.choose.strategy import ExpectedGain, Strategy
from headstart.choose.trial import Trial
from headstart.heads.side_by_side import OutOfTimeError, time_limit
from headstart.metrics.intervals import Estimate
from headstart.progress import status

FIT = 1.25
"""Fitting to all rows takes about this many folds' time."""
HOPE = 1 / 3
"""Models of seconds are good to a factor of three: until a fold was timed, nothing is refused that might be in time."""
ENOUGH_FOLDS = 2
"""A strategy that is scored fold by fold may win after so many, where the time does not last for all of them."""
_REPLICATES = 300
_CHEAP = 0.1
"""Where embedding has used the budget up, heads together may take this share of the time that it took."""
_TIMED = 0.05
"""Modelled seconds from which on the clock tells how busy the machine is."""
_EPSILON = 1e-6


@dataclass(frozen=True, eq=False)
class Trials:
    """What was scored: a `ScoredStrategy` for each one that was begun, by its number, and why some ended early.

    reasons: by number, for the user, of strategies that were not scored on all folds. stopped: why the comparison
    ended before every strategy was through: what did not fit, and the seconds that were left; empty where it did not.
    interrupted: whether a person ended it.
    """

    scored: dict[int, ScoredStrategy]
    reasons: dict[int, str]
    stopped: str
    interrupted: bool = False


def score_within_budget(strategies: Sequence[Strategy], trial: Trial, budget: Budget) -> Trials:
    """Score strategies while the budget lasts; at least the first one of which no gain is expected is scored."""
    competition = _Competition(strategies, trial, budget)
    try:
        with status() as say:
            competition.say = say
            competition.score_heads()
            competition.score_foldwise()
    except KeyboardInterrupt:
        if not competition.eligible():
            raise
        competition.stopped = "it was stopped by Ctrl-C"
        return replace(competition.outcome(), interrupted=True)
    return competition.outcome()


@dataclass(eq=False)
class _Competition:
    strategies: Sequence[Strategy]
    trial: Trial
    budget: Budget
    scored: dict[int, ScoredStrategy] = field(default_factory=dict)
    running: dict[int, FoldwiseRun] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    stopped: str = ""
    say: Callable[[str], None] = lambda text: None
    _reference: int = -1

    def score_heads(self) -> None:
        """Score whatever is scored on all folds at once, in the order given, while the time lasts."""
        end = max(self.budget.total, (1 + _CHEAP) * self.budget.spent)
        for number, strategy in enumerate(self.strategies):
            about = strategy.about
            if about.expected is not None:
                continue
            allowed = max(0.0, end - self.budget.spent)
            needed = about.seconds * self._pace()
            spare = bool(self.eligible()) or (about.baseline and bool(self.scored))
            if spare and needed > allowed:
                self._leave(number, needed, allowed)
                continue
            self.say(self._line(about.name))
            self._score_head(number, end if spare else np.inf)

    def _score_head(self, number: int, end: float) -> None:
        """Score a strategy on all folds; it is given up when more than `end` seconds were spent."""
        trial, left = self.trial, max(0.0, end - self.budget.spent)
        try:
            with time_limit(lambda: self.budget.spent > end):
                run = score_whole(self.strategies[number], trial.rows, trial.task, trial.metric, self.budget.clock)
        except OutOfTimeError:
            self.reasons[number] = f"it was not through when the {format_time(left)} that were left had passed"
            self.refused.append(f"{self.strategies[number].about.name} was not through in the last {format_time(left)}")
        else:
            self.scored[number] = run

    def _pace(self) -> float:
        """How much slower heads are than modelled, on this machine as busy as it is: by the clock, at least 1."""
        timed = [(run.seconds, self.strategies[number].about.seconds) for number, run in self.scored.items()]
        ratios = [seconds / modelled for seconds, modelled in timed if modelled >= _TIMED]
        return max(1.0, float(np.median(ratios))) if ratios else 1.0

    def _leave(self, number: int, needed: float, left: float) -> None:
        """Note that the time does not last for a strategy."""
        run = self.running.get(number)
        what = f"needs about {format_time(needed)}{' more' if run else ''}, and {format_time(left)} were left"
        self.reasons[number] = f"{_after(run) if run else ''}it {what}"
        self.refused.append(f"{self.strategies[number].about.name} {what}")

    def eligible(self) -> list[int]:
        """The strategies that are through and may win."""
        return [n for n, run in self.scored.items() if run.whole and not self.strategies[n].about.baseline]

    # fold by fold ----------------------------------------------------------------------------------------------------

    def score_foldwise(self) -> None:
        """Score the others fold by fold, the most promising for its time next, until none is left."""
        trial = self.trial
        self.running = {
            number: FoldwiseRun(strategy, trial.rows, trial.task, trial.metric, self.budget.clock)
            for number, strategy in enumerate(self.strategies)
            if strategy.about.expected is not None
        }
        waiting = list(self.running)
        self._reference = self._best(list(self.scored))
        while waiting:
            number = self._next(waiting)
            if number is None:
                return
            run = self.running[number]
            self.say(self._line(f"{run.strategy.about.name}, fold {run.done + 1} of {run.total}"))
            if not self._step(number):
                waiting.remove(number)
                continue
            self.scored[number] = run.so_far()
            gain = self._gain(number) if run.left else None
            if gain is not None and gain.high < trial.min_gain:
                self.reasons[number] = _beaten(run, gain, trial.min_gain)
            if not run.left or number in self.reasons:
                waiting.remove(number)

    def _step(self, number: int) -> bool:
        """Score a strategy's next fold; whether it was through before the budget's end, if not with the time to fit."""
        try:
            with time_limit(lambda: self.budget.spent > self.budget.total):
                self.running[number].step()
        except OutOfTimeError:
            left = "the time was used up in the middle of a fold"
            self.reasons[number] = f"{_after(self.running[number])}{left}"
            self.refused.append(f"{self.strategies[number].about.name} was not through when {left}")
            return False
        return True

    def _next(self, waiting: list[int]) -> int | None:
        """The number of the strategy whose next fold is worth most; those that are not worth it leave `waiting`."""
        belief, bar = self._belief()
        numbers, worth = list(self.running), belief.improvement(bar)
        # By modelled seconds and not by the clock, so that the same data are tried in the same order.
        seconds = [self.strategies[n].about.seconds * (self.running[n].left + FIT) for n in numbers]
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
        """Why the strategy is not to be gone on with; empty where it is."""
        run = self.running[number]
        winner = self.eligible()
        if winner and worth < self.trial.min_gain and (run.done or not self._expected(number).asked):
            counts = f"less than the {100 * self.trial.min_gain:g} that count"
            return f"{_after(run)}a gain of {100 * worth:.2f} points is expected of it, {counts}"
        seconds, fit = self._seconds(number), self._reserve(number)
        least = min(run.left, max(1, ENOUGH_FOLDS - run.done))
        if seconds * least + fit > self.budget.left:
            self._leave(number, seconds * run.left + fit, self.budget.left)
            return self.reasons[number]
        return ""

    def _reserve(self, number: int) -> float:
        """Seconds for fitting the winner: this strategy, the leader, or one that is ahead on a part of the folds."""
        ahead = [n for n, run in self.running.items() if run.done >= ENOUGH_FOLDS and run.left and self._is_ahead(n)]
        return max(self._fit(n) for n in (number, self._leader(), *ahead))

    def _is_ahead(self, number: int) -> bool:
        gain = self._gain(number)
        return gain is not None and gain.low > 0

    def _seconds(self, number: int) -> float:
        """Seconds of a fold: as measured, or as modelled, scaled by how well others' models held."""
        measured = {n: self._timed(n) for n, run in self.running.items() if run.seconds}
        ratios = [seconds / max(self.strategies[n].about.seconds, _EPSILON) for n, seconds in measured.items()]
        modelled = self.strategies[number].about.seconds * float(np.median(ratios) if ratios else HOPE)
        return measured.get(number, modelled)

    def _timed(self, number: int) -> float:
        """Seconds of one of the folds that were done; the first one holds what is done once, perhaps half of it."""
        first, *later = self.running[number].seconds
        modelled = self.strategies[number].about.seconds
        return float(np.mean(later)) if later else min(first, max(first / 2, modelled))

    def _fit(self, number: int) -> float:
        """Seconds of fitting to all rows; heads take none to speak of."""
        return FIT * self._seconds(number) if number in self.running else 0.0

    def _expected(self, number: int) -> ExpectedGain:
        expected = self.strategies[number].about.expected
        assert expected is not None
        return expected

    # what was seen ---------------------------------------------------------------------------------------------------

    def _belief(self) -> tuple[Belief, float]:
        """What is thought of the strategies that are scored fold by fold, and the gain that one must beat."""
        gains = [self._measured_gain(number) if self._measurable(number) else None for number in self.running]
        errors = 1.0 - self.trial.score(self.scored[self._reference])
        belief = update_belief([self._expected(number) for number in self.running], gains, errors)
        through = [not run.left for run in self.running.values()]
        return belief, max([0.0, *belief.mean[through].tolist()])

    def _measurable(self, number: int) -> bool:
        """Whether a strategy was scored on rows of at least two groups: of one nothing can be told."""
        if number not in self.scored:
            return False
        rows, groups = self.scored[number].scored, self.trial.rows.groups
        return len(np.unique(np.flatnonzero(rows) if groups is None else groups[rows])) > 1

    def _measured_gain(self, number: int) -> MeasuredGain:
        """A strategy's gain over the best head on the rows that it was scored on, half of it told by the losses."""
        pool = self.trial.pair([self.scored[number], self.scored[self._reference]])
        right = pool.right.T / pool.repeats
        finer = (right - pool.losses / LOSS_PER_SHARE) / 2
        gains = (finer[0] - finer[1]).astype(np.float64)
        return MeasuredGain(float(gains.mean()), float(gains.std() / np.sqrt(len(gains))) + _EPSILON)

    def _gain(self, number: int) -> Estimate | None:
        """The paired gain over the best strategy that may win, on the rows scored; None without one, or on too few."""
        if not self._measurable(number) or not self.eligible():
            return None
        pool = self.trial.pair([self.scored[number], self.scored[self._leader()]])
        return paired_gain(pool, resample(pool, count=_REPLICATES), 0, 1, confidence=self.trial.confidence)

    def _leader(self) -> int:
        """The best strategy that is through: of those that may win, where there are any."""
        return self._best(self.eligible() or [number for number, run in self.scored.items() if run.whole])

    def _best(self, numbers: Sequence[int]) -> int:
        """Of strategies that are through the one with the best score, of equal ones the first."""
        return max(numbers, key=lambda number: self.trial.score(self.scored[number]))

    # words -----------------------------------------------------------------------------------------------------------

    def _line(self, what: str) -> str:
        """What runs, the best so far, the time left."""
        parts = [what]
        if self.scored:
            best = self._leader()
            score = self.trial.score(self.scored[best])
            parts.append(f"best so far {self.strategies[best].about.name} {100 * score:.1f} %")
        if np.isfinite(self.budget.total):
            parts.append(f"{format_time(self.budget.left)} left")
        return " · ".join(parts)

    def outcome(self) -> Trials:
        """What was scored, and why the rest was not."""
        for number in range(len(self.strategies)):
            result = self.scored.get(number)
            if number not in self.reasons and (result is None or not result.whole):
                run = self.running.get(number)
                self.reasons[number] = f"{_after(run) if run else ''}{self.stopped or 'the time was used up'}"
        if self.refused and not self.stopped:
            others = len(self.refused) - 1
            self.stopped = self.refused[0] + (f" (and {quantity(others, 'other')} likewise)" if others else "")
        return Trials(self.scored, self.reasons, self.stopped)


def _after(run: FoldwiseRun) -> str:
    return f"after {run.done} of {quantity(run.total, 'fold')}: " if run.done else ""


def _beaten(run: FoldwiseRun, gain: Estimate, least: float) -> str:
    low, value, high = (f"{100 * end:+.1f}" for end in (gain.low, gain.value, gain.high))
    return f"{_after(run)}it gains {value} points ({low} to {high}), not the {100 * least:g} that count"


def format_time(seconds: float) -> str:
    """Seconds as they are said in a reason.

    >>> format_time(44.4), format_time(600.0)
    ('44 s', '10 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

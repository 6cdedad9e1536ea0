"""The comparison: every strategy is scored on the same folds, one is chosen, and its number is corrected for that.

`race` takes strategies, the rows with their folds and a budget, and returns a `RaceResult`: a line for each strategy,
the winner with its configuration, and an honest estimate of what it will reach. It does not fit the winner to all rows
and does not make folds. What is tried, in which order and for how long is `choose.budgeted`'s; how the winner is chosen
is said at `choose.selection.Rule`; what differs between tasks comes from `tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.checks import at_least, between, one_of
from headstart.choose.budget import Budget
from headstart.choose.budgeted import ENOUGH_FOLDS, Trials, score_within_budget
from headstart.choose.corrected import corrected_estimate, paired_gain, plain_estimate
from headstart.choose.scoring import ScoredStrategy
from headstart.choose.selection import Pool, Resamples, Rule, cost_tiers, resample
from headstart.choose.strategy import Strategy
from headstart.choose.trial import Trial
from headstart.errors import InternalError, OptionError
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.tasks.catalog import task_of

CHOSEN, TIE, BEHIND, COSTLIER, GIVEN_UP = "chosen", "tie", "behind", "costlier", "given up"
BASELINE = "baseline"


@dataclass(frozen=True)
class RaceLine:
    """A strategy's line in the comparison.

    configuration: its best one. score: of that configuration, with its own interval, not corrected for selection.
    log_loss: the task's proper loss. gain: its score minus the winner's on the same rows, with an interval for that
    difference. status: 'chosen'; 'tie' (the interval of the gain holds 0); 'behind'; 'costlier' (better than the
    winner, but by less than `min_gain` and at a higher cost); 'baseline' (measured for comparison, and cannot win); or
    'given up' before all folds were done: score and gain are then those of the rows that were scored. seconds: what
    scoring it took. reason: why it was given up. strategy: its number in the order given. folds: how many of how many
    it was scored on; `comparable` says whether that is all of them.
    """

    name: str
    features: str
    configuration: Mapping[str, Any]
    score: Estimate
    log_loss: float
    gain: Estimate
    status: str
    cost: float
    seconds: float
    reason: str = ""
    strategy: int = 0
    folds: tuple[int, int] = (1, 1)

    @property
    def comparable(self) -> bool:
        """Whether its score is of the same rows as the others'."""
        return self.folds[0] == self.folds[1]


@dataclass(frozen=True, eq=False)
class RaceResult:
    """The comparison's outcome.

    lines: one a strategy that was begun, in the order given. winner: the place of the chosen one among them.
    configuration: what it is to be fitted with. estimate: the metric to expect on new images like these, corrected for
    the choice (BBC-CV). raw: the winner's uncorrected score. baseline: the score of the best constant answer.
    scored: (m,) the positions of the rows that all this was measured on: all of them, but where a fine-tune was chosen
    on a part of its folds. out_of_fold: (repeats, m, K) the winner's scores of each of these rows by models that have
    not seen it. temperature: makes probabilities of them. card: the winner's other figures, not corrected for the
    choice. configurations: how many of all strategies were compared. resamples: bootstrap replicates. not_begun: why,
    by the number of the strategy. stopped: why the comparison ended before every strategy was through; empty where it
    did not.
    """

    lines: tuple[RaceLine, ...]
    winner: int
    configuration: Mapping[str, Any]
    metric: str
    estimate: Estimate
    raw: float
    baseline: float
    scored: Ints
    out_of_fold: Floats
    temperature: float
    card: Any
    configurations: int
    resamples: int
    not_begun: Mapping[int, str]
    stopped: str = ""

    @property
    def best(self) -> RaceLine:
        """The chosen strategy's line."""
        return self.lines[self.winner]


def race(
    strategies: Sequence[Strategy],
    rows: Rows,
    *,
    metric: str | None = None,
    min_gain: float = 0.005,
    confidence: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
    budget: Budget | None = None,
) -> RaceResult:
    """Score strategies on the same folds while the budget lasts, choose one, and say honestly what it will reach.

    Parameters
    ----------
    strategies : ways of transferring, the first without an expected gain being scored in any case
    rows : labels, folds (each row is held out once in a repeat) and groups
    metric : name of one of the task's metrics; None for its first ('accuracy' for classes)
    min_gain : how much better (a share) a strategy that costs more must be
    confidence : of the intervals, 0.5 to 0.999
    resamples : bootstrap replicates, None for a number that suits n
    seed : of the bootstrap
    budget : None for no limit

    Raises
    ------
    OptionError : for options out of range
    DataError : when all rows are one group
    """
    trial = _trial(rows, metric, min_gain, confidence)
    _check(strategies, rows, resamples)
    trials = score_within_budget(strategies, trial, budget or Budget())
    rivals = {n: run for n, run in sorted(trials.scored.items()) if not strategies[n].about.baseline}
    whole = {number: run for number, run in rivals.items() if run.whole}
    if not whole:
        raise OptionError(_nothing_scored(strategies, trials))
    field = _field(strategies, whole, trial, resamples, seed)
    column = int(field.rule.pick(field.pool.whole[None], field.pool.whole_losses[None])[0])
    winner, number = field.places[column]
    if len(whole) < len(rivals):
        in_part = _win_in_part(strategies, trials, (winner, number), trial, resamples, seed)
        if in_part is not None and not trials.interrupted:  # who interrupts does not want to wait for a long fit
            return in_part
        filled = {n: run.filled(trials.scored[winner], number) for n, run in rivals.items()}
        field = _field(strategies, filled, trial, resamples, seed)
        column = field.places.index((winner, number))
    return _result(strategies, trials, field, column, trial, np.arange(len(rows)))


def _win_in_part(
    strategies: Sequence[Strategy],
    trials: Trials,
    leader: tuple[int, int],
    trial: Trial,
    resamples: int | None,
    seed: int,
) -> RaceResult | None:
    """The outcome on the folds of a strategy for whose other folds there was no time, where it is clearly better there.

    Everything is compared anew on the rows of these folds alone, so that the winner's number is of rows that it was
    scored on. leader: the best of those that are through, and its configuration. None where none is clearly better.
    """
    for number in _ahead_in_part(strategies, trials, leader[0], trial):
        folds = trials.scored[number].folds
        rows = trials.scored[number].scored
        scored = {n: run.of_first_folds(folds, rows) for n, run in trials.scored.items()}
        part, shown = replace(trials, scored=scored), replace(trial, rows=trial.rows.first_folds(folds))
        rivals = {n: run for n, run in sorted(scored.items()) if not strategies[n].about.baseline}
        filled = {n: run.filled(scored[leader[0]], leader[1]) for n, run in rivals.items()}
        field = _field(strategies, filled, shown, resamples, seed)
        column = int(field.rule.pick(field.pool.whole[None], field.pool.whole_losses[None])[0])
        if field.places[column][0] == number:
            return _result(strategies, part, field, column, shown, np.flatnonzero(rows))
    return None


def _ahead_in_part(strategies: Sequence[Strategy], trials: Trials, leader: int, trial: Trial) -> list[int]:
    """The strategies that are clearly better than the leader on two folds or more, the best first."""
    gains = {}
    for number, run in trials.scored.items():
        if run.whole or run.folds < ENOUGH_FOLDS or strategies[number].about.baseline:
            continue
        pool = trial.pair([run, trials.scored[leader]])
        gain = paired_gain(pool, resample(pool), 0, 1, confidence=trial.confidence)
        if gain.low > 0:
            gains[number] = gain.value
    return sorted(gains, key=lambda number: -gains[number])


@dataclass(frozen=True, eq=False)
class _Field:
    """Everything that is compared. places: of each configuration, its strategy and its number there."""

    pool: Pool
    resamples: Resamples
    rule: Rule
    places: list[tuple[int, int]]


def _trial(rows: Rows, metric: str | None, min_gain: float, confidence: float) -> Trial:
    between("min_gain", min_gain, 0, 1)
    between("confidence", confidence, 0.5, 0.999)
    task = task_of(rows.target)
    name = next(iter(task.metrics)) if metric is None else one_of("metric", metric, list(task.metrics))
    return Trial(rows, task, task.metrics[name], min_gain, confidence)


def _field(
    strategies: Sequence[Strategy], runs: Mapping[int, ScoredStrategy], trial: Trial, count: int | None, seed: int
) -> _Field:
    predictions = np.concatenate([run.predictions for run in runs.values()])
    losses = np.concatenate([run.losses for run in runs.values()])
    pool = Pool(trial.rows.target, predictions, losses, trial.metric, trial.rows.groups)
    resamples = resample(pool, count=count, seed=seed)
    owner = np.repeat(np.arange(len(runs)), [len(run.configurations) for run in runs.values()])
    tiers = cost_tiers(np.array([strategies[number].about.cost for number in runs], np.float64))
    prior = np.array([strategies[number].about.prior for number in runs])
    rule = Rule(owner, tiers, resamples.noise, trial.min_gain, trial.confidence, prior)
    places = [(number, i) for number, run in runs.items() for i in range(len(run.configurations))]
    return _Field(pool, resamples, rule, places)


def _result(
    strategies: Sequence[Strategy], trials: Trials, field: _Field, column: int, trial: Trial, scored: Ints
) -> RaceResult:
    pool, task, winner = field.pool, trial.task, trials.scored[field.places[column][0]]
    representatives = field.rule.representatives(pool.whole[None], pool.whole_losses[None])[0].tolist()
    lines = [_line(strategies, trials, field, place, column, trial) for place in representatives]
    lines += _baseline_lines(strategies, trials, winner, trial, len(field.resamples.inside))
    lines.sort(key=lambda line: line.strategy)
    return RaceResult(
        lines=tuple(lines),
        winner=next(i for i, line in enumerate(lines) if line.status == CHOSEN),
        configuration=winner.configurations[field.places[column][1]],
        metric=trial.metric.name,
        estimate=corrected_estimate(pool, field.resamples, field.rule, column, confidence=trial.confidence),
        raw=float(pool.whole[column]),
        baseline=trial.metric.value(pool.target, task.constant(pool.target)),
        scored=scored,
        out_of_fold=winner.best,
        temperature=task.temperature(winner.best, pool.target),
        card=task.report(winner.best, trial.rows, trial.confidence),
        configurations=len(field.places),
        resamples=len(field.resamples.inside),
        not_begun={n: reason for n, reason in sorted(trials.reasons.items()) if n not in trials.scored},
        stopped=trials.stopped,
    )


def _line(
    strategies: Sequence[Strategy], trials: Trials, field: _Field, column: int, winner: int, trial: Trial
) -> RaceLine:
    number, place = field.places[column]
    run, about = trials.scored[number], strategies[number].about
    pool, resamples, one, other = field.pool, field.resamples, column, winner
    if not run.whole:
        pool, one, other = pool.take(run.scored, [column, winner]), 0, 1
        resamples = resample(pool, count=len(resamples.inside))
    gain = paired_gain(pool, resamples, one, other, confidence=trial.confidence)
    return RaceLine(
        name=about.name,
        features=about.features,
        configuration=run.configurations[place],
        score=plain_estimate(pool, resamples, one, confidence=trial.confidence),
        log_loss=float(pool.whole_losses[one]),
        gain=gain,
        status=CHOSEN if column == winner else _status(gain) if run.whole else GIVEN_UP,
        cost=about.cost,
        seconds=run.seconds,
        reason=trials.reasons.get(number, ""),
        strategy=number,
        folds=(run.folds, trial.rows.fold_count),
    )


def _baseline_lines(
    strategies: Sequence[Strategy], trials: Trials, winner: ScoredStrategy, trial: Trial, count: int
) -> list[RaceLine]:
    """A line for each strategy that was only measured for comparison; they are no part of the choice."""
    lines = []
    for number, run in sorted(trials.scored.items()):
        about = strategies[number].about
        if not about.baseline:
            continue
        pool = trial.pair([run, winner])
        resamples = resample(pool, count=count)
        line = RaceLine(
            name=about.name,
            features=about.features,
            configuration=run.configurations[trial.best(run)],
            score=plain_estimate(pool, resamples, 0, confidence=trial.confidence),
            log_loss=float(pool.whole_losses[0]),
            gain=paired_gain(pool, resamples, 0, 1, confidence=trial.confidence),
            status=BASELINE,
            cost=about.cost,
            seconds=run.seconds,
            strategy=number,
            folds=(run.folds, trial.rows.fold_count),
        )
        lines.append(line)
    return lines


def _nothing_scored(strategies: Sequence[Strategy], trials: Trials) -> str:
    """A sentence where the time did not last for any strategy that may win."""
    named = {n: reason for n, reason in trials.reasons.items() if not strategies[n].about.baseline}
    number, reason = next(iter(named.items()))
    return (
        f"the time did not last to measure {strategies[number].about.name} on all folds: {reason}. Give more with "
        "--budget, or let 'auto' choose what fits; what was scored is kept for the next run."
    )


def _status(gain: Estimate) -> str:
    if gain.high < 0:
        return BEHIND
    return COSTLIER if gain.low > 0 else TIE


def _check(strategies: Sequence[Strategy], rows: Rows, resamples: int | None) -> None:
    at_least("resamples", resamples or 200, 100)
    if not strategies:
        raise OptionError("a race needs at least one candidate; found none: name a head.")
    if int(rows.folds.min()) < 0:
        raise InternalError("folds have the shape (repeats, n), and each row is held out once in a repeat.")
    task_of(rows.target).check(rows.target)

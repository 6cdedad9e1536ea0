"""The comparison: every candidate is scored on the same folds, one is chosen, and its number is corrected
for that.

`race` takes candidates (a head or a fine-tune with the features it looks at), labels, folds and a budget, and returns a
`RaceResult`: a line for each candidate, the winner with its setting, and an honest estimate of what it will
reach. It does not fit the winner on all rows and does not make folds. What is tried, in which order and for how long is
`choose.budgeted`'s; how the winner is chosen is said at `choose.selection.Rule`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.checks import at_least, between
from headstart.choose.budget import Budget
from headstart.choose.budgeted import Trial, TrialResult, score_within_budget
from headstart.choose.corrected import corrected_estimate, paired_gain, plain_estimate
from headstart.choose.scoring import Candidate, ScoredCandidate
from headstart.choose.selection import Pool, Resamples, Rule, cost_tiers, resample
from headstart.errors import InternalError, OptionError
from headstart.metrics.class_report import Scorecard, scorecard
from headstart.metrics.classes import score
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.temperature import crossed_probabilities, fit_temperature

CHOSEN, TIE, BEHIND, DEARER, GIVEN_UP = "chosen", "tie", "behind", "dearer", "given up"


@dataclass(frozen=True)
class CandidateResult:
    """A candidate's line in the comparison.

    setting: its best setting. score: of that setting, with its own interval, not corrected for selection.
    log_loss: at the setting's best temperature. gain: its score minus the winner's on the same rows, with
    an interval for that difference. status: 'chosen'; 'tie' (the interval of the gain holds 0); 'behind';
    'dearer' (better than the winner, but by less than `min_gain` and at a higher price); or 'given up' before all folds
    were done: score and gain are then those of the rows that were scored. seconds: what scoring it took. reason: why it
    was given up. candidate: its number in the order given.
    """

    name: str
    features: str
    setting: Mapping[str, Any]
    score: Estimate
    log_loss: float
    gain: Estimate
    status: str
    cost: float
    seconds: float
    reason: str = ""
    candidate: int = 0


@dataclass(frozen=True, eq=False)
class RaceResult:
    """The comparison's outcome.

    entries: one a candidate that was begun, in the order given. winner: the place of the chosen one among them.
    setting: what it is to be fitted with. estimate: the metric to expect on new images like these, corrected for the
    choice (BBC-CV). raw: the winner's uncorrected score. baseline: the score of always answering the most frequent
    class. out_of_fold: (n, classes) the winner's scores of each row by models that have not seen it, the mean over
    repeats (softmax does not mind what is added to a row, so this averages log-probabilities). repeated: (repeats, n,
    classes) the same, a repeat each. temperature: makes probabilities of them. card: the winner's other figures, not
    corrected for the choice; its probabilities are those of temperatures fitted on other folds. configurations: how
    many settings of all candidates were compared. not_begun: why, by the number of the candidate. stopped: why the
    comparison ended before every candidate was through; empty where it did not.
    """

    entries: tuple[CandidateResult, ...]
    winner: int
    setting: Mapping[str, Any]
    metric: str
    estimate: Estimate
    raw: float
    baseline: float
    out_of_fold: Floats
    repeated: Floats
    temperature: float
    card: Scorecard
    configurations: int
    resamples: int
    not_begun: Mapping[int, str]
    stopped: str = ""

    @property
    def best(self) -> CandidateResult:
        """The chosen candidate's line."""
        return self.entries[self.winner]


def race(
    candidates: Sequence[Candidate],
    y: Ints,
    folds: Ints,
    *,
    classes: Sequence[str],
    groups: Ints | None = None,
    metric: str = "accuracy",
    min_gain: float = 0.005,
    confidence: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
    budget: Budget | None = None,
) -> RaceResult:
    """Score candidates on the same folds while the budget lasts, choose one, and say honestly what it will reach.

    y: (n,) class numbers. folds: (repeats, n) the fold of each row, 0 or more. classes: their names.
    groups: (n,) rows with equal numbers are resampled together. metric: 'accuracy', 'balanced-accuracy' or
    'macro-f1'. min_gain: how much better (a share) a candidate that costs more must be. resamples:
    bootstrap samples, None for a number that suits n. budget: None for no limit. Raises `OptionError` for options out
    of range and `DataError` when all rows are one group.
    """
    _check(candidates, y, folds, classes, min_gain, confidence, resamples)
    setting = Trial(y, folds, len(classes), groups, metric, min_gain, confidence)
    competed = score_within_budget(candidates, setting, budget or Budget())
    whole = [number for number in sorted(competed.scored) if competed.scored[number].whole]
    field = _field(candidates, {n: competed.scored[n] for n in whole}, setting, resamples, seed)
    column = int(field.rule.pick(field.pool.whole[None], field.pool.whole_losses[None])[0])
    winner, number = field.places[column]
    if len(whole) < len(competed.scored):
        filled = {n: each.filled(competed.scored[winner], number) for n, each in sorted(competed.scored.items())}
        field = _field(candidates, filled, setting, resamples, seed)
        column = field.places.index((winner, number))
    return _result(candidates, competed, field, column, setting, classes)


@dataclass(frozen=True, eq=False)
class _Field:
    """Everything that is compared. places: of each configuration, its candidate and the number of its setting."""

    pool: Pool
    draws: Resamples
    rule: Rule
    places: list[tuple[int, int]]


def _field(
    candidates: Sequence[Candidate],
    runs: Mapping[int, ScoredCandidate],
    setting: Trial,
    resamples: int | None,
    seed: int,
) -> _Field:
    answers = np.concatenate([run.answers for run in runs.values()])
    losses = np.concatenate([run.losses for run in runs.values()])
    pool = Pool(setting.y, answers, losses, setting.classes, setting.groups, setting.metric)
    draws = resample(pool, count=resamples, seed=seed)
    owner = np.repeat(np.arange(len(runs)), [len(run.settings) for run in runs.values()])
    tiers = cost_tiers(np.array([candidates[number].cost for number in runs], np.float64))
    prior = np.array([candidates[number].prior for number in runs])
    rule = Rule(owner, tiers, draws.noise, setting.min_gain, setting.confidence, prior)
    places = [(number, i) for number, run in runs.items() for i in range(len(run.settings))]
    return _Field(pool, draws, rule, places)


def _result(
    candidates: Sequence[Candidate],
    competed: TrialResult,
    field: _Field,
    column: int,
    setting: Trial,
    classes: Sequence[str],
) -> RaceResult:
    pool, winner = field.pool, competed.scored[field.places[column][0]]
    champions = field.rule.champions(pool.whole[None], pool.whole_losses[None])[0].tolist()
    entries = tuple(_entry(candidates, competed, field, own, column, setting) for own in champions)
    repeats = len(winner.best)
    return RaceResult(
        entries=entries,
        winner=next(i for i, entry in enumerate(entries) if entry.status == CHOSEN),
        setting=winner.settings[field.places[column][1]],
        metric=pool.metric,
        estimate=corrected_estimate(pool, field.draws, field.rule, column, confidence=setting.confidence),
        raw=float(pool.whole[column]),
        baseline=_baseline(pool),
        out_of_fold=winner.best.mean(axis=0),
        repeated=winner.best,
        temperature=fit_temperature(winner.best, pool.y),
        card=scorecard(
            pool.y,
            crossed_probabilities(winner.best, pool.y, setting.folds[:repeats]),
            classes,
            groups=pool.groups,
            confidence=setting.confidence,
        ),
        configurations=len(field.places),
        resamples=len(field.draws.inside),
        not_begun={n: reason for n, reason in sorted(competed.reasons.items()) if n not in competed.scored},
        stopped=competed.stopped,
    )


def _entry(
    candidates: Sequence[Candidate], competed: TrialResult, field: _Field, own: int, winner: int, setting: Trial
) -> CandidateResult:
    number, place = field.places[own]
    run, candidate = competed.scored[number], candidates[number]
    pool, draws, one, other = field.pool, field.draws, own, winner
    if not run.whole:
        pool, one, other = _seen(pool, run, own, winner), 0, 1
        draws = resample(pool, count=len(draws.inside))
    gain = paired_gain(pool, draws, one, other, confidence=setting.confidence)
    return CandidateResult(
        name=candidate.name,
        features=candidate.features,
        setting=run.settings[place],
        score=plain_estimate(pool, draws, one, confidence=setting.confidence),
        log_loss=float(pool.whole_losses[one]),
        gain=gain,
        status=CHOSEN if own == winner else _status(gain) if run.whole else GIVEN_UP,
        cost=candidate.cost,
        seconds=run.seconds,
        reason=competed.reasons.get(number, ""),
        candidate=number,
    )


def _seen(pool: Pool, run: ScoredCandidate, own: int, winner: int) -> Pool:
    """A candidate and the winner on the rows that the candidate was scored on."""
    rows, both = run.seen, [own, winner]
    groups = None if pool.groups is None else pool.groups[rows]
    return Pool(
        pool.y[rows], pool.answers[both][:, :, rows], pool.losses[both][:, rows], pool.classes, groups, pool.metric
    )


def _status(gain: Estimate) -> str:
    if gain.high < 0:
        return BEHIND
    return DEARER if gain.low > 0 else TIE


def _baseline(pool: Pool) -> float:
    most = np.full(len(pool.y), np.bincount(pool.y).argmax())
    return score(pool.metric, pool.y, most, pool.classes)


def _check(
    candidates: Sequence[Candidate],
    y: Ints,
    folds: Ints,
    classes: Sequence[str],
    min_gain: float,
    confidence: float,
    resamples: int | None,
) -> None:
    between("min_gain", min_gain, 0, 1)
    between("confidence", confidence, 0.5, 0.999)
    at_least("resamples", resamples or 200, 100)
    if not candidates:
        raise OptionError("a race needs at least one candidate; found none: name a head.")
    if folds.ndim != 2 or folds.shape[1] != len(y) or int(folds.min()) < 0:
        raise InternalError("folds have the shape (repeats, n), and each row is held out once in a repeat.")
    if len(classes) < 2 or int(y.min()) < 0 or int(y.max()) >= len(classes):
        raise InternalError("labels lie within at least two classes.")

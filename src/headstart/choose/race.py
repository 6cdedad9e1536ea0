"""The comparison: every candidate is scored on the same folds, one is chosen, and its number is corrected
for that.

`race` takes candidates (a head with the features it looks at), labels and folds, and returns a
`RaceResult`: a line for each candidate, the winner with its setting, and an honest estimate of what it will
reach. It does not fit the winner on all rows and does not make folds. How the winner is chosen is said at
`choose.selection.Rule`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.checks import at_least, between
from headstart.choose.honest import corrected, paired_gain, plain
from headstart.choose.selection import Draws, Pool, Rule, highest, price_tiers, resample
from headstart.errors import InternalError, OptionError
from headstart.metrics.intervals import Estimate
from headstart.metrics.scorecard import Scorecard, scorecard
from headstart.metrics.tallies import score
from headstart.progress import bar
from headstart.records import Floats, Ints
from headstart.trust.temperature import crossed_probabilities, fit_temperature, row_losses

if TYPE_CHECKING:
    from headstart.heads.base import PathScores

CHOSEN, TIE, BEHIND, DEARER = "chosen", "tie", "behind", "dearer"
_ROWS_FOR_TEMPERATURE = 2000


class Head(Protocol):
    """What a candidate's head must be able to do here (see `heads.base`)."""

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """Out-of-fold scores of each setting tried."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way of transferring that takes part in the race.

    name: of the head. features: what it looks at, in words. X: (n, d) float32. head: an estimator of `heads`.
    cost: per image at prediction time, mostly its backbones' forward passes; only ratios matter. backbones: their
    names. prior: the gain, as a share, that other data sets led one to expect of it; it decides ties alone.
    """

    name: str
    features: str
    X: Floats
    head: Head
    cost: float
    backbones: tuple[str, ...] = ()
    prior: float = 0.0


@dataclass(frozen=True)
class Entry:
    """A candidate's line in the comparison.

    setting: its best setting. score: of that setting, with its own interval, not corrected for selection.
    log_loss: at the setting's best temperature. gain: its score minus the winner's on the same rows, with
    an interval for that difference. status: 'chosen'; 'tie' (the interval of the gain holds 0); 'behind';
    or 'dearer' (better than the winner, but by less than `min_gain` and at a higher price). seconds: what
    scoring it took.
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


@dataclass(frozen=True, eq=False)
class RaceResult:
    """The comparison's outcome.

    entries: one a candidate, in the order given. winner: the number of the chosen one. setting: what it is
    to be fitted with. estimate: the metric to expect on new images like these, corrected for the choice
    (BBC-CV). raw: the winner's uncorrected score. baseline: the score of always answering the most frequent
    class. out_of_fold: (n, classes) the winner's scores of each row by models that have not seen it, the
    mean over repeats (softmax does not mind what is added to a row, so this averages log-probabilities).
    temperature: makes probabilities of them. card: the winner's other figures, not corrected for the
    choice; its probabilities are those of temperatures fitted on other folds. configurations: how many
    settings of all candidates were compared.
    """

    entries: tuple[Entry, ...]
    winner: int
    setting: Mapping[str, Any]
    metric: str
    estimate: Estimate
    raw: float
    baseline: float
    out_of_fold: Floats
    temperature: float
    card: Scorecard
    configurations: int
    resamples: int

    @property
    def best(self) -> Entry:
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
) -> RaceResult:
    """Score all candidates on the same folds, choose one, and say honestly what it will reach.

    y: (n,) class numbers. folds: (repeats, n) the fold of each row, 0 or more. classes: their names.
    groups: (n,) rows with equal numbers are resampled together. metric: 'accuracy', 'balanced-accuracy' or
    'macro-f1'. min_gain: how much better (a share) a candidate that costs more must be. resamples:
    bootstrap samples, None for a number that suits n. Raises `OptionError` for options out of range and
    `DataError` when all rows are one group.
    """
    _check(candidates, y, folds, classes, min_gain, confidence, resamples)
    runs = []
    with bar("comparing heads", len(candidates), unit="candidates") as advance:
        for candidate in candidates:
            runs.append(_run(candidate, y, folds, len(classes), metric))
            advance(1)
    answers = np.concatenate([run.answers for run in runs])
    losses = np.concatenate([run.losses for run in runs])
    pool = Pool(y, answers, losses, len(classes), groups, metric)
    draws = resample(pool, count=resamples, seed=seed)
    owner = np.repeat(np.arange(len(runs)), [len(run.settings) for run in runs])
    tiers = price_tiers(np.array([candidate.cost for candidate in candidates], np.float64))
    prior = np.array([candidate.prior for candidate in candidates])
    rule = Rule(owner, tiers, draws.noise, min_gain, confidence, prior)
    return _result(candidates, runs, pool, draws, rule, folds, classes, confidence)


@dataclass(frozen=True, eq=False)
class _Run:
    """A candidate's settings, answers (settings, repeats, n), losses (settings, n), and the best setting's
    scores."""

    settings: tuple[dict[str, Any], ...]
    answers: NDArray[np.int32]
    losses: Floats
    best: Floats
    seconds: float


def _run(candidate: Candidate, y: Ints, folds: Ints, classes: int, metric: str) -> _Run:
    start = time.perf_counter()
    path = candidate.head.path_scores(candidate.X, y, folds)
    seconds = time.perf_counter() - start
    if path.scores.shape != (len(path.settings), *folds.shape, classes) or not np.isfinite(path.scores).all():
        raise InternalError(f"the head {candidate.name!r} gave scores that are not finite or of a wrong shape.")
    losses = np.stack([_losses(scores, y) for scores in path.scores])
    answers = path.scores.argmax(axis=-1).astype(np.int32)
    alone = Pool(y, answers, losses, classes, None, metric)
    best = int(highest(alone.whole[None], alone.whole_losses[None])[0])
    return _Run(path.settings, answers, losses, path.scores[best].copy(), seconds)


def _losses(scores: Floats, y: Ints) -> Floats:
    temperature = fit_temperature(scores, y, most_rows=_ROWS_FOR_TEMPERATURE)
    return row_losses(scores, y, temperature)


def _result(
    candidates: Sequence[Candidate],
    runs: Sequence[_Run],
    pool: Pool,
    draws: Draws,
    rule: Rule,
    folds: Ints,
    classes: Sequence[str],
    confidence: float,
) -> RaceResult:
    losses = pool.whole_losses[None]
    column = int(rule.pick(pool.whole[None], losses)[0])
    winner = int(rule.owner[column])
    settings = [setting for run in runs for setting in run.settings]
    entries = tuple(
        _entry(candidate, run, settings[own], pool, draws, int(own), column, confidence)
        for candidate, run, own in zip(candidates, runs, rule.champions(pool.whole[None], losses)[0], strict=True)
    )
    scores = runs[winner].best
    return RaceResult(
        entries=entries,
        winner=winner,
        setting=settings[column],
        metric=pool.metric,
        estimate=corrected(pool, draws, rule, column, confidence=confidence),
        raw=float(pool.whole[column]),
        baseline=_baseline(pool),
        out_of_fold=scores.mean(axis=0),
        temperature=fit_temperature(scores, pool.y),
        card=scorecard(
            pool.y,
            crossed_probabilities(scores, pool.y, folds),
            classes,
            groups=pool.groups,
            confidence=confidence,
        ),
        configurations=len(settings),
        resamples=len(draws.inside),
    )


def _entry(
    candidate: Candidate,
    run: _Run,
    setting: Mapping[str, Any],
    pool: Pool,
    draws: Draws,
    own: int,
    winner: int,
    confidence: float,
) -> Entry:
    gain = paired_gain(pool, draws, own, winner, confidence=confidence)
    return Entry(
        name=candidate.name,
        features=candidate.features,
        setting=setting,
        score=plain(pool, draws, own, confidence=confidence),
        log_loss=float(pool.whole_losses[own]),
        gain=gain,
        status=CHOSEN if own == winner else _status(gain),
        cost=candidate.cost,
        seconds=run.seconds,
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

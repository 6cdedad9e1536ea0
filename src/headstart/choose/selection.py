"""Which configuration wins, and what its score is worth once it has been selected (BBC-CV).

Takes the out-of-fold answers of every configuration (each candidate with each of its settings) on the same
rows and folds. `Rule` says which one wins, `resample` scores all of them on bootstrap samples, `corrected`
repeats the choice there and turns the winner's score into an honest one, `paired_gain` compares two
configurations. It trains nothing: `choose.race` does.

Bootstrap bias-corrected cross-validation (Tsamardinos, Greasidou, Borboudakis, Machine Learning 107, 2018):
draw rows with replacement, choose on the drawn rows, score the chosen on the rows left out. The mean over
draws is free of the optimism of having looked for the best. No model is trained anew, so it costs two
matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.errors import DataError
from headstart.metrics.intervals import Estimate, effective_size, paired_difference
from headstart.metrics.tallies import METRICS, measured
from headstart.records import Floats, Ints

Reals = NDArray[np.float64]
_CHUNK = 4_000_000
_SAME_PRICE = 1.1
_HAIR = 1e-9


@dataclass(frozen=True, eq=False)
class Pool:
    """The out-of-fold answers of every configuration.

    y: (n,) class numbers 0..classes-1. answers: (configurations, repeats, n), integers. classes: how many
    there are. groups: (n,), rows with equal numbers are drawn together; None where each row is alone.
    metric: what is compared.
    """

    y: Ints
    answers: NDArray[Any]
    classes: int
    groups: Ints | None = None
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        one_of("metric", self.metric, METRICS)
        if self.units < 2:
            raise DataError(
                f"a score's interval needs images of at least two groups; found {self.units}: "
                "add images of other groups, or leave the groups out."
            )

    @cached_property
    def unit_of(self) -> Ints:
        """(n,) the number of the unit (its group, or the row itself) that each row is drawn with."""
        if self.groups is None:
            return np.arange(len(self.y))
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    @property
    def units(self) -> int:
        """How many groups (or rows that are alone) there are to draw from."""
        return int(self.unit_of.max(initial=-1)) + 1

    @cached_property
    def correct(self) -> Floats:
        """(n, configurations) how many of the repeats answered each row rightly."""
        return (self.answers == self.y).sum(axis=1).T.astype(np.float32)  # type: ignore[no-any-return]

    @cached_property
    def whole(self) -> Reals:
        """(configurations,) each one's score on all rows."""
        return self.scores(np.ones((1, self.units), np.float32))[0]

    def scores(self, weights: Floats) -> Reals:
        """The metric of every configuration under weights (draws, units): (draws, configurations), NaN if
        no rows."""
        total = np.zeros((len(weights), len(self.answers)))
        counted = np.zeros_like(total)
        for hits, trials in self._shares():
            used = np.flatnonzero(trials.any(axis=1))
            drawn = weights if len(used) == self.units else weights[:, used]
            right, asked = (drawn @ values[used] for values in (hits, trials))
            total += right.astype(np.float64) / np.maximum(asked, 0.5)
            counted += asked > 0
        return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)

    def _shares(self) -> Iterator[tuple[Floats, Floats]]:
        """Hits and trials of each of the metric's shares (see `metrics.tallies`), (units, configurations or
        1).

        They are sums over repeats, whole or half numbers, so that equal scores stay exactly equal in float32.
        """
        repeats = np.float32(self.answers.shape[1])
        if self.metric == "accuracy":
            yield self._by_unit(self.correct), self._by_unit(np.full((len(self.y), 1), repeats))
            return
        for k in range(self.classes):
            own = (self.y == k)[:, None]
            trials = repeats * own
            if self.metric == "macro-f1":
                trials = (trials + (self.answers == k).sum(axis=1).T) / 2
            yield self._by_unit(self.correct * own), self._by_unit(trials.astype(np.float32))

    def _by_unit(self, rows: Floats) -> Floats:
        if self.groups is None:
            return rows
        order = np.argsort(self.unit_of, kind="stable")
        starts = np.searchsorted(self.unit_of[order], np.arange(self.units))
        return np.add.reduceat(rows[order], starts, axis=0)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Rule:
    """Which configuration wins, given everyone's score: the best of the cheapest tier, unless a dearer one
    pays.

    tiers: (configurations,) price tiers, 0 the cheapest. Within a tier the best score wins; a dearer tier
    wins only when its best is better than the best so far by at least `min_gain` (a share). preference:
    (configurations,) the order among equal scores, lowest first (by log-loss).
    """

    tiers: Ints
    preference: Ints
    min_gain: float = 0.005

    def pick(self, scores: Reals) -> Ints:
        """The winner's number for each row of scores (draws, configurations)."""
        winner = self._best(scores, 0)
        for tier in range(1, int(self.tiers.max()) + 1):
            rival = self._best(scores, tier)
            gain = _at(scores, rival) - _at(scores, winner)
            winner = np.where(gain >= self.min_gain - _HAIR, rival, winner)
        return winner

    def _best(self, scores: Reals, tier: int) -> Ints:
        columns = np.flatnonzero(self.tiers == tier)
        columns = columns[np.argsort(self.preference[columns], kind="stable")]
        return columns[np.argmax(scores[:, columns], axis=1)]

    def among(self, columns: Ints) -> Rule:
        """The same rule for some of the configurations, all taken for one tier: which setting of a head is
        best."""
        return Rule(np.zeros(len(columns), np.int64), self.preference[columns], self.min_gain)


def price_tiers(costs: Reals) -> Ints:
    """The price tier of each cost, 0 the cheapest: costs within 10 % of a tier's cheapest belong to it.

    >>> price_tiers(np.array([2.0, 1.0, 1.05, 4.1])).tolist()
    [1, 0, 0, 2]
    """
    tiers = np.zeros(len(costs), np.int64)
    tier, floor = -1, -np.inf
    for i in np.argsort(costs, kind="stable"):
        if costs[i] > floor * _SAME_PRICE or tier < 0:
            tier, floor = tier + 1, costs[i]
        tiers[i] = tier
    return tiers


@dataclass(frozen=True, eq=False)
class Draws:
    """Every configuration's score on bootstrap samples: on the drawn rows and on those left out, (draws,
    configs)."""

    inside: Reals
    outside: Reals


def resample(pool: Pool, *, count: int | None = None, seed: int = 0) -> Draws:
    """Score all configurations on `count` bootstrap samples of the rows (of the groups, where there are any).

    count None: 1,000, and fewer from 20,000 rows on, down to 200. Draws that leave nothing out are dropped.
    """
    count = count or int(np.clip(20_000_000 // pool.units, 200, 1000))
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // pool.units)
    inside, outside = [], []
    for start in range(0, count, step):
        weights = _drawn(rng, min(step, count - start), pool.units)
        weights = weights[(weights == 0).any(axis=1)]
        both = pool.scores(np.concatenate([weights, weights == 0], axis=0))
        inside.append(both[: len(weights)])
        outside.append(both[len(weights) :])
    return Draws(np.concatenate(inside), np.concatenate(outside))


def _drawn(rng: np.random.Generator, count: int, units: int) -> Floats:
    """How often each unit is drawn in each of `count` samples of `units` with replacement, (count, units)."""
    chosen = rng.integers(units, size=(count, units), dtype=np.int64)
    chosen += np.arange(count)[:, None] * units
    return np.bincount(chosen.ravel(), minlength=count * units).reshape(count, units).astype(np.float32)


def corrected(pool: Pool, draws: Draws, rule: Rule, winner: int, *, confidence: float = 0.95) -> Estimate:
    """The winner's score, freed of the optimism of having been selected, with its interval.

    value: BBC-CV's mean over draws of the left-out score of what the rule picks on the drawn rows, written
    as the winner's own score minus the mean difference between winner and pick on the same left-out rows.
    The limit is the same, with less noise of the draws; with one configuration it is exactly that
    configuration's score. low, high: the percentiles of the left-out scores of the picks, around the value;
    never closer than exact binomial counting at the (effective) number of images allows, for a bootstrap
    sees no doubt where every answer was right. The left-out rows are few (37 %), so the percentiles lie 1.3
    times as far out as those of a plain bootstrap; this makes up for what folds hide: models of different
    folds share training rows (Bates, Hastie, Tibshirani 2023).
    """
    picks = rule.pick(draws.inside)
    left_out = _at(draws.outside, picks)
    raw = float(pool.whole[winner])
    value = raw - float((draws.outside[:, winner] - left_out).mean())
    value = min(max(value, 0.0), 1.0)
    return _interval(pool, left_out - left_out.mean() + value, winner, value, confidence, "BBC-CV")


def plain(pool: Pool, draws: Draws, column: int, *, confidence: float = 0.95) -> Estimate:
    """A configuration's own out-of-fold score with its interval, not corrected for any selection."""
    value = float(pool.whole[column])
    return _interval(pool, draws.inside[:, column], column, value, confidence, "out of fold, bootstrap")


def _interval(
    pool: Pool, spread: Reals, column: int, value: float, confidence: float, method: str
) -> Estimate:
    exact = measured(
        pool.metric,
        pool.y,
        pool.answers[column],
        pool.classes,
        groups=pool.groups,
        confidence=confidence,
        value=value,
    )
    low, high = _ends(spread, confidence)
    return Estimate(
        value,
        max(min(low, exact.low, value), 0.0),
        min(max(high, exact.high, value), 1.0),
        pool.metric,
        confidence,
        f"{method}, at least {exact.method}",
    )


def paired_gain(pool: Pool, draws: Draws, one: int, other: int, *, confidence: float = 0.95) -> Estimate:
    """How much better configuration `one` scores than `other` on the same rows, with its interval (-1 to 1).

    The percentiles of the difference over the draws, never closer than Bonett and Price's interval for
    paired shares allows. The gain of `other` over `one` is exactly the opposite.
    """
    value = float(pool.whole[one] - pool.whole[other])
    low, high = _ends(draws.inside[:, one] - draws.inside[:, other], confidence)
    below, above = _paired_reach(pool, one, other, confidence)
    return Estimate(
        value,
        min(low, value - below, value),
        max(high, value + above, value),
        pool.metric,
        confidence,
        "paired bootstrap",
    )


def _paired_reach(pool: Pool, one: int, other: int, confidence: float) -> tuple[float, float]:
    """How far below and above the gain the truth may lie, by counts of rows on which the two differ."""
    difference = (pool.correct[:, one] - pool.correct[:, other]).astype(np.float64) / pool.answers.shape[1]
    parts = (
        [np.ones(len(pool.y), bool)]
        if pool.metric == "accuracy"
        else [pool.y == k for k in range(pool.classes)]
    )
    reach = np.array([_reach(pool, difference, rows, confidence) for rows in parts if rows.any()])
    below, above = np.sqrt((reach**2).sum(axis=0)) / len(reach)
    return float(below), float(above)


def _reach(pool: Pool, difference: Reals, rows: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    own = difference[rows]
    groups = None if pool.groups is None else pool.groups[rows]
    size = effective_size(own, groups, confidence=confidence)
    win, loss = (float(np.maximum(side, 0).mean()) * size for side in (own, -own))
    low, high = paired_difference(win, loss, size, confidence=confidence)
    gain = (win - loss) / size
    return gain - low, high - gain


def _ends(values: Reals, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _at(scores: Reals, columns: Ints) -> Reals:
    return np.take_along_axis(scores, columns[:, None], axis=1)[:, 0]

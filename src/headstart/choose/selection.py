"""Which configuration wins, and what its score is worth once it has been selected (BBC-CV).

Takes the out-of-fold answers and losses of every configuration (each candidate with each of its settings)
on the same rows and folds. `resample` scores all of them on bootstrap samples, `Rule` says which one wins,
`corrected` repeats that choice on the samples and turns the winner's score into an honest one,
`paired_gain` compares two configurations. It trains nothing: `choose.race` does.

Bootstrap bias-corrected cross-validation (Tsamardinos, Greasidou, Borboudakis, Machine Learning 107, 2018):
draw rows with replacement, choose on the drawn rows, score the chosen on the rows left out. The mean over
draws is free of the optimism of having looked for the best. No model is trained anew, so it costs a few
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
from headstart.metrics.classes import METRICS
from headstart.metrics.intervals import Reals, z_value
from headstart.records.arrays import Floats, Ints

_CHUNK = 2_000_000
_SAME_PRICE = 1.1
LOSS_PER_SHARE = 2.0
"""How much log-loss a gain of 1.0 in the metric is taken to be worth, where the metric alone cannot tell."""
_HAIR = 1e-9


@dataclass(frozen=True, eq=False)
class Pool:
    """The out-of-fold answers of every configuration.

    y: (n,) class numbers 0..classes-1. answers: (configurations, repeats, n), integers. losses:
    (configurations, n), the log-loss of each row at the configuration's own best temperature. groups: (n,),
    rows with equal numbers are drawn together; None where each row is alone. metric: what is compared;
    unless it is accuracy, losses weigh every class alike.
    """

    y: Ints
    answers: NDArray[Any]
    losses: Floats
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
        rightly: NDArray[Any] = (self.answers == self.y).sum(axis=1).T
        return rightly.astype(np.float32)

    @cached_property
    def whole(self) -> Reals:
        """(configurations,) each one's score on all rows."""
        found: Reals = self.scores(np.ones((1, self.units), np.float32))[0]
        return found

    @cached_property
    def whole_losses(self) -> Reals:
        """(configurations,) each one's mean log-loss on all rows."""
        weight = self._loss_weights()
        return (self.losses.astype(np.float64) * weight).sum(axis=1) / weight.sum()  # type: ignore[no-any-return]

    def scores(self, weights: Floats) -> Reals:
        """The metric of every configuration under weights (draws, units): (draws, configurations); NaN: no rows."""
        total = np.zeros((len(weights), len(self.answers)))
        counted = np.zeros_like(total)
        for hits, trials in self._shares():
            used = np.flatnonzero(trials.any(axis=1))
            drawn = weights if len(used) == self.units else weights[:, used]
            right, asked = (drawn @ values[used] for values in (hits, trials))
            total += right.astype(np.float64) / np.maximum(asked, 0.5)
            counted += asked > 0
        return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)

    def mean_losses(self, weights: Floats) -> Reals:
        """The mean log-loss of every configuration under weights (draws, units): (draws, configurations)."""
        weight = self._loss_weights().astype(np.float32)[:, None]
        total = (weights @ self._by_unit(self.losses.T * weight)).astype(np.float64)
        mean: Reals = total / np.maximum(weights @ self._by_unit(weight), 1e-12)
        return mean

    def _loss_weights(self) -> Reals:
        """(n,) how much each row's loss counts: alike, or every class alike; 1 on average."""
        rows = np.ones(len(self.y)) if self.metric == "accuracy" else 1 / np.bincount(self.y)[self.y]
        return rows / rows.mean()  # type: ignore[no-any-return]

    def _shares(self) -> Iterator[tuple[Floats, Floats]]:
        """Hits and trials of each of the metric's shares (see `metrics.classes`), (units, configurations or 1).

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
        return np.add.reduceat(rows[order], starts, axis=0)


@dataclass(frozen=True, eq=False)
class Resamples:
    """Every configuration on bootstrap samples, each (draws, configurations).

    inside, losses: score and mean log-loss on the drawn rows. outside: score on the rows left out.
    """

    inside: Reals
    losses: Reals
    outside: Reals

    @cached_property
    def noise(self) -> Reals:
        """(configurations, configurations) standard error of the difference between two scores on the same rows."""
        covariance = np.atleast_2d(np.cov(self.inside, rowvar=False))
        own = np.diag(covariance)
        return np.sqrt(np.maximum(own[:, None] + own - 2 * covariance, 0.0))


def resample(pool: Pool, *, count: int | None = None, seed: int = 0) -> Resamples:
    """Score all configurations on `count` bootstrap samples of the rows (of the groups, where there are any).

    count None: 1,000, and fewer from 20,000 rows on, down to 200. Draws that leave nothing out are dropped.
    """
    count = count or int(np.clip(20_000_000 // pool.units, 200, 1000))
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // pool.units)
    parts = []
    for start in range(0, count, step):
        weights = _drawn(rng, min(step, count - start), pool.units)
        weights = weights[(weights == 0).any(axis=1)]
        both = pool.scores(np.concatenate([weights, weights == 0], axis=0))
        parts.append((both[: len(weights)], pool.mean_losses(weights), both[len(weights) :]))
    return Resamples(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _drawn(rng: np.random.Generator, count: int, units: int) -> Floats:
    """How often each unit is drawn in each of `count` samples of `units` with replacement, (count, units)."""
    chosen = rng.integers(units, size=(count, units), dtype=np.int64)
    chosen += np.arange(count)[:, None] * units
    return np.bincount(chosen.ravel(), minlength=count * units).reshape(count, units).astype(np.float32)


def cost_tiers(costs: Reals) -> Ints:
    """The price tier of each cost, 0 the cheapest: costs within 10 % of a tier's cheapest belong to it.

    >>> cost_tiers(np.array([2.0, 1.0, 1.05, 4.1])).tolist()
    [1, 0, 0, 2]
    """
    tiers = np.zeros(len(costs), np.int64)
    tier, floor = -1, -np.inf
    for i in np.argsort(costs, kind="stable"):
        if tier < 0 or costs[i] > floor * _SAME_PRICE:
            tier, floor = tier + 1, costs[i]
        tiers[i] = tier
    return tiers


@dataclass(frozen=True, eq=False)
class Rule:
    """Which configuration wins, given everyone's scores and log-losses.

    1. A candidate is represented by its setting of the best score (of equal ones, the lowest log-loss). 2. Among
    candidates of one price tier, those whose score lies within the paired noise of the best are tied. Ties are decided
    by log-loss, which sees each row's margin where the metric sees right or wrong only, and by the candidates' priors.
    3. A dearer tier's winner replaces the cheaper one's only when it is better by `min_gain` or more: in the metric
    where the two differ beyond the noise, else by log-loss and prior. 0.02 of log-loss are taken for one point.

    owner: (configurations,) number of the candidate of each. tiers: (candidates,) price tier of each, 0 the cheapest.
    noise: (configurations, configurations) standard errors of paired differences. min_gain: a share. prior:
    (candidates,) the gain, as a share, that other data sets led one to expect of each; None expects none.
    """

    owner: Ints
    tiers: Ints
    noise: Reals
    min_gain: float = 0.005
    confidence: float = 0.95
    prior: Reals | None = None

    def pick(self, scores: Reals, losses: Reals) -> Ints:
        """The winner's number for each row of scores and losses, both (draws, configurations)."""
        champions = self.champions(scores, losses)
        if self.prior is not None:
            losses = losses - LOSS_PER_SHARE * self.prior[self.owner]
        winner = self._best(champions[:, self.tiers == 0], scores, losses)
        for tier in range(1, int(self.tiers.max()) + 1):
            rival = self._best(champions[:, self.tiers == tier], scores, losses)
            winner = np.where(self._pays(winner, rival, scores, losses), rival, winner)
        return winner

    def champions(self, scores: Reals, losses: Reals) -> Ints:
        """(draws, candidates) the configuration that stands for each candidate."""
        columns = [np.flatnonzero(self.owner == candidate) for candidate in range(len(self.tiers))]
        return np.stack([own[best_columns(scores[:, own], losses[:, own])] for own in columns], axis=1)

    def _best(self, rivals: Ints, scores: Reals, losses: Reals) -> Ints:
        score, loss = (np.take_along_axis(values, rivals, axis=1) for values in (scores, losses))
        leader = take_columns(rivals, best_columns(score, loss))
        band = z_value(self.confidence) * self.noise[leader[:, None], rivals]
        tied = score >= score.max(axis=1, keepdims=True) - band - _HAIR
        return take_columns(rivals, np.where(tied, loss, np.inf).argmin(axis=1))

    def _pays(self, winner: Ints, rival: Ints, scores: Reals, losses: Reals) -> NDArray[np.bool_]:
        gain = take_columns(scores, rival) - take_columns(scores, winner)
        finer = (take_columns(losses, winner) - take_columns(losses, rival)) / LOSS_PER_SHARE
        clear = np.abs(gain) > z_value(self.confidence) * self.noise[winner, rival] + _HAIR
        enough: NDArray[np.bool_] = np.where(clear, gain, finer) >= self.min_gain - _HAIR
        return enough


def best_columns(scores: Reals, losses: Reals) -> Ints:
    """The column of the best score in each row; of equal ones, that of the lowest loss."""
    best = scores == scores.max(axis=1, keepdims=True)
    found: Ints = np.where(best, losses, np.inf).argmin(axis=1)
    return found


def take_columns(values: NDArray[Any], columns: Ints) -> NDArray[Any]:
    """One value of each row: values (draws, m), columns (draws,)."""
    return np.take_along_axis(values, columns[:, None], axis=1)[:, 0]

"""Which configuration wins, and what its score is worth once it has been selected (BBC-CV).

Takes the out-of-fold predictions and losses of every configuration of every strategy on the same rows and folds.
`resample` scores all of them on bootstrap samples, `Rule` says which one wins; `choose.corrected` repeats that choice
on the samples and turns the winner's score into an honest one. It trains nothing: `choose.race` does.

Bootstrap bias-corrected cross-validation (Tsamardinos, Greasidou, Borboudakis, Machine Learning 107, 2018):
draw rows with replacement, choose on the drawn rows, score the chosen on the rows left out. The mean over
replicates is free of the optimism of having looked for the best. No model is trained anew, so it costs a few
matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.metrics.intervals import Reals, z_value
from headstart.metrics.metric import Metric
from headstart.records.arrays import Floats, Ints
from headstart.records.targets import Target

_CHUNK = 2_000_000
_SAME_TIER = 1.1
LOSS_PER_SHARE = 2.0
"""How much log-loss a gain of 1.0 in the metric is taken to be worth, where the metric alone cannot tell."""
_EPSILON = 1e-9


@dataclass(frozen=True, eq=False)
class Pool:
    """The out-of-fold predictions of every configuration.

    target: the labels of n rows. predictions: (configurations, repeats, n), or (…, n, K) where a row has several.
    losses: (configurations, n), a proper loss of each row. metric: what is compared. groups: (n,), rows with equal
    numbers are resampled together; None where each row is alone.
    """

    target: Target
    predictions: NDArray[Any]
    losses: Floats
    metric: Metric
    groups: Ints | None = None

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise DataError(
                f"a score's interval needs images of at least two groups; found {self.clusters}: "
                "add images of other groups, or leave the groups out."
            )

    @property
    def repeats(self) -> int:
        """How often the cross-validation was repeated."""
        return int(self.predictions.shape[1])

    @cached_property
    def cluster_of(self) -> Ints:
        """(n,) the number of the cluster (its group, or the row itself) that each row is drawn with."""
        if self.groups is None:
            return np.arange(len(self.target))
        return np.unique(self.groups, return_inverse=True)[1].astype(np.int64)

    @property
    def clusters(self) -> int:
        """How many groups (or rows that are alone) there are to draw from."""
        return int(self.cluster_of.max(initial=-1)) + 1

    @cached_property
    def right(self) -> Floats:
        """(n, configurations) how right each row was predicted, summed over repeats."""
        return self.metric.right(self.target, self.predictions)

    @cached_property
    def whole(self) -> Reals:
        """(configurations,) each one's score on all rows."""
        scores: Reals = self.scores(np.ones((1, self.clusters), np.float32))[0]
        return scores

    @cached_property
    def whole_losses(self) -> Reals:
        """(configurations,) each one's mean loss on all rows."""
        weight = self._loss_weights()
        return (self.losses.astype(np.float64) * weight).sum(axis=1) / weight.sum()  # type: ignore[no-any-return]

    def take(self, rows: NDArray[np.bool_], configurations: Sequence[int] | None = None) -> Pool:
        """Some rows, and some configurations where they are named."""
        predictions, losses = self.predictions, self.losses
        if configurations is not None:
            predictions, losses = predictions[list(configurations)], losses[list(configurations)]
        groups = None if self.groups is None else self.groups[rows]
        return Pool(self.target.take(rows), predictions[:, :, rows], losses[:, rows], self.metric, groups)

    def scores(self, weights: Floats) -> Reals:
        """The metric of every configuration under weights (replicates, clusters): (replicates, configurations).

        The mean over shares of Σ hits / Σ trials; shares without trials are left out, NaN where all are.
        """
        total = np.zeros((len(weights), len(self.predictions)))
        shares = np.zeros_like(total)
        for hits, trials in self._shares():
            used = np.flatnonzero(trials.any(axis=1))
            sampled = weights if len(used) == self.clusters else weights[:, used]
            right, tried = (sampled @ values[used] for values in (hits, trials))
            total += right.astype(np.float64) / np.maximum(tried, 0.5)
            shares += tried > 0
        return np.where(shares > 0, total / np.maximum(shares, 1), np.nan)

    def mean_losses(self, weights: Floats) -> Reals:
        """The mean loss of every configuration under weights (replicates, clusters): (replicates, configurations)."""
        weight = self._loss_weights().astype(np.float32)[:, None]
        total = (weights @ self._by_cluster(self.losses.T * weight)).astype(np.float64)
        mean: Reals = total / np.maximum(weights @ self._by_cluster(weight), 1e-12)
        return mean

    def _loss_weights(self) -> Reals:
        """(n,) how much each row's loss counts: alike, or every class alike; 1 on average."""
        rows = np.ones(len(self.target)) if self.metric.weights is None else self.metric.weights(self.target)
        return rows / rows.mean()  # type: ignore[no-any-return]

    def _shares(self) -> Iterator[tuple[Floats, Floats]]:
        """Hits and trials of each of the metric's shares, (clusters, configurations or 1)."""
        for hits, trials in self.metric.parts(self.target, self.predictions, self.right):
            yield self._by_cluster(hits), self._by_cluster(trials)

    def _by_cluster(self, rows: Floats) -> Floats:
        if self.groups is None:
            return rows
        order = np.argsort(self.cluster_of, kind="stable")
        starts = np.searchsorted(self.cluster_of[order], np.arange(self.clusters))
        return np.add.reduceat(rows[order], starts, axis=0)


@dataclass(frozen=True, eq=False)
class Resamples:
    """Every configuration on bootstrap samples, each (replicates, configurations).

    inside, losses: score and mean log-loss on the drawn rows. outside: score on the rows left out.
    """

    inside: Reals
    losses: Reals
    outside: Reals

    @cached_property
    def noise(self) -> Reals:
        """(configurations, configurations) standard error of the difference between two scores on the same rows."""
        covariance = np.atleast_2d(np.cov(self.inside, rowvar=False))
        variance = np.diag(covariance)
        # Var(a - b) = Var(a) + Var(b) - 2 Cov(a, b)
        return np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0.0))


def resample(pool: Pool, *, count: int | None = None, seed: int = 0) -> Resamples:
    """Score all configurations on `count` bootstrap samples of the rows (of the groups, where there are any).

    count None: 1,000, and fewer from 20,000 rows on, down to 200. Replicates that leave nothing out are dropped.
    """
    count = count or int(np.clip(20_000_000 // pool.clusters, 200, 1000))
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // pool.clusters)
    parts = []
    for start in range(0, count, step):
        weights = _bootstrap_weights(rng, min(step, count - start), pool.clusters)
        weights = weights[(weights == 0).any(axis=1)]
        both = pool.scores(np.concatenate([weights, weights == 0], axis=0))
        parts.append((both[: len(weights)], pool.mean_losses(weights), both[len(weights) :]))
    return Resamples(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _bootstrap_weights(rng: np.random.Generator, count: int, clusters: int) -> Floats:
    """How often each cluster is drawn in each of `count` samples with replacement, (count, clusters)."""
    chosen = rng.integers(clusters, size=(count, clusters), dtype=np.int64)
    chosen += np.arange(count)[:, None] * clusters
    return np.bincount(chosen.ravel(), minlength=count * clusters).reshape(count, clusters).astype(np.float32)


def cost_tiers(costs: Reals) -> Ints:
    """The cost tier of each cost, 0 the cheapest: costs within 10 % of a tier's cheapest belong to it.

    >>> cost_tiers(np.array([2.0, 1.0, 1.05, 4.1])).tolist()
    [1, 0, 0, 2]
    """
    tiers = np.zeros(len(costs), np.int64)
    tier, floor = -1, -np.inf
    for i in np.argsort(costs, kind="stable"):
        if tier < 0 or costs[i] > floor * _SAME_TIER:
            tier, floor = tier + 1, costs[i]
        tiers[i] = tier
    return tiers


@dataclass(frozen=True, eq=False)
class Rule:
    """Which configuration wins, given everyone's scores and log-losses.

    1. A strategy is represented by its configuration of the best score (of equal ones, the lowest loss). 2. Among
    strategies of one cost tier, those whose score lies within the paired noise of the best are tied. Ties are decided
    by the strategies' priors, and among equal ones by the loss, which sees each row's margin where the metric sees
    right or wrong only. 3. A costlier tier's winner replaces the cheaper one's only when it is better by `min_gain` or
    more: in the metric where the two differ beyond the noise, else by prior, and with equal priors by loss: 0.02 of
    log-loss are taken for one point. On few rows the noise is wide, and what other data taught decides; on many the
    data do.

    owner: (configurations,) number of the strategy of each. tiers: (strategies,) cost tier of each, 0 the cheapest.
    noise: (configurations, configurations) standard errors of paired differences. min_gain: a share. prior:
    (strategies,) the gain, as a share, that other data sets led one to expect of each; None expects none.
    """

    owner: Ints
    tiers: Ints
    noise: Reals
    min_gain: float = 0.005
    confidence: float = 0.95
    prior: Reals | None = None

    def pick(self, scores: Reals, losses: Reals) -> Ints:
        """The winner's number for each row of scores and losses, both (replicates, configurations)."""
        representatives = self.representatives(scores, losses)
        winner = self._best(representatives[:, self.tiers == 0], scores, losses)
        for tier in range(1, int(self.tiers.max()) + 1):
            rival = self._best(representatives[:, self.tiers == tier], scores, losses)
            winner = np.where(self._pays(winner, rival, scores, losses), rival, winner)
        return winner

    @property
    def _priors(self) -> Reals:
        """(strategies,) the gain that is expected of each."""
        return np.zeros(len(self.tiers)) if self.prior is None else self.prior

    def representatives(self, scores: Reals, losses: Reals) -> Ints:
        """(replicates, strategies) the configuration that stands for each strategy: its best one."""
        columns = [np.flatnonzero(self.owner == strategy) for strategy in range(len(self.tiers))]
        return np.stack([group[best_columns(scores[:, group], losses[:, group])] for group in columns], axis=1)

    def _best(self, rivals: Ints, scores: Reals, losses: Reals) -> Ints:
        score, loss = (np.take_along_axis(values, rivals, axis=1) for values in (scores, losses))
        leader = take_columns(rivals, best_columns(score, loss))
        band = z_value(self.confidence) * self.noise[leader[:, None], rivals]
        tied = score >= score.max(axis=1, keepdims=True) - band - _EPSILON
        prior = np.where(tied, self._priors[self.owner[rivals]], -np.inf)
        likely = prior >= prior.max(axis=1, keepdims=True) - _EPSILON
        return take_columns(rivals, np.where(likely, loss, np.inf).argmin(axis=1))

    def _pays(self, winner: Ints, rival: Ints, scores: Reals, losses: Reals) -> NDArray[np.bool_]:
        gain = take_columns(scores, rival) - take_columns(scores, winner)
        expected = self._priors[self.owner[rival]] - self._priors[self.owner[winner]]
        finer = (take_columns(losses, winner) - take_columns(losses, rival)) / LOSS_PER_SHARE
        finer = np.where(np.abs(expected) > _EPSILON, expected, finer)
        clear = np.abs(gain) > z_value(self.confidence) * self.noise[winner, rival] + _EPSILON
        enough: NDArray[np.bool_] = np.where(clear, gain, finer) >= self.min_gain - _EPSILON
        return enough


def best_columns(scores: Reals, losses: Reals) -> Ints:
    """The column of the best score in each row; of equal ones, that of the lowest loss."""
    best = scores == scores.max(axis=1, keepdims=True)
    columns: Ints = np.where(best, losses, np.inf).argmin(axis=1)
    return columns


def take_columns(values: NDArray[Any], columns: Ints) -> NDArray[Any]:
    """One value of each row: values (replicates, m), columns (replicates,)."""
    return np.take_along_axis(values, columns[:, None], axis=1)[:, 0]

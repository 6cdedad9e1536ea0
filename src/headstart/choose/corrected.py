"""What a configuration's score is worth: corrected for its selection, or compared with another, with intervals.

Takes a `Pool` of out-of-fold predictions, the `Resamples` of the bootstrap and the `Rule` of `choose.selection`.
Every interval is the wider of two: the bootstrap's percentiles, and what counting right and wrong predictions
allows, because a bootstrap sees no uncertainty where every prediction was right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.choose.selection import Pool, Resamples, Rule, take_columns
from headstart.metrics.intervals import Estimate, Reals, effective_size, paired_difference


def corrected_estimate(
    pool: Pool, resamples: Resamples, rule: Rule, winner: int, *, confidence: float = 0.95
) -> Estimate:
    """The winner's score, freed of the optimism of having been selected, with its interval (BBC-CV).

    value: the mean over replicates of the left-out score of what the rule picks on the resampled rows. It is written
    as the winner's own score minus the mean difference between winner and pick on the same left-out rows:
    the limit is the same with less noise, and one configuration alone keeps exactly its score.

    low, high: percentiles of the picks' left-out scores, laid around the value. The left-out rows are few
    (37 %), so these lie 1.3 times as far out as a plain bootstrap's. That is wanted: models of different
    folds share training rows, which a bootstrap of their predictions does not see (Bates, Hastie, Tibshirani
    2023); without it, intervals covered 89 % in simulations (benchmarks/coverage.py).
    """
    left_out = take_columns(resamples.outside, rule.pick(resamples.inside, resamples.losses))
    value = float(pool.whole[winner] - np.nanmean(resamples.outside[:, winner] - left_out))
    value = min(max(value, 0.0), 1.0)
    spread = left_out - np.nanmean(left_out) + value
    method = "BBC-CV" if len(pool.predictions) > 1 else "one configuration, nothing selected"
    return _interval(pool, spread, winner, value, confidence, method)


def plain_estimate(pool: Pool, resamples: Resamples, column: int, *, confidence: float = 0.95) -> Estimate:
    """A configuration's own out-of-fold score with its interval, not corrected for any selection."""
    value = float(pool.whole[column])
    return _interval(pool, resamples.inside[:, column], column, value, confidence, "out-of-fold bootstrap")


def _interval(pool: Pool, spread: Reals, column: int, value: float, confidence: float, method: str) -> Estimate:
    low, high = _ends(spread, confidence)
    if pool.metric.exact is not None:
        exact = pool.metric.exact(pool.target, pool.predictions[column], pool.groups, confidence, value)
        low, high, method = min(low, exact.low), max(high, exact.high), f"{method}, no narrower than {exact.method}"
    low, high = max(min(low, value), 0.0), min(max(high, value), 1.0)
    return Estimate(value, low, high, pool.metric.name, confidence, method)


def paired_gain(pool: Pool, resamples: Resamples, one: int, other: int, *, confidence: float = 0.95) -> Estimate:
    """How much better configuration `one` scores than `other` on the same rows, with its interval (-1 to 1).

    The percentiles of the difference over the replicates, no narrower than Bonett and Price's interval for
    paired shares. The gain of `other` over `one` is exactly the opposite.
    """
    value = float(pool.whole[one] - pool.whole[other])
    low, high = _ends(resamples.inside[:, one] - resamples.inside[:, other], confidence)
    below, above = _paired_reach(pool, one, other, confidence)
    low, high = max(min(low, value - below, value), -1.0), min(max(high, value + above, value), 1.0)
    return Estimate(value, low, high, pool.metric.name, confidence, "paired bootstrap, no narrower than paired counts")


def _paired_reach(pool: Pool, one: int, other: int, confidence: float) -> tuple[float, float]:
    """How far below and above the gain the truth may lie, by counts of the rows on which the two differ.

    The metric is a mean over m shares, so their reaches add up as sqrt(Σ reach²) / m.
    """
    difference = (pool.right[:, one] - pool.right[:, other]).astype(np.float64) / pool.repeats
    members = [rows for rows in pool.metric.members(pool.target) if rows.any()]
    reach = np.array([_reach(pool, difference, rows, confidence) for rows in members])
    below, above = np.sqrt((reach**2).sum(axis=0)) / len(reach)
    return float(below), float(above)


def _reach(pool: Pool, difference: Reals, rows: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    differences = difference[rows]
    groups = None if pool.groups is None else pool.groups[rows]
    size = effective_size(differences, groups, confidence=confidence)
    win, loss = (float(np.maximum(side, 0).mean()) * size for side in (differences, -differences))
    low, high = paired_difference(win, loss, size, confidence=confidence)
    gain = (win - loss) / size
    return gain - low, high - gain


def _ends(values: Reals, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)

"""Intervals for shares (accuracy, recall, …): a number is never handed on without how sure it is.

Takes counts of hits and trials, which need not be whole (means over repeats), and gives the ends of
intervals. `effective_size` says how many independent images a set of images in groups is worth. Resampling
lives in `choose.selection`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headstart.errors import InternalError

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured share with its interval.

    Attributes
    ----------
    value, low, high : float
        Shares of 1 (a paired gain: between -1 and 1), low <= value <= high.
    metric : str
        What was measured.
    confidence : float
        How often such intervals hold the truth.
    method : str
        How the interval came about, in words.

    Examples
    --------
    >>> print(Estimate(0.924, 0.901, 0.942))
    92.4 % (90.1–94.2)
    """

    value: float
    low: float
    high: float
    metric: str = "accuracy"
    confidence: float = 0.95
    method: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise InternalError(f"an estimate lies outside its interval: {self.low} {self.value} {self.high}.")

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f}–{100 * self.high:.1f})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def z_value(confidence: float) -> float:
    """How many standard deviations on each side hold the share `confidence` of a normal distribution.

    >>> round(z_value(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(hits: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95) -> tuple[Reals, Reals]:
    """Wilson's score interval for a share: close to its stated rate on average (Wilson 1927).

    Without trials: 0 to 1.

    >>> low, high = wilson(20, 20)
    >>> print(f"{low:.3f} {high:.3f}")
    0.839 1.000
    """
    share, count, any_trials = _shares(hits, trials)
    z2 = z_value(confidence) ** 2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    low, high = np.minimum(centre - half, share), np.maximum(centre + half, share)
    return np.where(any_trials, np.maximum(low, 0.0), 0.0), np.where(any_trials, np.minimum(high, 1.0), 1.0)


def clopper_pearson(hits: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95) -> tuple[Reals, Reals]:
    """The exact interval for a share: holds the truth at least as often as stated. No trials: 0 to 1.

    Clopper and Pearson 1934, by quantiles of the beta distribution, which also serve hits that are not whole.

    >>> low, high = clopper_pearson(20, 20)
    >>> print(f"{low:.3f} {high:.3f}")
    0.832 1.000
    """
    from scipy.special import betaincinv

    share, count, any_trials = _shares(hits, trials)
    right, wrong = share * count, (1 - share) * count
    tail = (1 - confidence) / 2
    low = np.where(right > 0, betaincinv(np.maximum(right, 1e-12), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1e-12), 1 - tail), 1.0)
    return np.where(any_trials, np.minimum(low, share), 0.0), np.where(any_trials, np.maximum(high, share), 1.0)


def _shares(hits: ArrayLike, trials: ArrayLike) -> tuple[Reals, Reals, NDArray[np.bool_]]:
    """Share, trials (1 where there are none) and whether there are any."""
    right, count = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    any_trials = count > 0
    count = np.where(any_trials, count, 1.0)
    return np.clip(right / count, 0.0, 1.0), count, any_trials


def mean_share(hits: Reals, trials: Reals, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """The mean of several shares (a recall for each class, say) with its interval: value, low, high.

    Each share's exact interval gives how far the mean may lie off on either side: the variance recovered from
    single intervals (Zou and Donner 2008). One share: its Clopper–Pearson interval. Shares without trials are
    left out; where none is left, 0 with the interval 0 to 1.

    >>> print("%.3f %.3f %.3f" % mean_share(np.array([9.0, 5.0]), np.array([10.0, 10.0])))
    0.700 0.467 0.864
    """
    used = trials > 0
    if not used.any():
        return 0.0, 0.0, 1.0
    share = hits[used] / trials[used]
    low, high = clopper_pearson(hits[used], trials[used], confidence=confidence)
    value = float(share.mean())
    below = float(np.sqrt(((share - low) ** 2).sum())) / len(share)
    above = float(np.sqrt(((high - share) ** 2).sum())) / len(share)
    return value, max(value - below, 0.0), min(value + above, 1.0)


def paired_difference(wins: float, losses: float, trials: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Ends of an interval for (wins - losses) / trials, where two predictions of the same image were compared.

    Bonett and Price 2012: one win and one loss are added before the usual formula, so that a handful of
    images on which two heads differ (or none) is not taken for certainty.

    >>> print("%.3f %.3f" % paired_difference(4, 0, 20))
    -0.023 0.386
    """
    win, loss = (wins + 1) / (trials + 2), (losses + 1) / (trials + 2)
    half = z_value(confidence) * float(np.sqrt(max(win + loss - (win - loss) ** 2, 0.0) / (trials + 2)))
    return max(win - loss - half, -1.0), min(win - loss + half, 1.0)


def effective_size(values: Reals, groups: NDArray[np.int64] | None, *, confidence: float = 0.95) -> float:
    """How many independent images these are worth, when images of one group go right or wrong together.

    values: (n,) whether (or how often) each image was predicted rightly. groups: (n,) or None where each is
    alone. The variance between groups' sums against the variance of single images gives the design effect,
    kept between none and 'all images of a group say the same'; few groups count for less, as a
    t-distribution does (Korn and Graubard 1998). All right or all wrong shows no effect, so the worst case
    is taken.

    >>> effective_size(np.array([1.0, 1, 1, 1, 0, 0, 0, 0]), None)
    8.0
    """
    n = len(values)
    if groups is None or n < 2:
        return float(n)
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) == n:
        return float(n)
    worst = n**2 / float((counts.astype(np.float64) ** 2).sum())
    if len(counts) < 2:
        return worst
    between = np.bincount(group, weights=values - values.mean())
    clustered = len(counts) / (len(counts) - 1) * float((between**2).sum()) / n**2
    plain = float(values.var()) / n
    size = n * plain / clustered if clustered > 0 and plain > 0 else worst
    return float(np.clip(size, worst, n)) * _few(len(counts), n, confidence)


def _few(groups: int, n: int, confidence: float) -> float:
    """What is left of the effective size because the spread itself was learned from few groups (0 to 1)."""
    from scipy.special import stdtrit

    quantile = 0.5 + confidence / 2
    return float((stdtrit(n - 1, quantile) / stdtrit(groups - 1, quantile)) ** 2)

"""Which strategy to try next, and which to give up: the expected gain per second, from prior knowledge and
measurements.

Pure arithmetic on a few numbers a strategy. The gains of all strategies that are scored fold by fold are one Gaussian:
its mean and spread are what other data sets led one to expect (`ExpectedGain`), and strategies that train a like share
of the network are expected to do alike, so that a fold of `last-2` says something of `last-4`. What was measured is
added by Bayes' rule. It trains nothing and reads no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.choose.strategy import ExpectedGain
from headstart.metrics.intervals import Reals

_SPREAD = 0.2
"""Standard deviation of a strategy's gain, as a share of the errors that frozen features leave."""
_REACH = 0.5
"""How far apart two depths lie whose gains are correlated by 1/e."""


@dataclass(frozen=True)
class MeasuredGain:
    """A gain over the reference measured so far, as a share of 1, with its standard error."""

    gain: float
    error: float


@dataclass(frozen=True, eq=False)
class Belief:
    """What is thought of each strategy's gain: mean and standard deviation, as shares of 1."""

    mean: Reals
    spread: Reals

    def improvement(self, bar: float) -> Reals:
        """How much better than `bar` each is expected to be, where it is better at all: E[max(gain - bar, 0)].

        The expected improvement of Močkus (1975) and Jones et al. (1998, eq. 15).
        """
        from scipy.stats import norm

        over = self.mean - bar
        z = over / np.maximum(self.spread, 1e-12)
        return over * norm.cdf(z) + self.spread * norm.pdf(z)  # type: ignore[no-any-return]


def update_belief(expected: Sequence[ExpectedGain], measured: Sequence[MeasuredGain | None], errors: float) -> Belief:
    """The strategies' gains after what was measured of each (None: nothing). errors: the share that the reference
    makes.

    >>> expected = [ExpectedGain(0.1, 0.2), ExpectedGain(0.1, 1.0)]
    >>> before = update_belief(expected, [None, None], errors=0.2)
    >>> after = update_belief(expected, [MeasuredGain(0.08, 0.02), None], errors=0.2)
    >>> before.mean.round(3).tolist(), bool(after.mean[1] > 0.02)
    ([0.02, 0.02], True)
    """
    mean = errors * np.array([gain.gain for gain in expected])
    depth = np.array([gain.depth for gain in expected])
    # Gains are correlated by how near the depths are: cov_ij = σ² exp(-|d_i - d_j| / reach).
    covariance = (errors * _SPREAD) ** 2 * np.exp(-np.abs(depth[:, None] - depth) / _REACH)
    scored = [i for i, gain in enumerate(measured) if gain is not None]
    if scored:
        gains = np.array([gain.gain for gain in measured if gain is not None])
        noise = np.diag([gain.error**2 for gain in measured if gain is not None])
        # The posterior of a Gaussian: K = C_·k (C_kk + N)⁻¹, mean += K (g - mean_k), C -= K C_k·.
        weight = np.linalg.solve(covariance[np.ix_(scored, scored)] + noise, covariance[scored]).T
        mean = mean + weight @ (gains - mean[scored])
        covariance = covariance - weight @ covariance[scored]
    return Belief(mean, np.sqrt(np.maximum(np.diag(covariance), 0.0)))


def rank_by_value(worth: Reals, seconds: Sequence[float]) -> list[int]:
    """Positions by what each is expected to be worth for the seconds that it still needs, best first."""
    value = worth / np.maximum(np.asarray(seconds, np.float64), 1e-9)
    order: list[int] = np.argsort(-value, kind="stable").tolist()
    return order

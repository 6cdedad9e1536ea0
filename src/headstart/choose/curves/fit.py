"""From accuracies at several numbers of labels per class to a curve, with a band that also speaks of more labels.

`fit` takes what was measured and returns a `LearningCurve`: the inverse power law of Figueroa, Zeng-Treitler, Kandula
and Ngo (BMC Medical Informatics 12:8, 2012), acc(m) = ceiling - gap · m^(-rate), with the band in which the accuracy
really measured at m should lie. It draws no labels and trains nothing (`choose.curves.subsets` does), and answers no
question (`choose.curves.labels_needed` does).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headstart.metrics.intervals import Estimate, Reals, clopper_pearson

FROM = 2
"""The fewest labels per class that the law is fitted to: with one, no head can leave a label out to tune itself."""
LEAST_SIZES = 4
"""Three numbers are fitted; a fourth size is the first that can contradict them."""
CONFIDENCE = 0.80
"""Of the band. At 95 % hardly any question for a number of labels would find an upper end."""

_RATES = np.geomspace(0.05, 2.0, 75)
# These five numbers were chosen on data of their own, so that the band held its rate there (docs/evidence/choosing.md).
_USUAL_RATE, _SPREAD = 0.5, 0.5
"""What is believed of the rate before any data: median, and standard deviation of its logarithm."""
_LASTING = 0.25
"""What is believed of the ceiling: the part of the last size's errors that no number of labels removes (standard
deviation from 0 up)."""
_OF_GAIN, _OF_ALL = 0.3, 0.0025
"""The law's own error beyond the last size (standard deviation): a share of the gain that it forecasts, and a quarter
of a point times the root of the doublings."""
_ZOOMS = 3


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """Mean accuracies over many draws of labels, at rising numbers of labels per class.

    sizes: (S,) labels per class. accuracy: (S,) shares. trials: (S,) how many independent images each accuracy is
    worth, test images and the luck of the draws together. correlation: (S, S) of the accuracies' errors, which share
    images and draws. heads: (S,) how many were trained. tested: (S,) on how many images, together.
    """

    sizes: Reals
    accuracy: Reals
    trials: Reals
    correlation: Reals
    heads: NDArray[np.int64]
    tested: NDArray[np.int64]

    def estimates(self, *, confidence: float = 0.95) -> tuple[Estimate, ...]:
        """Each accuracy with its interval."""
        low, high = clopper_pearson(self.accuracy * self.trials, self.trials, confidence=confidence)
        how = "exact binomial at the number of independent images that test set and draws are worth"
        ends = zip(self.accuracy.tolist(), low.tolist(), high.tolist(), strict=True)
        return tuple(Estimate(value, below, above, "accuracy", confidence, how) for value, below, above in ends)

    def spread(self) -> Reals:
        """(S,) standard errors; two successes and two failures are added, so that none is zero (Agresti and Coull)."""
        share = (self.accuracy * self.trials + 2) / (self.trials + 4)
        return np.sqrt(share * (1 - share) / self.trials)

    def take(self, mask: NDArray[np.bool_]) -> CurvePoint:
        """The measurement at some of the sizes."""
        return CurvePoint(
            self.sizes[mask],
            self.accuracy[mask],
            self.trials[mask],
            self.correlation[np.ix_(mask, mask)],
            self.heads[mask],
            self.tested[mask],
        )


@dataclass(frozen=True)
class PowerLaw:
    """acc(m) = ceiling - gap · m^(-rate), with ceiling <= 1, gap >= 0 and rate > 0: it never falls.

    >>> PowerLaw(0.95, 0.4, 0.5).at([1, 4, 16]).round(2).tolist()
    [0.55, 0.75, 0.85]
    """

    ceiling: float
    gap: float
    rate: float

    def at(self, sizes: ArrayLike) -> Reals:
        """The accuracy at these numbers of labels per class."""
        return self.ceiling - self.gap * np.asarray(sizes, np.float64) ** -self.rate


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """A fitted law with what else could be true.

    law: the best fit. resampled: (B, 3) ceiling, gap and rate of laws fitted to what might as well have been measured.
    misfit: (B,) how wrong the law itself is beyond `top`, in standard deviations. top: the largest size measured.
    confidence: the share of forecasts whose band should hold what is measured later.
    """

    law: PowerLaw
    resampled: Reals
    misfit: Reals
    top: float
    confidence: float

    def at(self, sizes: ArrayLike) -> Reals:
        """The accuracy expected at these numbers of labels per class, in 0..1."""
        return np.clip(self.law.at(sizes), 0.0, 1.0)

    def band(self, sizes: ArrayLike) -> tuple[Reals, Reals]:
        """The band's lower and upper end at these numbers of labels per class.

        More labels do not harm: the lower end is never below that at a smaller size.
        """
        points = np.atleast_1d(np.asarray(sizes, np.float64))
        between = self.top * 2.0 ** np.arange(0, max(np.log2(points.max() / self.top), 0) + 0.25, 0.25)
        every = np.unique(np.concatenate([points, between]))
        low, high = self._ends(every)
        place = np.searchsorted(every, points)
        return np.maximum.accumulate(low)[place], high[place]

    def ceiling(self) -> tuple[float, float]:
        """The interval, of the same confidence, for the accuracy that the law would end at."""
        low, high = np.quantile(self.resampled[:, 0], _tails(self.confidence))
        return min(float(low), self.law.ceiling), max(float(high), self.law.ceiling)

    def _ends(self, sizes: Reals) -> tuple[Reals, Reals]:
        ceiling, gap, rate = self.resampled.T[:, :, None]
        doublings = np.maximum(np.log2(sizes / self.top), 0.0)
        gain = np.maximum(self.law.at(sizes) - self.law.at(self.top), 0.0)
        possible = ceiling - gap * sizes**-rate + self.misfit[:, None] * (_OF_GAIN * gain + _OF_ALL * doublings**0.5)
        low, high = np.quantile(np.clip(possible, 0.0, 1.0), _tails(self.confidence), axis=0)
        fitted = self.at(sizes)
        return np.minimum(low, fitted), np.maximum(high, fitted)


def has_enough_points(measured: CurvePoint) -> bool:
    """Whether there are sizes enough to fit the law."""
    return int((measured.sizes >= FROM).sum()) >= LEAST_SIZES


def fit_curve(
    measured: CurvePoint, *, confidence: float = CONFIDENCE, samples: int = 1000, seed: int = 0
) -> LearningCurve | None:
    """The law by weighted least squares, with its band by parametric bootstrap; None where there are too few sizes.

    A size weighs in proportion to its labels (as in Figueroa et al.: the end of the curve is what is continued). Where
    the points leave rate and ceiling open, what is usual decides: a rate of about 0.5, and errors that go away with
    labels for the most part; without noise neither counts. Each of `samples` repetitions fits accuracies drawn about
    the measured ones, with their errors and correlations, and a usual rate and ceiling drawn likewise. Beyond the last
    size the law's own error is added (see `_OF_GAIN`).
    """
    if not has_enough_points(measured):
        return None
    used = measured.take(measured.sizes >= FROM)
    problem = _problem(used)
    generator = np.random.default_rng(seed)
    resample = _alike(used, samples, generator)
    rate = np.log(_USUAL_RATE) + _SPREAD * generator.standard_normal(samples)
    ceiling = 1 - problem.lasting * np.abs(generator.standard_normal(samples))
    resampled = problem.solve(resample, rate, ceiling, _RATES)
    misfit = generator.permutation(_normal(samples))
    return LearningCurve(_zoomed(problem, used.accuracy), resampled, misfit, float(used.sizes[-1]), confidence)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Least squares for the law: sizes and weights (S,), the weight of the usual ceiling, the penalty on the rate.

    lasting: how far below 1 the ceiling usually is (standard deviation).
    """

    sizes: Reals
    weights: Reals
    of_ceiling: float
    penalty: float
    lasting: float

    def solve(self, accuracies: Reals, rate: Reals, ceiling: Reals, rates: Reals) -> Reals:
        """Ceiling, gap and rate (B, 3) of the best law for each row of `accuracies` (B, S).

        rate, ceiling: (B,) what is usual, the rate as logarithm. For a given rate the law is linear in the other two
        (variable projection), so every rate of a grid is tried. The usual ceiling counts as a measurement with
        infinitely many labels. A ceiling above 1 is set to 1, a negative gap to 0, and the other number is fitted anew.
        """
        total = self.weights.sum() + self.of_ceiling
        w, x = self.weights / total, self.sizes ** -rates[:, None]
        x_mean, y_mean = x @ w, (accuracies @ w + self.of_ceiling / total * ceiling)[:, None]
        xy, xx = (accuracies * w) @ x.T, (x * x) @ w
        gap = -(xy - y_mean * x_mean) / (xx - x_mean**2)
        top = y_mean + gap * x_mean
        gap = np.where(top > 1, (x_mean - xy) / xx, gap)
        top = np.where(gap < 0, y_mean, np.minimum(top, 1.0))
        gap = np.maximum(gap, 0.0)
        squares = top**2 - 2 * top * y_mean + 2 * gap * xy - 2 * top * gap * x_mean + gap**2 * xx
        best = (squares + self.penalty / total * (np.log(rates) - rate[:, None]) ** 2).argmin(axis=1)
        row = np.arange(len(accuracies))
        return np.stack([top[row, best], gap[row, best], rates[best]], axis=1)


def _problem(measured: CurvePoint) -> _Problem:
    """The weights, relative to the noise of the steps from size to size: errors that all sizes share move no rate."""
    weights = measured.sizes / measured.sizes[-1]
    spread = measured.spread()
    shared = 2 * measured.correlation.diagonal(1) * spread[1:] * spread[:-1]
    noise = float(np.average(spread[1:] ** 2 + spread[:-1] ** 2 - shared, weights=weights[1:])) / 2
    trials = float(measured.trials[-1])
    lasting = _LASTING * (1 - (float(measured.accuracy[-1]) * trials + 2) / (trials + 4))
    return _Problem(measured.sizes, weights, noise / lasting**2, noise / _SPREAD**2, lasting)


def _zoomed(problem: _Problem, accuracy: Reals) -> PowerLaw:
    """The best law, its rate to many digits."""
    rates = _RATES
    usual, highest = np.array([np.log(_USUAL_RATE)]), np.ones(1)
    for _ in range(_ZOOMS + 1):
        ceiling, gap, rate = problem.solve(accuracy[None], usual, highest, rates)[0].tolist()
        step = rates[1] / rates[0]
        rates = np.geomspace(rate / step, rate * step, len(_RATES))
    return PowerLaw(ceiling, gap, rate)


def _alike(measured: CurvePoint, count: int, generator: np.random.Generator) -> Reals:
    """Accuracies (count, S) that might have been measured instead: beta distributed, correlated as these are."""
    from scipy.special import betaincinv, ndtr

    values, axes = np.linalg.eigh(measured.correlation)
    noise = generator.standard_normal((count, len(values))) @ (axes * np.sqrt(np.maximum(values, 0.0))).T
    right = measured.accuracy * measured.trials + 0.5
    wrong = (1 - measured.accuracy) * measured.trials + 0.5
    return np.asarray(betaincinv(right, wrong, ndtr(noise)))


def _normal(count: int) -> Reals:
    """Standard normal numbers, evenly spread over the distribution."""
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(count) + 0.5) / count))


def _tails(confidence: float) -> tuple[float, float]:
    return (1 - confidence) / 2, (1 + confidence) / 2

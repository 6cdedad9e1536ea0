"""The threshold of a score at a stated false-positive rate, and what rate so few rows can guarantee.

Takes out-of-fold scores of known rows; gives the value above which at most the stated share of further known rows is
expected (split conformal prediction: Vovk et al. 2005; Papadopoulos et al. 2002). It does not choose the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.errors import DataError, OptionError
from headstart.records.arrays import Ints

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Threshold:
    """A threshold of a novelty score with its false-positive rate.

    value: scores above it are flagged. asked: the false-positive rate asked for. expected: the rate expected at most
    over all draws of the rows; above `asked` where there are too few. low, high: where the rate of this
    very threshold lies in 95 of 100 draws. rows: how many rows (or groups of rows) it rests on.
    """

    value: float
    asked: float
    expected: float
    low: float
    high: float
    rows: int

    @property
    def feasible(self) -> bool:
        """Whether there were rows enough for the rate asked for."""
        return self.expected <= self.asked + _ROUNDING

    def sentence(self) -> str:
        """The false-positive rate, for a user."""
        span = f"between {_percent(self.low)} and {_percent(self.high)} in 95 of 100 such data sets"
        if self.feasible:
            return (
                f"About {_percent(self.expected)} of known images are flagged as novel by mistake "
                f"({span}; {_percent(self.asked)} was asked for)."
            )
        least = math.ceil(1 / self.asked - _ROUNDING) - 1
        return (
            f"{quantity(self.rows, 'independent image')} cannot guarantee a false-positive rate of "
            f"{_percent(self.asked)}: expect {_percent(self.expected)} ({span}). At least {least:,} are needed."
        )


def threshold_at(scores: NDArray[Any], rate: float, *, groups: Ints | None = None) -> Threshold:
    """The smallest threshold at which a new row, exchangeable with these, is flagged with probability <= `rate`.

    scores: (n,), higher = more novel, each from a model that has not seen its row. rate: in (0, 1). groups: (n,)
    equal numbers belong together; each group then counts once, for a random row of a new group (weights as in Dunn et
    al. 2022). Too few rows for the rate: the largest score, with `expected` > `rate`. The rate that a given threshold
    reaches has a Beta distribution, from which `low` and `high` (Vovk 2012).

    >>> threshold_at(np.arange(100.0), 0.05).value
    95.0
    >>> print(threshold_at(np.arange(9.0), 0.05).expected)
    0.1
    """
    if not 0 < rate < 1:
        raise OptionError(f"the false-positive rate must lie between 0 and 1, both excluded; found {rate!r}.")
    if not len(scores):
        raise DataError("a threshold needs at least one scored row, and there is none.")
    members = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(members)
    count = len(sizes)
    order = np.argsort(scores, kind="stable")
    covered = np.cumsum(1 / sizes[members[order]])  # in groups: each row weighs 1 / the size of its group
    # Conformal quantile: the ceil((n + 1)(1 - rate))-th smallest of n scores.
    place = min(int(np.searchsorted(covered, (count + 1) * (1 - rate) - _ROUNDING)), len(scores) - 1)
    share = float(covered[place])
    return _threshold(float(scores[order[place]]), rate, share, count)


def _threshold(value: float, rate: float, covered: float, count: int) -> Threshold:
    from scipy.special import betaincinv

    # With k of n scores at or below it, the share of new rows below a threshold is Beta(k, n + 1 - k) distributed.
    covered = min(covered, float(count))
    free = count + 1 - covered
    low, high = (1 - float(betaincinv(covered, free, tail)) for tail in (0.975, 0.025))
    return Threshold(value, rate, free / (count + 1), low, high, count)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

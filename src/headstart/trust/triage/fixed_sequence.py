"""Fixed-sequence testing of selective risk: the lowest threshold at which few accepted predictions are wrong.

Takes confidences and whether each prediction was wrong, one independent row an image; gives how many are accepted, and
how many labelled images a guarantee would need. Classes and groups are handled in `trust.triage.thresholds`.

**The test.** Thresholds are tried from the most confident predictions down, each accepting more than the one before, at
numbers of rows that are fixed before the data are looked at. At each, the hypothesis "more than `max_error` of what is
accepted is wrong" is rejected where the one-sided Clopper–Pearson bound lies at or below `max_error`; the first that
cannot be rejected ends the sequence. Fixed-sequence testing spends the whole alpha = 1 - confidence on every step
(Angelopoulos, Bates, Candès, Jordan, Lei 2021, *Learn then test*; Geifman and El-Yaniv 2017, algorithm 1, divide it
among the steps instead).

**Why thresholds may come from the same rows.** The threshold is the confidence of a row whose rank was fixed in
advance, and that row is not accepted. Given its confidence, the rows above it are independent draws from the images
above the threshold (order statistics), so their errors are exactly binomial with the error that is asked about: each
single test is exact. Where the error of what is accepted crosses `max_error` once as the threshold falls, the first
true hypothesis of the sequence is not favoured by the confidences that made it first, and the whole sequence errs in at
most alpha of all data sets. Without any such assumption the same numbers still guarantee, given the confidences, that
the *labelled images* accepted had an expected error of at most `max_error`: their errors are then Poisson-binomial,
whose lower tail is below the binomial's (Hoeffding 1956).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from headstart.checks import between
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Ints

_STEPS = 40
_MOST_ROWS = 10_000_000
"""More labelled images than this are not asked for: it is said that it cannot be estimated."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Feasible:
    """Where the sequence ended.

    accepted: rows above the threshold, 0 where not even the first step held. wrong: errors among them (where nothing
    is accepted: 0). threshold: accept where the confidence is *above* it; 1 accepts nothing, 0 everything. first_step:
    the accepted rows of the first step and the errors among them, None where there are too few rows for one.
    """

    accepted: int
    wrong: int
    threshold: float
    first_step: tuple[int, int] | None


def check_guarantee(max_error: float, confidence_level: float) -> None:
    """Raise `OptionError` unless the guarantee is one that the test can give."""
    between("max_error", max_error, 1e-4, 0.5)
    between("confidence_level", confidence_level, 0.8, 1 - 1e-9)


def error_bound(wrong: int, accepted: int, confidence_level: float = 0.95) -> float:
    """The share of errors that is not exceeded, with this confidence: one-sided Clopper–Pearson.

    >>> round(error_bound(0, 149), 4)
    0.0199
    """
    from scipy.special import betaincinv

    # The p with P(binomial(accepted, p) <= wrong) = 1 - confidence_level is a quantile of Beta(wrong + 1, m - wrong).
    return float(betaincinv(wrong + 1, accepted - wrong, confidence_level)) if accepted > wrong else 1.0


def accepted_needed(max_error: float, confidence_level: float = 0.95, *, wrong: int = 0) -> int:
    """The fewest accepted images, `wrong` of them wrong, that show an error of at most `max_error`.

    >>> accepted_needed(0.05), accepted_needed(0.02), accepted_needed(0.01), accepted_needed(0.02, wrong=1)
    (59, 149, 299, 236)
    """
    check_guarantee(max_error, confidence_level)
    return _needed(wrong, max_error, 1 - confidence_level)


@lru_cache
def _needed(wrong: int, max_error: float, alpha: float) -> int:
    """The least m with P(binomial(m, max_error) <= wrong) <= alpha, by halving."""
    from scipy.special import bdtr

    low, high = wrong, wrong + 8
    while bdtr(float(wrong), high, max_error) > alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bdtr(float(wrong), middle, max_error) <= alpha else (middle, high)
    return high


def steps(rows: int, first: int, *, count: int = _STEPS) -> Ints:
    """How many rows each threshold of the sequence accepts: about `count` numbers, evenly from `first` to all `rows`.

    >>> steps(100, 60, count=5).tolist()
    [60, 70, 80, 90, 100]
    """
    return np.unique(np.linspace(first, rows, count).round().astype(np.int64)) if first <= rows else np.empty(0, int)


def last_valid(
    confidence: Reals,
    wrong: Flags,
    *,
    max_error: float,
    confidence_level: float,
    least_coverage: float,
) -> Feasible:
    """Run the sequence. confidence: (n,) above 0, at most 1. wrong: (n,). One independent row an image.

    least_coverage: the share of rows that the first threshold accepts; where that many cannot carry the guarantee even
    without an error, it is the fewest that can. Rows of equal confidence are accepted together or not at all.
    """
    from scipy.special import bdtr

    n, alpha = len(confidence), 1 - confidence_level
    least = accepted_needed(max_error, confidence_level)
    order = np.argsort(-confidence, kind="stable")
    ordered, errors = confidence[order], np.concatenate([[0], np.cumsum(wrong[order])])
    first_step, accepted, threshold = None, 0, 1.0
    for rank in steps(n, max(least, int(np.ceil(least_coverage * n)))):
        edge = float(ordered[rank]) if rank < n else 0.0
        above = int(np.searchsorted(-ordered, -edge, side="left"))  # rows strictly above the edge: ties stay out
        if above < least or above == accepted:
            continue
        first_step = first_step or (above, int(errors[above]))
        # The p-value of "the risk is max_error or more": P(binomial(above, max_error) <= errors).
        if bdtr(float(errors[above]), above, max_error) > alpha:
            break
        accepted, threshold = above, edge
    return Feasible(accepted, int(errors[accepted]), threshold, first_step)


def rows_needed(
    confidence: Reals,
    wrong: Flags,
    *,
    max_error: float,
    confidence_level: float,
    least_coverage: float,
    caution: float | None = None,
) -> int | None:
    """How many rows in all would carry the guarantee, if predictions are wrong as often as here; more than there are.

    Read from the risk–coverage curve: the sequence's first step on that many rows must hold with as many errors,
    rounded up, as the same share of these rows had. No error so far means "if none comes". caution: see `_risks`.
    None where it cannot be estimated: no number of rows up to ten million would do, or there are no rows to read a
    curve from.
    """
    from scipy.special import bdtr

    n, least = len(confidence), accepted_needed(max_error, confidence_level)
    if n == 0:
        return None
    totals = _totals(max(n + 1, least))
    accepted = np.maximum(least, np.ceil(least_coverage * totals)).astype(np.int64)
    alike = np.ceil(n * accepted / totals).astype(np.int64)  # the same share of the n rows there are
    risk = _risks(wrong[np.argsort(-confidence, kind="stable")], caution)[alike - 1]
    enough = np.flatnonzero(bdtr(np.ceil(risk * accepted), accepted, max_error) <= 1 - confidence_level)
    return int(totals[enough[0]]) if len(enough) else None


def _risks(wrong: Flags, caution: float | None) -> Reals:
    """The share of errors among the 1, 2, … most confident predictions; with caution (0.8, say) its upper bound at that
    confidence, and never above that of more predictions, among which less confident ones are wrong more often."""
    from scipy.special import betaincinv

    counts, errors = np.arange(1, len(wrong) + 1), np.cumsum(wrong)
    if caution is None:
        return errors / counts
    right = np.maximum(counts - errors, 1)  # where none is right, either number lies far above any limit
    return np.minimum.accumulate(betaincinv(errors + 1, right, caution)[::-1])[::-1]


def _totals(first: int) -> Ints:
    """Numbers of rows to try, each up to 2 % more than the one before."""
    growth = np.arange(int(np.log(max(_MOST_ROWS / first, 1)) / np.log(1.02)) + 1)
    return np.unique(np.round(first * 1.02**growth).astype(np.int64))

"""Numbers as people read them: percentages, intervals, points."""

from __future__ import annotations


def percent(value: float) -> str:
    """A share as a percentage with one decimal.

    >>> percent(0.9246)
    '92.5 %'
    """
    return f"{100 * value:.1f} %"


def interval(low: float, high: float) -> str:
    """The ends of an interval of shares, as percentages.

    >>> interval(0.9012, 0.9423)
    '90.1–94.2'
    """
    return f"{100 * low:.1f}–{100 * high:.1f}"


def points(value: float) -> str:
    """A difference of shares in percentage points, signed.

    >>> points(-0.0312)
    '-3.1'
    """
    return f"{100 * value:+.1f}"

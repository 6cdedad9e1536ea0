"""What plots of shares have in common: a scale from one round share to another, its grid, a level with words.

Takes values and pixels, returns SVG elements (`svg`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from headstart.report.plots.svg import GRID, PALE, Axis, line, share_ticks, text


def round_down(share: float) -> float:
    """The next lower multiple of 5 points.

    >>> round_down(0.87)
    0.85
    """
    return math.floor(20 * share) / 20


def round_up(share: float) -> float:
    """The next higher multiple of 5 points.

    >>> round_up(0.87)
    0.9
    """
    return math.ceil(20 * share) / 20


def share_grid(scale: Axis, left: float, right: float) -> Iterator[str]:
    """A line at each round share of a vertical scale, from `left` to `right`, with the share beside it in percent."""
    for share in share_ticks(scale.low, scale.high):
        yield line([(left, scale.at(share)), (right, scale.at(share))], GRID)
        yield text(left - 8, scale.at(share) + 4, f"{100 * share:.0f} %", anchor="end", colour=PALE)


def level(scale: Axis, share: float, left: float, right: float, words: str, colour: str) -> Iterator[str]:
    """A dashed line at a share, with words above its left end."""
    height = scale.at(share)
    yield line([(left, height), (right, height)], colour, width=1.2, dash="6 4")
    yield text(left + 6, height - 6, words, colour=colour)

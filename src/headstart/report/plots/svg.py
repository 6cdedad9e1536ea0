"""The pieces of a plot as SVG text: scales from values to pixels, and marks.

Takes numbers and words, returns elements as text for `document`. No plotting library, no files, no script inside.
Colours are of Okabe and Ito's set, which most colour-blind readers tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from headstart.checks import printable

INK, PALE, GRID = "#1f2933", "#5f6b78", "#e3e7eb"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#b35900", "#007a5a", "#b3261e"
LETTER = 8
"""Pixels that a letter of bold words takes at most, on average."""
_SHARE_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_SHARE_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """Values between `low` and `high` to pixels between `start` and `end`, evenly or by logarithm.

    >>> Axis(1, 100, 0, 200, log=True).at(10)
    100.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; values outside lie at the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def share_ticks(low: float, high: float) -> list[float]:
    """Round shares between `low` and `high`, at most eight.

    >>> share_ticks(0.72, 1.0)
    [0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    """
    step = next((s for s in _SHARE_STEPS if (high - low) / s < _MOST_SHARE_TICKS), _SHARE_STEPS[-1])
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[int]:
    """1, 2, 5, 10, 20, 50, … between `low` and `high`; only 1, 10, 100, … over more than four decades.

    >>> log_ticks(1, 60)
    [1, 2, 5, 10, 20, 50]
    """
    steps = (1, 2, 5) if high / low <= 10**4 else (1,)
    every = (step * 10**power for power in range(math.ceil(math.log10(high)) + 1) for step in steps)
    return [tick for tick in every if low <= tick <= high]


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The file's text. title: what the plot shows, read aloud by screen readers."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="system-ui, sans-serif" font-size="13">'
    )
    ground = f'<rect width="{width:g}" height="{height:g}" fill="white"/>'
    return "\n".join([head, f"<title>{_words(title)}</title>", ground, *parts, "</svg>", ""])


def line(points: Sequence[tuple[float, float]], colour: str, *, width: float = 1.0, dash: str = "") -> str:
    """A line through pixels (x, y). dash: lengths of strokes and gaps."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    look = f'fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}'
    return f'<polyline points="{_pixels(points)}" {look}/>'


def area(points: Sequence[tuple[float, float]], colour: str, *, opacity: float) -> str:
    """A filled outline."""
    return f'<polygon points="{_pixels(points)}" fill="{colour}" fill-opacity="{opacity:g}"/>'


def dot(x: float, y: float, low: float, high: float, colour: str, words: str) -> str:
    """A point with its interval from `low` to `high` (pixels); `words` are shown when a mouse rests on it."""
    return (
        f"<g><title>{_words(words)}</title>{line([(x, low), (x, high)], colour, width=1.5)}"
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/></g>'
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    bold: bool = False,
    turn: float = 0,
) -> str:
    """Words at a pixel. anchor: start, middle or end. turn: degrees."""
    turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}{turned}>{_words(words)}</text>'
    )


def _words(text: str) -> str:
    """Words in a file: control characters, which XML refuses, are spelt out."""
    return escape(printable(text))


def _pixels(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

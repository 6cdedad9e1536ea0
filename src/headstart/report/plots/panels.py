"""A plot of measured shares with their intervals at named places: one panel a series, one scale for all of them.

Takes names and `Estimate`s, returns an SVG file's text. It measures nothing and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headstart.metrics.intervals import Estimate
from headstart.report.plots.axes import level, round_down, round_up, share_grid
from headstart.report.plots.svg import BLUE, INK, LETTER, ORANGE, PALE, Axis, document, dot, line, text

_STEP, _HEIGHT = 46, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 18, 66, 92


@dataclass(frozen=True)
class Panel:
    """A series: its title, a label and an estimate for each point from left to right, and which point stands out."""

    title: str
    labels: tuple[str, ...]
    points: tuple[Estimate, ...]
    marked: int

    @property
    def width(self) -> int:
        """Pixels that it takes."""
        return _LEFT + _STEP * len(self.points) + _RIGHT


def panels_svg(panels: Sequence[Panel], *, title: str, baseline: float | None = None, words: str = "") -> str:
    """The plot as the text of an SVG file.

    baseline: a share marked by a dashed line where it lies in the range of the points. words: what the baseline is.
    """
    scale = _scale(panels)
    width = max(sum(panel.width for panel in panels), _LEFT + LETTER * len(title) + _RIGHT)
    parts = [text(_LEFT, 22, title, bold=True)]
    left = 0
    for panel in panels:
        parts += _panel(panel, left, scale, baseline, words)
        left += panel.width
    return document(width, _TOP + _HEIGHT + _BOTTOM, title, parts)


def _scale(panels: Sequence[Panel]) -> Axis:
    """All intervals, out to whole 5 points; the differences are what the plot is for."""
    points = [point for panel in panels for point in panel.points]
    low, high = round_down(min(point.low for point in points)), round_up(max(point.high for point in points))
    return Axis(low, max(high, low + 0.05), _TOP + _HEIGHT, _TOP)


def _panel(panel: Panel, left: float, scale: Axis, baseline: float | None, words: str) -> Iterator[str]:
    start, end = left + _LEFT, left + panel.width - _RIGHT
    yield text(start, _TOP - 20, panel.title)
    yield from share_grid(scale, start, end)
    if baseline is not None and scale.low <= baseline <= scale.high:
        yield from level(scale, baseline, start, end, words, PALE)
    places = [start + _STEP * (i + 0.5) for i in range(len(panel.points))]
    yield line([(x, scale.at(point.value)) for x, point in zip(places, panel.points, strict=True)], PALE)
    for i, x in enumerate(places):
        yield from _point(x, panel.labels[i], panel.points[i], scale, marked=i == panel.marked)


def _point(x: float, label: str, point: Estimate, scale: Axis, *, marked: bool) -> Iterator[str]:
    low, high = scale.at(point.low), scale.at(point.high)
    yield dot(x, scale.at(point.value), low, high, ORANGE if marked else BLUE, f"{label}: {point}")
    colour = ORANGE if marked else INK
    yield text(x + 4, _TOP + _HEIGHT + 16, label, anchor="end", colour=colour, bold=marked, turn=-45)

"""A learning curve as a plot: accuracy against labels per class, with intervals, fitted curves, bands and the target.

Takes what `choose.curves` measured and fitted, returns an SVG file's text. It measures nothing and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.choose.curves.fit import CurvePoint, LearningCurve
from headstart.choose.curves.labels_needed import LabelsNeeded, round_labels
from headstart.report.plots.axes import level, round_down, share_grid
from headstart.report.plots.svg import (
    BLUE,
    GREEN,
    INK,
    LETTER,
    ORANGE,
    PALE,
    RED,
    Axis,
    area,
    document,
    dot,
    line,
    log_ticks,
    text,
)

_WIDTH, _HEIGHT = 760, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 62, 58
_COLOURS = (BLUE, ORANGE, GREEN)
_AHEAD = 4
"""The axis ends at so many times the largest number of labels."""
_STEPS = 120
"""Points of a drawn curve."""


@dataclass(frozen=True, eq=False)
class CurveLine:
    """A series: its name, what was measured, and the curve fitted to it, if any."""

    name: str
    measured: CurvePoint
    curve: LearningCurve | None


@dataclass(frozen=True)
class _Axes:
    x: Axis
    y: Axis


def curve_svg(lines: Sequence[CurveLine], answer: LabelsNeeded, *, title: str) -> str:
    """The plot as the text of an SVG file. lines: the one that the answer is about first."""
    axes = _axes(lines, answer)
    parts = [text(_LEFT, 24, title, bold=True), *_grid(axes), *_target(axes, answer)]
    for colour, series in reversed(list(zip(_COLOURS, lines, strict=False))):  # the first lies on top
        parts += _fitted(axes, series, colour)
        parts += _points(axes, series, colour)
    parts += _legend(lines)
    return document(_WIDTH, _HEIGHT, f"{title}. {answer.sentence}", parts)


def _axes(lines: Sequence[CurveLine], answer: LabelsNeeded) -> _Axes:
    """From the fewest labels to four times the most, or to the answer; from below all intervals to 100 %."""
    first, last = (float(end) for end in (lines[0].measured.sizes[0], lines[0].measured.sizes[-1]))
    right = max(_AHEAD * last, 1.15 * (answer.per_class or 0), 2 * first)
    low = min(estimate.low for series in lines for estimate in series.measured.estimates())
    low = min(round_down(low), 0.95)
    return _Axes(Axis(first / 1.15, right, _LEFT, _WIDTH - _RIGHT, log=True), Axis(low, 1.0, _HEIGHT - _BOTTOM, _TOP))


def _grid(axes: _Axes) -> Iterator[str]:
    x, y = axes.x, axes.y
    yield from share_grid(y, x.start, x.end)
    for size in log_ticks(x.low, x.high):
        yield line([(x.at(size), y.start), (x.at(size), y.start + 5)], PALE)
        yield text(x.at(size), y.start + 20, f"{size:,}", anchor="middle", colour=PALE)
    yield line([(x.start, y.start), (x.end, y.start)], PALE)
    yield text((x.start + x.end) / 2, y.start + 42, "labels per class", anchor="middle")
    yield text(18, (y.start + y.end) / 2, "accuracy on other images", anchor="middle", turn=-90)


def _target(axes: _Axes, answer: LabelsNeeded) -> Iterator[str]:
    """The target's line, and where the curve meets it."""
    if answer.target < axes.y.low:
        return
    words = f"target {100 * answer.target:.4g} %"
    yield from level(axes.y, answer.target, axes.x.start, axes.x.end, words, RED)
    if answer.per_class is not None:
        x, y = axes.x.at(max(answer.per_class, axes.x.low)), axes.y.at(answer.target)
        yield line([(x, y), (x, axes.y.start)], RED, width=1.2, dash="2 3")
        yield text(x - 5, axes.y.start - 8, f"about {round_labels(answer.per_class)}", anchor="end", colour=RED)


def _fitted(axes: _Axes, series: CurveLine, colour: str) -> Iterator[str]:
    """The band and the curve: unbroken where it was measured, dashed where it is a forecast."""
    if series.curve is None:
        return
    sizes = np.geomspace(series.measured.sizes[0], axes.x.high, _STEPS)
    low, high = series.curve.band(sizes)
    places = [axes.x.at(size) for size in sizes.tolist()]
    upper = [(x, axes.y.at(share)) for x, share in zip(places, high.tolist(), strict=True)]
    lower = [(x, axes.y.at(share)) for x, share in zip(places, low.tolist(), strict=True)]
    yield area([*upper, *reversed(lower)], colour, opacity=0.14)
    curve = [(x, axes.y.at(share)) for x, share in zip(places, series.curve.at(sizes).tolist(), strict=True)]
    cut = int((sizes <= series.curve.top).sum())
    yield line(curve[:cut], colour, width=2)
    yield line(curve[cut - 1 :], colour, width=2, dash="5 4")


def _points(axes: _Axes, series: CurveLine, colour: str) -> Iterator[str]:
    for size, estimate in zip(series.measured.sizes.tolist(), series.measured.estimates(), strict=True):
        value, low, high = (axes.y.at(share) for share in (estimate.value, estimate.low, estimate.high))
        words = f"{series.name}, {size:,.0f} labels per class: {estimate}"
        yield dot(axes.x.at(size), value, low, high, colour, words)


def _legend(lines: Sequence[CurveLine]) -> Iterator[str]:
    """Names under the title, each in its colour; then what band and bars are."""
    x = float(_LEFT)
    for colour, series in zip(_COLOURS, lines, strict=False):
        yield f'<circle cx="{x + 5:.1f}" cy="41" r="4" fill="{colour}"/>'
        yield text(x + 14, 45, series.name, colour=colour, bold=True)
        x += 14 + LETTER * len(series.name) + 22
    curve = next((series.curve for series in lines if series.curve is not None), None)
    words = "bars: 95 % intervals"
    if curve is not None:
        words += f"; band: {100 * curve.confidence:.0f} %, dashed: forecast"
    yield text(_WIDTH - _RIGHT, 45, words, anchor="end", colour=INK)

"""How many labels per class a target needs, read off a learning curve, in numbers and in one sentence.

`labels_needed` takes what was measured, the fitted curve and the images there are, and returns `LabelsNeeded`; where
there is no number it says why. It measures and fits nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from headstart.checks import quantity
from headstart.choose.curves.fit import FROM, LEAST_SIZES, CurvePoint, LearningCurve
from headstart.metrics.intervals import Reals, z_value

REACHED, FORECAST, TOO_FEW, FLAT, OUT_OF_REACH, TOO_FAR = (
    *("reached", "forecast", "too few sizes", "flat", "out of reach", "too far"),
)
REACH = 8
"""Times the largest measured size up to which a forecast is given: as far as its band has been checked."""
_FLAT_OVER = 4


@dataclass(frozen=True)
class LabelsNeeded:
    """What can be said of the labels that a target accuracy needs.

    target: a share. verdict: 'reached', 'forecast', or why there is no number: 'too few sizes', 'flat',
    'out of reach', 'too far'. sentence: all of it in words. per_class: labels in each class at which the curve meets
    the target. low, high: where the band's upper and lower end meet it. more, more_low, more_high: the labels to add,
    the mean over classes. None where there is no number.
    """

    target: float
    verdict: str
    sentence: str
    per_class: int | None = None
    low: int | None = None
    high: int | None = None
    more: int | None = None
    more_low: int | None = None
    more_high: int | None = None

    @property
    def has_number(self) -> bool:
        """Whether there is a number."""
        return self.per_class is not None


def labels_needed(
    measured: CurvePoint, curve: LearningCurve | None, target: float, counts: Mapping[str, int]
) -> LabelsNeeded:
    """The labels per class for an accuracy of `target`, a share. counts: class → the images there are."""
    if curve is None:
        return _too_few(measured, target, counts)
    sizes = _sizes(curve.top * REACH)
    low, high = curve.band(sizes)
    fitted = curve.at(sizes)
    meets = _Meets(int(sizes[-1]), *(_first(sizes, line >= target) for line in (fitted, high, low)))
    if meets.curve is not None and meets.curve <= min(counts.values()):
        return _with_number(target, REACHED, _reached(target, meets, counts), meets, counts)
    start = _start(measured)
    if not _rises(measured, start):
        return _flat(measured, start, target)
    if meets.curve is not None:
        return _with_number(target, FORECAST, _forecast(target, meets, counts), meets, counts)
    if meets.high is None and curve.ceiling()[1] < target:
        return _out_of_reach(curve, target)
    return _too_far(curve, target, meets)


@dataclass(frozen=True)
class _Meets:
    """Labels per class at which the curve and its band's upper and lower end meet the target; sought up to `most`."""

    most: int
    curve: int | None
    high: int | None
    low: int | None


def _sizes(most: float) -> Reals:
    """Whole numbers up to `most`: every one at first, then in steps of a hundredth."""
    steps = np.geomspace(1, most, max(int(100 * math.log(most)), 2))
    return np.unique(np.round(steps))


def _first(sizes: Reals, holds: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int | None:
    return int(sizes[holds.argmax()]) if holds.any() else None


def _start(measured: CurvePoint) -> int:
    """The position of the size from which on the curve is looked at for a rise: two doublings before the last."""
    return max(int((measured.sizes <= measured.sizes[-1] / _FLAT_OVER).sum()) - 1, 0)


def _rises(measured: CurvePoint, start: int) -> bool:
    """Whether the accuracy gained more since the size at `start` than chance explains (one-sided, 95 %)."""
    spread = measured.spread()
    shared = 2 * measured.correlation[start, -1] * spread[start] * spread[-1]
    off = math.sqrt(max(spread[start] ** 2 + spread[-1] ** 2 - shared, 0.0))
    return bool(measured.accuracy[-1] - measured.accuracy[start] > z_value(0.90) * off)


def _with_number(target: float, verdict: str, words: str, meets: _Meets, counts: Mapping[str, int]) -> LabelsNeeded:
    sizes = (meets.curve, meets.high, meets.low)
    more = (None if size is None else _missing(size, counts) for size in sizes)
    return LabelsNeeded(target, verdict, words, *sizes, *more)


def _missing(per_class: int, counts: Mapping[str, int]) -> int:
    """Labels to add, the mean over classes, for every class to have `per_class`."""
    return math.ceil(float(np.mean([max(0, per_class - count) for count in counts.values()])))


def _reached(target: float, meets: _Meets, counts: Mapping[str, int]) -> str:
    size = round_labels(meets.curve or 0)
    return f"{_percent(target)} is reached with about {size} labels per class ({_ends(meets)}); {_there(counts)}."


def _forecast(target: float, meets: _Meets, counts: Mapping[str, int]) -> str:
    def more(size: int) -> int:
        """Labels to add, the mean over classes, for every class to have `size`."""
        return _missing(size, counts)

    assert meets.curve is not None
    return (
        f"To reach {_percent(target)} you need about {round_labels(more(meets.curve))} more labels per class "
        f"({_ends(meets, more)}): {round_labels(meets.curve)} in each ({_ends(meets)}), where {_there(counts)}."
    )


def _too_few(measured: CurvePoint, target: float, counts: Mapping[str, int]) -> LabelsNeeded:
    name = min(counts, key=lambda name: counts[name])
    words = (
        f"How many labels {_percent(target)} needs can't be told: a curve takes {LEAST_SIZES} sizes of {FROM} labels "
        f"per class or more, and these images allow for {int((measured.sizes >= FROM).sum())}; the smallest class, "
        f"{name!r}, has {quantity(counts[name], 'image')}."
    )
    return LabelsNeeded(target, TOO_FEW, words)


def _flat(measured: CurvePoint, start: int, target: float) -> LabelsNeeded:
    gain = 100 * (measured.accuracy[-1] - measured.accuracy[start])
    words = (
        f"How many labels {_percent(target)} needs can't be told: from {measured.sizes[start]:.0f} to "
        f"{measured.sizes[-1]:.0f} labels per class the accuracy changed by {gain:+.1f} points, no more than chance "
        "explains. More images of the same kind are expected to bring little; other backbones or fine-tuning may help."
    )
    return LabelsNeeded(target, FLAT, words)


def _out_of_reach(curve: LearningCurve, target: float) -> LabelsNeeded:
    low, high = curve.ceiling()
    words = (
        f"{_percent(target)} is out of reach of more labels alone: the curve levels off at about "
        f"{100 * curve.law.ceiling:.1f} % ({100 * low:.1f}–{100 * high:.1f}). Other backbones or fine-tuning may help."
    )
    return LabelsNeeded(target, OUT_OF_REACH, words)


def _too_far(curve: LearningCurve, target: float, meets: _Meets) -> LabelsNeeded:
    low, high = (float(end[0]) for end in curve.band([meets.most]))
    least = "more than" if meets.high is None else "at least"
    from_here = round_labels(meets.high or meets.most, math.floor)
    words = (
        f"How many labels {_percent(target)} needs can't be told: {least} {from_here} per class. With "
        f"{round_labels(meets.most)}, {REACH} times the largest size measured and as far as a forecast goes, "
        f"{100 * float(curve.at(meets.most)):.1f} % ({100 * low:.1f}–{100 * high:.1f}) can be expected."
    )
    return LabelsNeeded(target, TOO_FAR, words, low=meets.high)


def _there(counts: Mapping[str, int]) -> str:
    """How many images there are now, in words."""
    least, most = min(counts.values()), max(counts.values())
    return f"there are {least:,}" if least == most else f"there are {least:,} to {most:,}"


def _ends(meets: _Meets, of: Callable[[int], int] = int) -> str:
    """The ends of the interval for a size, rounded outwards; an open end is 'more than' the most looked at."""
    low = round_labels(of(meets.high or 0), math.floor)
    if meets.low is None:
        return f"{low} to more than {round_labels(of(meets.most))}"
    return f"{low}–{round_labels(of(meets.low), math.ceil)}"


def round_labels(number: int, to: Callable[[float], int] = round) -> str:
    """A number with two digits that count, for more are not known.

    >>> round_labels(87), round_labels(1234), round_labels(1234, math.ceil)
    ('87', '1,200', '1,300')
    """
    step = 10 ** max(len(str(number)) - 2, 0)
    return f"{to(number / step) * step:,}"


def _percent(share: float) -> str:
    """A target as it was given: 95 %, 97.5 %."""
    return f"{100 * share:.4g} %"

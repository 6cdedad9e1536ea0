"""What every reader of annotations gives: images with their objects, and what was wrong in which file and line.

A reader raises only where nothing can be used. What is wrong with one object or file becomes a `Fault`, is counted and
named; an image whose annotation cannot be read is left out, because an unknown label is not an absent one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.checks import quantity
from headstart.errors import DataError

Corners = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""
_NAMED = 3


@dataclass(frozen=True)
class Fault:
    """Something wrong. place: file and line. kind: a phrase that counts with others. detail: what was there."""

    place: str
    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Annotation:
    """One object. label: its class. corners: its box. ignored: whether it counts neither way (crowd, difficult).
    outline: polygons (each a flat list x, y, x, y, …) or a COCO run-length dictionary, where there is one. place: file
    and line."""

    label: str
    corners: Corners
    ignored: bool = False
    outline: Any = None
    place: str = ""


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its objects. name: in messages. size: width and height, upright. split: '' where there is none."""

    path: Path
    name: str
    size: tuple[int, int]
    objects: tuple[Annotation, ...]
    split: str = ""


@dataclass
class Reading:
    """What a reader has read so far: images, faults, and the classes in their order where the data name one."""

    images: list[AnnotatedImage] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    classes: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)

    def fault(self, place: str, kind: str, detail: object = "") -> None:
        """Note something wrong."""
        self.faults.append(Fault(place, kind, str(detail)))


def sound_corners(reading: Reading, place: str, values: Sequence[Any], size: tuple[float, float]) -> Corners | None:
    """The box in order and inside its image; None where there is nothing left of it. What was changed is noted."""
    try:
        left, top, right, bottom = (float(value) for value in values)
    except (TypeError, ValueError):
        reading.fault(place, "a box that is not four numbers, left out", list(values))
        return None
    if not all(abs(value) < 1e7 for value in (left, top, right, bottom)):  # false for NaN, too
        reading.fault(place, "a box that is not four finite numbers, left out", list(values))
        return None
    if right < left or bottom < top:
        reading.fault(place, "an inverted box, turned round", list(values))
        left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    inside = (max(left, 0.0), max(top, 0.0), min(right, size[0]), min(bottom, size[1]))
    if inside[2] - inside[0] <= 0 or inside[3] - inside[1] <= 0:
        empty = right == left or bottom == top
        reading.fault(place, "an empty box, left out" if empty else "a box outside its image, left out", list(values))
        return None
    if max(abs(a - b) for a, b in zip(inside, (left, top, right, bottom), strict=True)) > 1.5:
        reading.fault(place, "a box that reaches beyond its image, cut", list(values))
    return inside


def fault_notes(faults: Iterable[Fault]) -> tuple[str, ...]:
    """A sentence a kind of fault: how many, and the first few by file and line."""
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(fault.kind, []).append(fault)
    return tuple(
        f"{quantity(len(group), 'time')} {kind}: "
        + "; ".join(f"{fault.place}{f' ({fault.detail})' if fault.detail else ''}" for fault in group[:_NAMED])
        + (f" and {len(group) - _NAMED:,} more" if len(group) > _NAMED else "")
        + "."
        for kind, group in kinds.items()
    )


def require_some(reading: Reading, root: Path, form: str) -> Reading:
    """The reading; raises `DataError` with the first fault where no image came of it."""
    if reading.images:
        return reading
    counts = Counter(fault.kind for fault in reading.faults)
    first = f"; the first fault: {reading.faults[0].place}: {reading.faults[0].kind}" if reading.faults else ""
    raise DataError(
        f"{root} was read as {form}, and no image with its annotation could be used "
        f"({quantity(sum(counts.values()), 'fault')}{first}): check the paths inside."
    )

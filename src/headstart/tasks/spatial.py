"""The contract of a task that looks at positions: what differs between boxes and masks, as data.

A head gives numbers at points of an image's canvas. A task says which points are learnt from, by which loss, what a
grid of such numbers means as an answer, and how answers are scored. What is no mean of ratios (mAP) is reported here,
not raced by, so such a task is none of `tasks.task.Task`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.heads.spatial.gram import Gram
from headstart.heads.spatial.network import CellNetwork, Loss, Training
from headstart.heads.spatial.points import Points
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points to learn from. points: (m, 2) on the canvas. labels: (m,). distances: (m, 4) of boxes, else None."""

    points: Points
    labels: Ints
    distances: Floats | None = None


@dataclass(frozen=True, eq=False)
class Lessons:
    """Points of all images. X: (m, d). labels, distances: as drawn. image: (m,) whose each is. classes: K."""

    X: Any
    labels: Ints
    distances: Floats | None
    image: Ints
    classes: int


@dataclass(frozen=True)
class Place:
    """Where an image lies on the canvas. size: its width and height. extent: what it fills. scales: pixels of the
    canvas a pixel of the image."""

    size: tuple[int, int]
    extent: tuple[int, int]
    scales: tuple[float, float]


@dataclass(frozen=True)
class Scores:
    """What answers were measured to reach. estimates: the main one first. per_class: name, number of objects or images,
    figures by name."""

    estimates: tuple[Estimate, ...]
    per_class: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class SpatialTask:
    """name: as a manifest has it. target: the record of its labels. longest: the canvas's longer side. stride: of the
    grid that answers are made on. training: of the network, for so many points.

    draw: target, row, place, images, objects in all, random → `Drawn`. loss: lessons, rows → the network's loss.
    floor: lessons, rows → Gram matrices; solve: Gram matrices → the ridge head. answer: outputs (rows, columns, o),
    points, place → an answer. keep: target, row, answer → what is scored. score: target, what was kept, groups, seed →
    `Scores`. draws: the same, weights (resamples, n) → (resamples,) the main metric under each.
    """

    name: str
    target: type
    longest: int
    stride: int
    training: Callable[[int], Training]
    draw: Callable[[Any, int, Place, int, int, np.random.Generator], Drawn]
    loss: Callable[[Lessons, Ints], Loss]
    start: Callable[[Loss], Floats]
    floor: Callable[[Lessons, Ints], tuple[Gram, ...]]
    solve: Callable[[Sequence[Gram]], CellNetwork]
    answer: Callable[[Floats, Points, Place], Any]
    keep: Callable[[Any, int, Any], Any]
    score: Callable[[Any, Sequence[Any], Ints | None, int], Scores]
    draws: Callable[[Any, Sequence[Any], Any], Any]
    outputs: Callable[[int], int]

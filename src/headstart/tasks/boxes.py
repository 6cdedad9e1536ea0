"""Detection: objects as boxes, scored by mAP50 and mAP50-95."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.heads.spatial.box_points import BoxLoss, counts_for, draw_box_points
from headstart.heads.spatial.decode import decode_boxes
from headstart.heads.spatial.gram import Gram, gram
from headstart.heads.spatial.network import CellNetwork, Training
from headstart.heads.spatial.points import Points
from headstart.metrics.boxes.average_precision import estimate_precision, precision_of_resamples
from headstart.metrics.boxes.matching import match
from headstart.records.arrays import Floats, Ints
from headstart.records.boxes import Boxes, Detections
from headstart.tasks.spatial import Drawn, Lessons, Place, Scores, SpatialTask

_SLOPE = 8.0
"""A ridge score of 0 to 1 becomes a logit of -4 to 4."""
_POINTS = 400_000
"""About so many points are looked at in training, some of them often."""


def _draw(target: Boxes, row: int, place: Place, images: int, objects: int, random: np.random.Generator) -> Drawn:
    part = target.of(row)
    corners = target.corners[part] * np.array([*place.scales, *place.scales])
    drawn = draw_box_points(
        corners,
        target.labels[part],
        target.ignored[part],
        place.extent,
        counts=counts_for(images, objects),
        random=random,
    )
    return Drawn(drawn.points, drawn.labels, drawn.distances)


def _training(points: int) -> Training:
    return Training(epochs=int(np.clip(round(_POINTS / max(points, 1)), 6, 20)), dropout=0.25)


def _loss(lessons: Lessons, rows: Ints) -> BoxLoss:
    """Rare classes need no weight: every object gives as many points, and each class is a yes or no of its own."""
    assert lessons.distances is not None
    return BoxLoss(lessons.labels, lessons.distances, np.ones(lessons.classes, np.float32))


def _start(loss: Any) -> Floats:
    return loss.start()  # type: ignore[no-any-return]


def _floor(lessons: Lessons, rows: Ints) -> tuple[Gram, Gram]:
    """The sums for the heat maps, over all points, and for the logarithms of the distances, over objects' points."""
    assert lessons.distances is not None
    heat = (lessons.labels[:, None] == np.arange(lessons.classes)).astype(np.float32)
    ones = np.ones(len(heat), np.float32)
    positive = rows[lessons.labels[rows] >= 0]
    logs = np.log(np.maximum(lessons.distances, 0.1))
    return gram(lessons.X, heat, rows, ones), gram(lessons.X, logs, positive, ones)


def _solve(grams: Sequence[Gram]) -> CellNetwork:
    heat, sides = (part.solve() for part in grams)
    inner = np.concatenate([heat.inner * np.float32(_SLOPE), sides.inner], axis=1)
    bias = np.concatenate([(heat.inner_bias - np.float32(0.5)) * np.float32(_SLOPE), sides.inner_bias])
    return CellNetwork(inner, bias)


def _answer(outputs: Floats, points: Points, place: Place) -> Detections:
    inside = (points < np.asarray(place.extent, np.float32)).all(axis=1)
    return decode_boxes(outputs.reshape(len(points), -1)[inside], points[inside], place.scales, place.size)


def _score(target: Boxes, answers: Sequence[Detections], groups: Ints | None, seed: int) -> Scores:
    result = estimate_precision(match(target, answers), groups=groups, seed=seed)
    per_class = tuple(
        {"name": name, "count": count, "mAP50": pair[0], "mAP50-95": pair[1]}
        for name, count, pair in zip(target.names, result.objects, result.per_class, strict=True)
    )
    return Scores((result.map50, result.map), per_class)


def _draws(target: Boxes, answers: Sequence[Detections], weights: Any) -> Any:
    return precision_of_resamples(match(target, answers), weights)[:, 0]


BOXES = SpatialTask(
    name="boxes",
    target=Boxes,
    longest=512,
    stride=8,
    training=_training,
    draw=_draw,
    loss=_loss,
    start=_start,
    floor=_floor,
    solve=_solve,
    answer=_answer,
    keep=lambda target, row, answer: answer,
    score=_score,
    draws=_draws,
    outputs=lambda classes: classes + 4,
)

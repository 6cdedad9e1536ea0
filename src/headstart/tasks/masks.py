"""Segmentation: a class a pixel, scored by mean IoU and Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.heads.spatial.gram import Gram, gram
from headstart.heads.spatial.network import CellNetwork, Training
from headstart.heads.spatial.pixel_points import PixelLoss, class_weights, draw_pixels
from headstart.heads.spatial.points import Points
from headstart.metrics.masks import estimate_masks, pixel_table, shares_by_class
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints
from headstart.records.masks import ClassMap, Masks
from headstart.tasks.spatial import Drawn, Lessons, Place, Scores, SpatialTask

_STRIDE = 4
_MOST_POINTS, _FEWEST = 60_000, 120
_STEPS_OF_POINTS = 300_000
BINS = 200
"""Probabilities are kept in so many bins: half a percent each."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """labels: (rows, columns) the class of each pixel of the image. outputs: (rows, columns, K) on the grid's cells.
    place: where the image lies on the canvas."""

    labels: ClassMap
    outputs: Floats
    place: Place

    @cached_property
    def probabilities(self) -> Floats:
        """(rows, columns, K) of the classes on the grid's cells, 0 to 1."""
        return softmax(self.outputs)

    @property
    def sure(self) -> Floats:
        """(rows, columns) the probability of each grid cell's class."""
        return np.asarray(self.probabilities.max(axis=2))


@dataclass(frozen=True, eq=False)
class Judged:
    """table: (K, K) pixels. histogram: (K, bins) of the probability that the pixels of each true class gave it."""

    table: NDArray[np.int64]
    histogram: NDArray[np.int64]


def _draw(target: Masks, row: int, place: Place, images: int, objects: int, random: np.random.Generator) -> Drawn:
    count = max(_FEWEST, min(1500, _MOST_POINTS // images))
    points, labels = draw_pixels(target.maps[row].read(), place.extent, count, random)
    return Drawn(points, labels)


def _training(points: int) -> Training:
    return Training(
        hidden=160, epochs=int(np.clip(round(_STEPS_OF_POINTS / max(points, 1)), 5, 10)), dropout=0.2, rate=1e-3
    )


def _loss(lessons: Lessons, rows: Ints) -> PixelLoss:
    return PixelLoss(lessons.labels, class_weights(lessons.labels[rows], lessons.classes))


def _floor(lessons: Lessons, rows: Ints) -> tuple[Gram]:
    hot = (lessons.labels[:, None] == np.arange(lessons.classes)).astype(np.float32)
    return (gram(lessons.X, hot, rows, class_weights(lessons.labels[rows], lessons.classes)[lessons.labels]),)


def _solve(grams: Sequence[Gram]) -> CellNetwork:
    """Ridge scores of 0 to 1, steeper by 8, so that a softmax makes probabilities of them."""
    one = grams[0].solve()
    return CellNetwork(one.inner * np.float32(8), one.inner_bias * np.float32(8))


def _answer(outputs: Floats, points: Points, place: Place) -> Segmentation:
    """The class of the highest score at each pixel, the scores interpolated."""
    rows, columns, classes = outputs.shape
    box = (0.0, 0.0, min(place.extent[0] / _STRIDE, columns), min(place.extent[1] / _STRIDE, rows))
    best = _enlarge(outputs[..., 0], place.size, box)
    labels = np.zeros(best.shape, np.int16)
    for k in range(1, classes):  # a running maximum: quicker than to stack the layers and ask for the largest
        layer = _enlarge(outputs[..., k], place.size, box)
        np.putmask(labels, layer > best, np.int16(k))
        best = np.maximum(best, layer)
    return Segmentation(labels, outputs, place)


def _enlarge(layer: Floats, size: tuple[int, int], box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(layer))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box))


def probability_of(answer: Segmentation, label: int) -> NDArray[np.float32]:
    """(rows, columns) the probability of a class at each pixel of the image."""
    rows, columns, _ = answer.probabilities.shape
    place = answer.place
    box = (0.0, 0.0, min(place.extent[0] / _STRIDE, columns), min(place.extent[1] / _STRIDE, rows))
    return _enlarge(answer.probabilities[..., label], place.size, box)


def _keep(target: Masks, row: int, answer: Segmentation) -> Judged:
    truth = target.maps[row].read()
    classes = len(target.names)
    histogram = np.zeros((classes, BINS), np.int64)
    for k in np.unique(truth[truth >= 0]).tolist():
        chances = probability_of(answer, k)[truth == k]
        histogram[k] = np.bincount(np.minimum((chances * BINS).astype(np.int64), BINS - 1), minlength=BINS)
    return Judged(pixel_table(truth, answer.labels, classes), histogram)


def _score(target: Masks, judged: Sequence[Judged], groups: Ints | None, seed: int) -> Scores:
    tables = np.stack([part.table for part in judged])
    iou, dice = shares_by_class(tables), shares_by_class(tables, dice=True)
    images = (tables.sum(axis=2) > 0).sum(axis=0)
    per_class = tuple(
        {"name": name, "count": int(images[k]), "IoU": float(iou[k]), "Dice": float(dice[k])}
        for k, name in enumerate(target.names)
    )
    estimates = tuple(estimate_masks(tables, groups=groups, dice=dice_too, seed=seed) for dice_too in (False, True))
    return Scores(estimates, per_class)


def _draws(target: Masks, judged: Sequence[Judged], weights: Any) -> Any:
    tables = np.stack([part.table for part in judged]).astype(np.float64)
    totals = np.einsum("rn,nij->rij", weights, tables, optimize=True)
    return np.array([np.nanmean(shares_by_class(total[None])) for total in totals])


MASKS = SpatialTask(
    name="masks",
    target=Masks,
    longest=640,
    stride=_STRIDE,
    training=_training,
    draw=_draw,
    loss=_loss,
    start=lambda loss: loss.start(),  # type: ignore[attr-defined]
    floor=_floor,
    solve=_solve,
    answer=_answer,
    keep=_keep,
    score=_score,
    draws=_draws,
    outputs=lambda classes: classes,
)

"""Measures the ridge floor and the network on the same folds, by image, and fits the better one on all images.

Answers are out-of-fold: every image is answered by heads that have not seen it, nor any of its group. The difference of
the two comes from the same resamples of images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from headstart.heads.spatial.network import CellNetwork, train_network
from headstart.heads.spatial.points import grid_points
from headstart.metrics.boxes.average_precision import resample_weights
from headstart.metrics.intervals import Estimate
from headstart.pipeline.spatial.collect import Collected
from headstart.progress import bar
from headstart.records.arrays import Ints
from headstart.tasks.spatial import Scores, SpatialTask

FLOOR, NETWORK = "ridge", "network"
HEADS = (FLOOR, NETWORK)
_FEW = 100
_RESAMPLES = 300


@dataclass(frozen=True, eq=False)
class Measured:
    """A head's out-of-fold answers. name: ridge or network. kept: what is scored, an image. scores: of them."""

    name: str
    kept: tuple[Any, ...]
    scores: Scores


@dataclass(frozen=True, eq=False)
class SpatialFit:
    """What the comparison gave. head: the winner, fitted on all images. measured: the winner first. gain: of the
    winner over the other in the main metric, None where one head alone was asked for. folds: how many."""

    head: CellNetwork
    measured: tuple[Measured, ...]
    gain: Estimate | None
    folds: int


def assign_image_folds(strata: Ints, groups: Ints | None, count: int, seed: int) -> Ints:
    """(n,) a fold an image: groups stay whole, rare classes are dealt first and evenly.

    Unlike classification's folds, none must hold every class: a class of one image is learnt and simply not measured.
    """
    random = np.random.default_rng(seed)
    members = np.arange(len(strata)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(members)
    first = np.zeros(len(sizes), np.int64)
    first[members[::-1]] = strata[::-1]
    rarity = np.bincount(strata, minlength=int(strata.max()) + 1)[first]
    order = np.lexsort((random.random(len(sizes)), rarity, -sizes))
    loads, folds = np.zeros(count), np.zeros(len(sizes), np.int64)
    shares = np.zeros((count, int(strata.max()) + 1))
    for group in order:
        folds[group] = best = int(np.lexsort((loads, shares[:, first[group]]))[0])
        loads[best] += sizes[group]
        shares[best, first[group]] += sizes[group]
    return np.asarray(folds[members])


def folds_for(images: int, groups: Ints | None = None) -> int:
    """How many folds: five, three from a hundred images on, fewer where there are fewer groups."""
    alone = images if groups is None else len(np.unique(groups))
    return min(5 if images < _FEW else 3, alone)


def fit_spatial(
    data: Collected,
    task: SpatialTask,
    *,
    heads: Sequence[str] = HEADS,
    folds: int | None = None,
    seed: int = 0,
) -> SpatialFit:
    """Compare the heads out of fold and fit the better one on everything."""
    groups = data.samples.groups
    count = folds or folds_for(len(data.samples), groups)
    fold = assign_image_folds(data.samples.target.strata(), groups, count, seed)
    kept: dict[str, list[Any]] = {name: [None] * len(fold) for name in heads}
    floors = _fold_grams(data, task, fold, count) if FLOOR in heads else []
    with bar("measuring", count * len(heads), unit="heads") as advance:
        for number in range(count):
            rows = np.flatnonzero(fold[data.lessons.image] != number)
            tested = np.flatnonzero(fold == number).tolist()
            for name in heads:
                head = _head(name, data, task, rows, floors[:number] + floors[number + 1 :], seed)
                for row, answer in zip(tested, answers(head, data, task, tested), strict=True):
                    kept[name][row] = task.keep(data.samples.target, row, answer)
                advance(1)
    measured = [
        Measured(name, tuple(kept[name]), task.score(data.samples.target, kept[name], groups, seed)) for name in heads
    ]
    measured.sort(key=lambda entry: -entry.scores.estimates[0].value)
    everything = np.arange(len(data.lessons.labels))
    head = _head(measured[0].name, data, task, everything, floors, seed)
    return SpatialFit(head, tuple(measured), _gain(data, task, measured, seed), count)


def _fold_grams(data: Collected, task: SpatialTask, fold: Ints, count: int) -> list[tuple[Any, ...]]:
    return [task.floor(data.lessons, np.flatnonzero(fold[data.lessons.image] == number)) for number in range(count)]


def _head(
    name: str, data: Collected, task: SpatialTask, rows: Ints, floors: Sequence[tuple[Any, ...]], seed: int
) -> CellNetwork:
    if name == FLOOR:
        return task.solve([reduce(add, parts) for parts in zip(*floors, strict=True)])
    loss = task.loss(data.lessons, rows)
    return train_network(
        data.lessons.X, loss, task.start(loss), training=task.training(len(rows)), seed=seed, rows=rows
    )


def answers(head: CellNetwork, data: Collected, task: SpatialTask, rows: Sequence[int]) -> Iterator[Any]:
    """What a head answers for these images, in order."""
    canvas = data.engine.canvas
    columns, lines = canvas.width // task.stride, canvas.height // task.stride
    points = grid_points(columns, lines, task.stride)
    for row, maps in zip(rows, data.maps(rows), strict=True):
        yield task.answer(head.grid(maps, columns, lines), points, data.places[row])


def _gain(data: Collected, task: SpatialTask, measured: Sequence[Measured], seed: int) -> Estimate | None:
    """How much better the first is than the second, from the same resamples of images."""
    if len(measured) < 2:
        return None
    weights = resample_weights(len(data.samples), data.samples.groups, _RESAMPLES, seed)
    first, second = (task.draws(data.samples.target, entry.kept, weights) for entry in measured[:2])
    low, high = np.nanquantile(first - second, [0.025, 0.975]).tolist()
    main = measured[0].scores.estimates[0]
    value = main.value - measured[1].scores.estimates[0].value
    return Estimate(value, min(low, value), max(high, value), main.metric, 0.95, "paired resamples of the images")

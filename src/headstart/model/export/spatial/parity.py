"""Whether an exported detector or segmenter answers as the model it was made of; a gate, with the worst image named.

Two comparisons. *Equal pixels*: the graph behind its scaling, on canvases that Headstart's own decode makes; *any
size*: the whole graph on whole images. Of boxes it is the largest shift of a corner, in pixels of the image, and how
many boxes have no counterpart of the same class and score; of class maps the share of pixels that differ, at the size
of inference. Two boxes that are as sure as each other, or that overlap by just the limit, may fall either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.embed.spatial.canvas import Laid
from headstart.errors import UnreadableImage
from headstart.metrics.boxes.overlap import overlaps
from headstart.model.export.graph import IMAGE, ExportGraph
from headstart.model.export.parity import ANY_SIZE, EQUAL_PIXELS
from headstart.model.export.runtimes import RUNTIMES, Run, open_runtime
from headstart.model.export.spatial.boxes import BOXES, CLASSES, SCORES
from headstart.model.export.spatial.graph import CANVAS, SIZE, core_spatial_graph
from headstart.model.export.spatial.masks import LABELS
from headstart.records.boxes import Detections
from headstart.records.samples import ImageSource
from headstart.tasks.spatial import Place

if TYPE_CHECKING:
    from headstart.model.spatial.predictor import SpatialPredictor

LIMITS = {"boxes": {EQUAL_PIXELS: 0.01, ANY_SIZE: 1.0}, "masks": {EQUAL_PIXELS: 2e-4, ANY_SIZE: 5e-3}}
"""How many pixels a box may move, or the share of pixels whose class may differ."""
_SCORE = {EQUAL_PIXELS: 1e-4, ANY_SIZE: 0.02}
_MOST_ALONE = {EQUAL_PIXELS: 0.001, ANY_SIZE: 0.02}
"""The share of boxes that may be without counterpart: ties that fall the other way."""
_SURE = 0.05
"""Boxes below are not compared: their scores are those of the ground."""


@dataclass(frozen=True)
class SpatialCheck:
    """One comparison. runtime: what ran the file. kind: which. images: how many. answers: boxes or pixels compared.
    largest: shift of a box in pixels, or share of pixels that differ, of the worst image. score: the largest change of
    a score. alone: boxes without counterpart. worst: name of the worst image. task: boxes or masks."""

    runtime: str
    kind: str
    task: str
    images: int
    answers: int
    largest: float
    score: float
    alone: int
    worst: str

    @property
    def passed(self) -> bool:
        """Whether it stays within its limits; one box may fall the other way."""
        near = self.largest <= LIMITS[self.task][self.kind] and self.score <= _SCORE[self.kind]
        return near and self.alone <= max(1, _MOST_ALONE[self.kind] * self.answers)


@dataclass(frozen=True)
class _Difference:
    """What differs in one image. The fields are those of `SpatialCheck`."""

    answers: int
    largest: float
    score: float = 0.0
    alone: int = 0


def check_spatial_parity(
    predictor: SpatialPredictor, path: Path, items: Sequence[ImageSource], names: Sequence[str], graph: ExportGraph
) -> tuple[SpatialCheck, ...]:
    """Run an exported file beside the model, in every runtime that it is meant for. Raises `UnreadableImage`."""
    core = core_spatial_graph(graph, predictor)
    expected = [(laid, _expected(predictor, laid)) for laid in map(predictor.engine.load, items)]
    checks = []
    for runtime in RUNTIMES["onnx"]:
        for kind, content in ((EQUAL_PIXELS, core), (ANY_SIZE, path)):
            run = open_runtime(runtime, content)
            differences = list(_differences(predictor, run, kind, items, expected))
            checks.append(_check(predictor, runtime, kind, differences, names))
    return tuple(checks)


def _expected(predictor: SpatialPredictor, laid: Laid) -> Any:
    """The model's answer: boxes in the image's pixels, or a class map at the size of inference."""
    canvas = predictor.canvas
    place = Place(laid.size, canvas.extent(*laid.size), canvas.scales(*laid.size))
    if predictor.task.name == "masks":
        place = Place(place.extent, place.extent, (1.0, 1.0))
    return predictor.answer(predictor.engine.maps(laid.pixels), place)


def _differences(
    predictor: SpatialPredictor, run: Run, kind: str, items: Sequence[ImageSource], expected: Sequence[tuple[Laid, Any]]
) -> Iterator[_Difference]:
    from headstart.data.images.decode import read_image

    for item, (laid, answer) in zip(items, expected, strict=True):
        if kind == EQUAL_PIXELS:
            output = run({CANVAS: laid.pixels[None], SIZE: np.array(laid.size, np.int64)})
        else:
            output = run({IMAGE: np.asarray(read_image(item))[None]})
        if predictor.task.name == "masks":
            differing = float((output[LABELS] != answer.labels).mean())
            yield _Difference(answer.labels.size, differing)
        else:
            exported = Detections(output[BOXES], output[SCORES], output[CLASSES])
            yield compare_boxes(answer, exported, _SCORE[kind])


def compare_boxes(expected: Detections, exported: Detections, most: float) -> _Difference:
    """Counterparts have the same class, nearly the same score, and overlap the most. most: a score may differ so."""
    shown, others = expected.above(_SURE), exported.above(_SURE - most)
    largest, score, alone = 0.0, 0.0, 0
    for corners, sure, label in zip(shown.corners, shown.scores, shown.labels, strict=True):
        alike = np.flatnonzero((others.labels == label) & (np.abs(others.scores - sure) <= most))
        overlap = overlaps(corners[None], others.corners[alike])[0] if len(alike) else np.zeros(0)
        if not len(alike) or overlap.max() < 0.5:
            alone += 1
            continue
        best = alike[overlap.argmax()]
        largest = max(largest, float(np.abs(others.corners[best] - corners).max()))
        score = max(score, float(abs(others.scores[best] - sure)))
    return _Difference(len(shown), largest, score, alone)


def _check(
    predictor: SpatialPredictor, runtime: str, kind: str, differences: Sequence[_Difference], names: Sequence[str]
) -> SpatialCheck:
    worst = max(range(len(differences)), key=lambda row: (differences[row].alone, differences[row].largest))
    return SpatialCheck(
        runtime,
        kind,
        predictor.task.name,
        len(differences),
        sum(part.answers for part in differences),
        max(part.largest for part in differences),
        max(part.score for part in differences),
        sum(part.alone for part in differences),
        names[worst],
    )


def readable_items(predictor: SpatialPredictor, items: Sequence[ImageSource]) -> list[int]:
    """The rows that can be read."""
    rows = []
    for row, item in enumerate(items):
        try:
            predictor.engine.load(item)
            rows.append(row)
        except UnreadableImage:
            continue
    return rows

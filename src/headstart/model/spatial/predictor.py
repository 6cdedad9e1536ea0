"""A detector or segmenter ready for new images: one pass of the backbone, one head, an answer in the image's pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headstart.checks import between
from headstart.embed.spatial.canvas import Canvas
from headstart.embed.spatial.taps import Maps, TapEngine
from headstart.errors import DataError, OptionError, UnreadableImage
from headstart.heads.spatial.network import CellNetwork
from headstart.heads.spatial.points import grid_points
from headstart.model.bundle import Bundle
from headstart.records.samples import Failure, ImageSource
from headstart.tasks.spatial import Place, SpatialTask
from headstart.trust.missed import MissedEvidence

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone


@dataclass(frozen=True, eq=False)
class SpatialAnswers:
    """What was seen in images, a row each. answers: None where an image could not be read. threshold: scores from
    which an object is shown."""

    names: tuple[str, ...]
    answers: tuple[Any, ...]
    failures: tuple[Failure, ...]
    classes: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    threshold: float

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class SpatialPredictor:
    """task: boxes or masks. classes: by the numbers in answers. backbone, canvas: what an image passes through. head:
    on the taps. threshold: score from which an object is shown. manifest: all that is known of the model. trust: what
    promises rest on, None where there is nothing."""

    task: SpatialTask
    classes: tuple[str, ...]
    backbone: Backbone
    canvas: Canvas
    head: CellNetwork
    threshold: float
    manifest: Mapping[str, Any]
    trust: MissedEvidence | None = None
    bundle: Bundle | None = None

    @cached_property
    def engine(self) -> TapEngine:
        """The compiled backbone."""
        return TapEngine(self.backbone, self.canvas)

    def answer(self, maps: Maps, place: Place) -> Any:
        """What the head sees in an image's maps."""
        columns, rows = self.canvas.width // self.task.stride, self.canvas.height // self.task.stride
        points = grid_points(columns, rows, self.task.stride)
        return self.task.answer(self.head.grid(maps, columns, rows), points, place)

    def stream(self, items: Sequence[ImageSource]) -> Iterator[tuple[Place, Any] | UnreadableImage]:
        """Each image's place and answer, in order; the reason in the place of one that cannot be read."""
        for result in self.engine.stream(items):
            if isinstance(result, UnreadableImage):
                yield result
                continue
            laid, maps = result
            place = Place(laid.size, self.canvas.extent(*laid.size), self.canvas.scales(*laid.size))
            yield place, self.answer(maps, place)

    def predict(
        self, images: Sequence[ImageSource], *, names: Sequence[str] | None = None, max_missed: float | None = None
    ) -> SpatialAnswers:
        """The objects (`Detections`) or class maps (`Segmentation`) of images; sure enough ones where boxes are asked.

        max_missed: promise that at most this share of the objects is missed, and choose the threshold for it. Raises
        `DataError` where that cannot be promised.
        """
        threshold = self.threshold if max_missed is None else self.promise(max_missed)
        listed = tuple(names or (f"image {i}" for i in range(len(images))))
        answers: list[Any] = []
        failures, sizes = [], []
        for row, result in enumerate(self.stream(images)):
            if isinstance(result, UnreadableImage):
                failures.append(Failure(row, listed[row], str(result)))
                answers.append(None)
                sizes.append((0, 0))
                continue
            place, answer = result
            answers.append(answer.above(threshold) if hasattr(answer, "above") else answer)
            sizes.append(place.size)
        return SpatialAnswers(listed, tuple(answers), tuple(failures), self.classes, tuple(sizes), threshold)

    def promise(self, max_missed: float) -> float:
        """The threshold at which at most this share is missed; raises `DataError` where it cannot be promised."""
        between("max_missed", max_missed, 1e-4, 0.5)
        if self.trust is None:
            raise OptionError("this model keeps nothing that a promise could rest on: train it again.")
        threshold = self.trust.threshold(max_missed)
        if threshold is None:
            raise DataError(self.trust.refusal(max_missed))
        return threshold

"""How a saved detector or segmenter does on labelled images that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import join_words, one_of, quantity
from headstart.data.sources.dataset import SPLITS, Dataset
from headstart.errors import DataError, OptionError, UnreadableImage
from headstart.metrics.boxes.marks import mark
from headstart.model.spatial.evidence import missed_evidence
from headstart.model.spatial.predictor import SpatialPredictor
from headstart.model.spatial.saved import scores_values
from headstart.records.boxes import Boxes
from headstart.records.masks import Masks
from headstart.records.samples import Failure, Samples
from headstart.tasks.spatial import Scores


@dataclass(frozen=True, eq=False)
class SpatialEvaluation:
    """scores: what was reached. missed: the share of objects (pixels) missed at the model's threshold, a mean over
    images. samples: those scored; answers: to each, as they were judged. worst: their rows, the worst first. notes,
    failures: for the user."""

    scores: Scores
    missed: float
    samples: Samples
    answers: tuple[Any, ...]
    worst: tuple[int, ...]
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {
            "images": len(self.samples),
            **scores_values(self.scores),
            "missed": self.missed,
            "worst": [self.samples.names[row] for row in self.worst[:20]],
            "notes": list(self.notes),
            "unreadable": [{"image": failure.name, "reason": failure.reason} for failure in self.failures],
        }


def evaluate_spatial(
    predictor: SpatialPredictor, data: Dataset, *, split: str | None = None, seed: int = 0
) -> SpatialEvaluation:
    """The model's scores on labelled images, and a note where it was trained on some of them."""
    samples = _chosen(data.samples, split)
    target: Any = renumber(samples.target, predictor.classes)
    if predictor.task.target.__name__ != type(target).__name__:
        raise DataError(f"the model predicts {predictor.task.name}, and these labels are not that: give such labels.")
    kept, rows, failures = [], [], []
    for row, result in enumerate(predictor.stream(samples.items)):
        if isinstance(result, UnreadableImage):
            failures.append(Failure(row, samples.names[row], str(result)))
            continue
        kept.append(predictor.task.keep(target, row, result[1]))
        rows.append(row)
    if not rows:
        raise DataError(f"none of {quantity(len(samples), 'image')} could be read.")
    chosen = np.array(rows)
    scored = target.take(chosen)
    scores = predictor.task.score(scored, kept, None, seed)
    losses = missed_evidence(scored, kept, apart=True)
    worst = np.argsort(-_wrong(predictor, scored, kept), kind="stable")
    notes = (*data.notes, *_seen_note(predictor, samples))
    taken = samples.take(chosen)
    return SpatialEvaluation(
        scores, losses.missed(predictor.threshold), taken, tuple(kept), tuple(worst.tolist()), notes, tuple(failures)
    )


def _wrong(predictor: SpatialPredictor, target: Any, kept: Sequence[Any]) -> NDArray[np.float64]:
    """(n,) the share wrong of what is labelled or seen in each image: of objects, or of pixels."""
    if isinstance(target, Boxes):
        return np.array([mark(target, row, seen.above(predictor.threshold)).wrong for row, seen in enumerate(kept)])
    return np.array([1 - np.trace(part.table) / max(int(part.table.sum()), 1) for part in kept])


def _chosen(samples: Samples, split: str | None) -> Samples:
    if split is None:
        return samples
    one_of("split", split, SPLITS)
    mask = np.zeros(len(samples), bool) if samples.splits is None else samples.splits == split
    if not mask.any():
        raise OptionError(f"the data have no split {split!r}: leave --split out.")
    return samples.take(mask)


def renumber(target: Any, classes: Sequence[str]) -> Any:
    """Labels with the model's class numbers; raises `DataError` for classes that it does not know."""
    unknown = [name for name in target.names if name not in classes]
    if unknown:
        raise DataError(
            f"the labels have {join_words(unknown)}, which the model does not know (it knows {join_words(classes)}): "
            "rename them, or train it on them."
        )
    if tuple(target.names) == tuple(classes):
        return target
    numbers = np.array([classes.index(name) for name in target.names])
    if isinstance(target, Boxes):
        parts = (target.image, target.corners, numbers[target.labels], target.ignored, target.sizes)
        return Boxes(*parts, tuple(classes))
    pixels = np.zeros((len(target), len(classes)), np.int64)
    pixels[:, numbers] = target.pixels
    return Masks(tuple(_Renumbered(part, numbers) for part in target.maps), pixels, target.content, tuple(classes))


@dataclass(frozen=True, eq=False)
class _Renumbered:
    """A map whose classes have other numbers in the model."""

    source: Any
    numbers: Any

    def read(self) -> Any:
        """The map in the model's numbers."""
        labels = self.source.read()
        return np.where(labels >= 0, self.numbers[labels], labels).astype(np.int16)


def _seen_note(predictor: SpatialPredictor, samples: Samples) -> tuple[str, ...]:
    if predictor.bundle is None:
        return ()
    values: Mapping[str, Any] = json.loads(predictor.bundle.file(predictor.manifest["data"]["file"]).read_bytes())
    known = set(values["content"])
    seen = sum(content in known for content in samples.content)
    return (
        (f"The model was trained on {quantity(seen, 'image')} of these {len(samples):,}: the scores are too good.",)
        if seen
        else ()
    )

"""What a fine-tuned backbone has forgotten: how far its features moved, and how well its original head still does.

`forgetting` takes a predictor and images (of the old task, of the new one, or of neither), passes them through the
backbone as it was and as it is, and returns a `ForgettingReport` for each fine-tuned backbone. Every number is of these
images. A model that was not fine-tuned has forgotten nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.deltas import delta_tensors, without_delta
from headstart.backbones.graph import LOGITS
from headstart.backbones.imagenet import classes, with_head
from headstart.checks import quantity
from headstart.embed.features import embed_backbone
from headstart.errors import DataError
from headstart.metrics.cka import linear_cka
from headstart.metrics.intervals import Estimate, clopper_pearson, paired_difference
from headstart.records.embeddings import Embeddings
from headstart.records.run import Run
from headstart.records.samples import Failure, ImageSource, Samples
from headstart.verbs.predict import images_of

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.model.predictor import Predictor

_WORDNET = re.compile(r"n\d{8}(?!\d)")
_HIGH_CHANCE = 0.5


@dataclass(frozen=True)
class FeatureMovement:
    """How far a stage's pooled features moved. unchanged: they are the same, bit for bit. cka: linear CKA of before and
    after, 1 where nothing moved but for rotation and scale. chance: what unrelated features like these would reach."""

    stage: str
    unchanged: bool
    cka: float
    chance: float


@dataclass(frozen=True)
class Accuracy:
    """The original head on images whose ImageNet class is known: before, after, and the paired difference."""

    images: int
    before: Estimate
    after: Estimate
    gain: Estimate


@dataclass(frozen=True)
class OriginalHead:
    """The ImageNet head on old and new features. agreement: how often both name the same class. accuracy: None where no
    image's class is known."""

    agreement: Estimate
    accuracy: Accuracy | None


@dataclass(frozen=True)
class ForgettingReport:
    """What one backbone of a model has forgotten.

    backbone: its name. tensors: how many were changed. images: how many were compared. stages: earliest first. head:
    None where the original head is not known (backbones that are not packaged). failures: images that could not be
    read. notes: for the user.
    """

    backbone: str
    tensors: int
    images: int
    stages: tuple[FeatureMovement, ...]
    head: OriginalHead | None
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values."""
        return asdict(self)


def fine_tuned(predictor: Predictor) -> tuple[Backbone, ...]:
    """The predictor's backbones that have changed tensors, each once."""
    changed = (part.backbone for part in predictor.parts if part.backbone.delta is not None)
    return tuple({backbone.weights: backbone for backbone in changed}.values())


def forgetting(
    model: Path | str | Predictor, images: Any, *, device: str | Device = "auto"
) -> tuple[ForgettingReport, ...]:
    """Compare each fine-tuned backbone of a predictor with what it was before.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded.
    images : path, sequence of paths, or sequence of images
        Any images, at least 2, as `predict` takes them. One in a folder named by a WordNet id of ImageNet's classes
        (`n02085620`, `n02085620-Chihuahua`) counts for the original head's accuracy.
    device : str or Device
        'auto', 'cpu', 'cuda' or 'mps'.

    Returns
    -------
    tuple of ForgettingReport
        One for each fine-tuned backbone; empty where there is none.

    Raises
    ------
    DataError
        Where fewer than two images can be read.

    Examples
    --------
    ::

        headstart.forgetting("model/", "photos/")[0].stages
    """
    from headstart.model.load import load_model

    predictor = load_model(model) if isinstance(model, (str, os.PathLike)) else model
    samples, run = images_of(images), Run(device=device, cache=False)
    return tuple(_compare(backbone, samples, run) for backbone in fine_tuned(predictor))


def _compare(backbone: Backbone, samples: Samples, run: Run) -> ForgettingReport:
    whole = with_head(backbone) if backbone.packaged else backbone
    before = embed_backbone(samples, without_delta(whole), run, label="before")
    after = embed_backbone(samples, whole, run, label="after")
    if len(before) < 2:
        first = "".join(f" ({failure.name}: {failure.reason})" for failure in before.failures[:1])
        raise DataError(
            f"features are compared on at least 2 images, and {len(before)} of {len(samples):,} could be read{first}: "
            "give more."
        )
    stages = tuple(_movement(tap.name, before, after) for tap in backbone.taps)
    head = _original_head([samples.items[row] for row in before.rows], before, after) if backbone.packaged else None
    return ForgettingReport(
        backbone=backbone.name,
        tensors=len(delta_tensors(backbone)),
        images=len(before),
        stages=stages,
        head=head,
        failures=before.failures,
        notes=(*_chance_notes(stages, len(before)), *_head_notes(backbone, head, len(before))),
    )


def _movement(stage: str, before: Embeddings, after: Embeddings) -> FeatureMovement:
    same = np.array_equal(before.taps[stage], after.taps[stage])
    similarity = linear_cka(before.taps[stage], after.taps[stage])
    return FeatureMovement(stage, same, 1.0 if same else similarity.cka, similarity.chance)


def _original_head(images: Sequence[ImageSource], before: Embeddings, after: Embeddings) -> OriginalHead:
    old, new = before.taps[LOGITS].argmax(axis=1), after.taps[LOGITS].argmax(axis=1)
    agreement = _proportion("agreement", int((old == new).sum()), len(old))
    labels = np.array([imagenet_class(image) for image in images])
    labelled = labels >= 0
    accuracy = (
        _accuracy(old[labelled] == labels[labelled], new[labelled] == labels[labelled]) if labelled.any() else None
    )
    return OriginalHead(agreement, accuracy)


def imagenet_class(image: ImageSource) -> int:
    """The number of an image's ImageNet class by the nearest folder that is named by its WordNet id; -1 without one.

    >>> imagenet_class(Path("val/n02085620-Chihuahua/1.jpg")), imagenet_class(Path("cats/1.jpg"))
    (151, -1)
    """
    if not isinstance(image, Path):
        return -1
    ids = [match[0] for folder in image.parents if (match := _WORDNET.match(folder.name))]
    return classes().index(ids[0]) if ids and ids[0] in classes() else -1


def _accuracy(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Accuracy:
    """before, after: (n,) whether the head names the right class."""
    n, wins, losses = len(before), int((after & ~before).sum()), int((before & ~after).sum())
    low, high = paired_difference(wins, losses, n)
    value = (wins - losses) / n
    gain = Estimate(value, min(low, value), max(high, value), "gain in accuracy", method="paired")
    return Accuracy(
        n, _proportion("accuracy", int(before.sum()), n), _proportion("accuracy", int(after.sum()), n), gain
    )


def _proportion(metric: str, hits: int, trials: int) -> Estimate:
    low, high = clopper_pearson(hits, trials)
    return Estimate(hits / trials, float(low), float(high), metric, method="Clopper–Pearson")


def _chance_notes(stages: Sequence[FeatureMovement], images: int) -> list[str]:
    highest = max((movement.chance for movement in stages if not movement.unchanged), default=0.0)
    if highest <= _HIGH_CHANCE:
        return []
    return [
        f"With {quantity(images, 'image')} even unrelated features reach a CKA of up to {highest:.2f}: "
        "take more images for a CKA that says more."
    ]


def _head_notes(backbone: Backbone, head: OriginalHead | None, images: int) -> list[str]:
    if head is None:
        return [f"The original head of {backbone.name} is not known (only packaged backbones' are)."]
    count = 0 if head.accuracy is None else head.accuracy.images
    if count == images:
        return []
    return [
        f"{count:,} of {quantity(images, 'image')} lie in a folder named by the WordNet id of an ImageNet class "
        f"(n02085620, say); the original head's accuracy is {'of these' if count else 'not known'}."
    ]

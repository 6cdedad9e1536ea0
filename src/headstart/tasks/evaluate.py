"""How a predictor does on labelled images it has not seen: matched by class name, never by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import listed
from headstart.data.duplicates import resolve
from headstart.data.loaded import split_of
from headstart.errors import DataError
from headstart.metrics.scorecard import Scorecard, scorecard
from headstart.records import UNLABELLED, Failure, Ints, Samples

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.runtime import Predictor


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores on labelled images that took no part in training.

    images: how many were scored. card: the scores. failures: images that could not be read. notes: for the user.
    """

    images: int
    card: Scorecard
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON-able values."""
        return {
            "images": self.images,
            **card_values(self.card),
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def card_values(card: Scorecard) -> dict[str, Any]:
    """A scorecard as JSON-able values."""
    return {**asdict(card), "confusion": card.confusion.round(2).tolist()}


def evaluate(
    predictor: Predictor, samples: Samples, *, split: str | None = None, device: Device | None = None
) -> Evaluation:
    """Predict labelled samples and score the answers.

    split: only these rows ('train', 'val' or 'test'). Raises `DataError` where the samples have a class that the
    predictor does not know, or no image can be read.
    """
    if split is not None:
        samples = _only(samples, split)
    labels = _as_known(predictor.classes, samples)
    found = predictor.predict(samples.images, names=samples.names, device=device)
    if not len(found):
        raise DataError(f"none of the {len(samples)} images could be read, so there is nothing to score.")
    failed = {failure.row for failure in found.failures}
    kept = np.array([row not in failed for row in range(len(samples))])
    groups = None if samples.groups is None else samples.groups[kept]
    lacking = sorted(set(predictor.classes) - set(samples.classes))
    notes = [f"The data have no image of {listed(lacking)}, so nothing is said about them."] if lacking else []
    notes += _seen(predictor, samples.take(kept), split)
    card = scorecard(labels[kept], found.probabilities, predictor.classes, groups=groups)
    return Evaluation(len(found), card, found.failures, tuple(notes))


def _seen(predictor: Predictor, samples: Samples, split: str | None) -> list[str]:
    """A warning where the scores are not of new images."""
    trained_on = predictor.manifest.get("data")
    if isinstance(trained_on, Mapping) and trained_on.get("fingerprint") == resolve(samples)[0].fingerprint():
        return [
            "The model was trained on these very images, so the scores say nothing of new ones "
            "(headstart info has the score to expect): evaluate on images that took no part."
        ]
    if split is None and samples.splits is not None and "train" in samples.splits:
        return ["The train split is scored as well: choose another with --split."]
    return []


def _only(samples: Samples, split: str) -> Samples:
    wanted = split_of(split) or split
    if samples.splits is None or wanted not in samples.splits:
        there = sorted(set(samples.splits.tolist())) if samples.splits is not None else []
        raise DataError(f"the split {split!r} was asked for, but the data have {listed(there) or 'no splits'}.")
    return samples.take(samples.splits == wanted)


def _as_known(classes: Sequence[str], samples: Samples) -> Ints:
    """The labels as numbers of the predictor's classes, by name."""
    unknown = sorted(set(samples.classes) - set(classes))
    if unknown:
        raise DataError(
            f"the data have the classes {listed(unknown)}, which the model does not know "
            f"(it knows {listed(list(classes))}): rename or remove them."
        )
    if (samples.labels == UNLABELLED).any():
        raise DataError("some images have no label, so the answers cannot be scored.")
    position = np.array([list(classes).index(name) for name in samples.classes], dtype=np.int64)
    return position[samples.labels]

"""The result of a drift test: the test, the model's predictions, and the images in order of how foreign they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import first_lines
from headstart.records.notebook import NotebookText
from headstart.verbs.drift.words import advice_sentences

if TYPE_CHECKING:
    from headstart.records.arrays import Floats
    from headstart.records.predictions import Predictions
    from headstart.records.samples import Failure, Samples
    from headstart.trust.shift.batch_test import BatchTest
    from headstart.verbs.drift.reference import Comparison


@dataclass(frozen=True)
class ClassShare:
    """A class's share of the predictions, 0 to 1: among the images compared with, and in the batch."""

    name: str
    reference: float
    batch: float


@dataclass(frozen=True, eq=False, repr=False)
class BatchDrift(NotebookText):
    """What a batch is, compared with what a model was trained on.

    test: its `batch_extremes` are rows of `batch`, its `reference_extremes` of `comparison.samples`. batch: the
    images that were read and compared. predictions: the model's, row for row. comparison: with what. failures: images
    that could not be read. images: how many new ones there were in all. model: where it lies. notes: for the user.
    """

    test: BatchTest
    batch: Samples
    predictions: Predictions
    comparison: Comparison
    failures: tuple[Failure, ...]
    images: int
    model: Path
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return first_lines("\n".join([f"Drift: {self.sentence()}", *self.advice(), *self.notes]))

    @property
    def drifted(self) -> bool:
        """Whether the batch comes from elsewhere, or holds the classes in other shares."""
        return self.test.drifted

    @property
    def scores(self) -> Floats:
        """How foreign each image of the batch is to a classifier that was not trained on it: (m,), higher = more."""
        return self.test.test.domain_scores[self.test.reference_size :]

    @property
    def reference_scores(self) -> Floats:
        """The same of the images compared with: (n,)."""
        return self.test.test.domain_scores[: self.test.reference_size]

    @property
    def most_foreign(self) -> tuple[int, ...]:
        """Rows of the batch that are least like the training images, the most foreign first."""
        return tuple(self.test.batch_extremes.tolist())

    @property
    def most_usual(self) -> tuple[int, ...]:
        """Rows of the batch that are most like the training images."""
        return tuple(np.argsort(self.scores, kind="stable")[: len(self.test.batch_extremes)].tolist())

    def beyond(self, row: int) -> float:
        """The share of the images compared with that are less foreign than this one of the batch."""
        return float((self.reference_scores < self.scores[row]).mean())

    @property
    def shares(self) -> tuple[ClassShare, ...]:
        """How often each class is predicted on either side; empty where the reference has no honest predictions."""
        if self.comparison.predicted is None:
            return ()
        classes = self.predictions.classes
        sides = (self.comparison.predicted, self.predictions.probabilities.argmax(axis=1))
        before, now = (np.bincount(labels, minlength=len(classes)) / len(labels) for labels in sides)
        return tuple(
            ClassShare(name, float(reference), float(batch))
            for name, reference, batch in zip(classes, before, now, strict=True)
        )

    def sentence(self) -> str:
        """What was found, for a user."""
        return self.test.sentence()

    def advice(self) -> tuple[str, ...]:
        """What to do, in sentences."""
        return advice_sentences(self.test, self.batch.names[self.most_foreign[0]])

    def to_dict(self) -> dict[str, Any]:
        """What was found, as JSON-able values."""
        mixture = None if self.test.p_within_classes is None else self.test.label_shift_only
        test = {key: value for key, value in self.test.to_dict().items() if not key.endswith("_extremes")}
        return {
            **test,
            "only_the_shares_of_the_classes_differ": mixture,
            "auroc": self.test.test.auroc,
            "level": self.test.level,
            "compared_with": self.comparison.words,
            "images": self.images,
            "most_foreign": [self._describe(row) for row in self.most_foreign],
            "most_like_training": [self._describe(row) for row in self.most_usual],
            "shares_of_answers": {
                share.name: {"reference": share.reference, "batch": share.batch} for share in self.shares
            },
            "void": ["max-error"] if self.drifted else [],
            "advice": list(self.advice()),
            "unreadable": [{"image": failure.name, "reason": failure.reason} for failure in self.failures],
            "notes": list(self.notes),
        }

    def _describe(self, row: int) -> dict[str, Any]:
        return {
            "image": self.batch.names[row],
            "class": self.predictions.labels[row],
            "confidence": round(float(self.predictions.confidences[row]), 6),
            "more_foreign_than": round(self.beyond(row), 6),
        }

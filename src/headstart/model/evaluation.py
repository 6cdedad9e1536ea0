"""Scores of a saved model on labelled images, and how they are written down."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from headstart.checks import first_lines, printable, quantity
from headstart.metrics.class_report import Scorecard
from headstart.records.arrays import Ints
from headstart.records.notebook import NotebookText
from headstart.records.predictions import Decisions, Predictions
from headstart.records.samples import Failure, ImageSource


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """What was predicted of labelled images: a row for each that was given, one that could not be read among them.

    images: where each is. labels: (n,) the true classes' numbers among `predictions.classes`. decisions: where the
    model was trained with a guarantee.
    """

    images: tuple[ImageSource, ...]
    labels: Ints
    predictions: Predictions
    decisions: Decisions | None = None

    @property
    def truth(self) -> tuple[str, ...]:
        """The name of each image's true class."""
        return tuple(self.predictions.classes[label] for label in self.labels.tolist())

    def worst(self) -> list[int]:
        """The rows that were predicted wrongly, those of which the model was surest first."""
        differs = self.predictions.probabilities.argmax(axis=1) != self.labels
        wrong = np.flatnonzero(differs & self.predictions.readable)
        surest = np.argsort(-self.predictions.confidences[wrong], kind="stable")
        return [int(row) for row in wrong[surest]]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(NotebookText):
    """Scores on labelled images that took no part in training.

    images: how many were scored. card: the scores. failures: images that could not be read. notes: for the user.
    scored: image by image; None where that was not asked for.
    """

    images: int
    card: Scorecard
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    scored: ScoredImages | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        card = self.card
        lines = [
            f"Evaluation on {quantity(self.images, 'image')}, {len(self.failures):,} unreadable",
            *(f"note: {note}" for note in self.notes[:4]),  # that the scores are too good, say
            f"accuracy {card.accuracy}, balanced {card.balanced_accuracy}, macro-F1 {card.macro_f1}",
            *(f"{row.name}: {row.count:,} images, recall {100 * row.recall:.1f} %" for row in card.per_class),
        ]
        return first_lines("\n".join(map(printable, lines)))

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

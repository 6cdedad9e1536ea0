"""Scores of a saved model on labelled images, and how they are written down."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from headstart.checks import first_lines, printable, quantity
from headstart.metrics.class_report import Scorecard
from headstart.records.samples import Failure


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Scores on labelled images that took no part in training.

    images: how many were scored. card: the scores. failures: images that could not be read. notes: for the user.
    """

    images: int
    card: Scorecard
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        card = self.card
        lines = [
            f"Evaluation on {quantity(self.images, 'image')}, {len(self.failures):,} unreadable",
            f"accuracy {card.accuracy}, balanced {card.balanced_accuracy}, macro-F1 {card.macro_f1}",
            *(f"{row.name}: {row.count:,} images, recall {row.recall:.1%}" for row in card.per_class),
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

"""Predictions, and the decisions made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from headstart.checks import printable, quantity
from headstart.records.arrays import Floats, Ints, require
from headstart.records.notebook import NotebookText
from headstart.records.samples import Failure

ACCEPT, REVIEW = "accept", "review"
_SHOWN = 18


def _listed(head: str, lines: Sequence[str], total: int) -> str:
    """A headline, the first lines and how many there are besides: 20 lines at most."""
    more = [f"… and {total - len(lines):,} more"] if total > len(lines) else []
    return "\n".join([head, *map(printable, lines), *more])


@dataclass(frozen=True, eq=False)
class Subsample:
    """Images drawn from a batch. rows: (m,) their positions in it. X: (m, d) what the head looks at."""

    rows: Ints
    X: Floats


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    name: of the image. label: its most probable class; None where the image could not be read. confidence: that class's
    probability. novelty: how unlike the training images it is; above 1 is novel. None where the model does not watch
    that. reason: why the image could not be read; empty where it could.
    """

    name: str
    label: str | None
    confidence: float | None
    novelty: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(NotebookText):
    """Class probabilities for named images: a row for every image that was given, in the order given.

    An image that could not be read keeps its row: `labels` has None there, `confidences`, `probabilities` and `novelty`
    have NaN, and `failures` has the reason. Iterating gives a `Prediction` an image.

    names: of all images. probabilities: (n, classes), rows sum to one.
    failures: images that could not be read, each with its row.
    novelty: (n,) how unlike the training images each is; above 1 is novel. None where the model does not watch that.
    subsample: some of the images that could be read, which say whether they come from elsewhere as a whole; None where
    the model does not watch that.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: Floats
    failures: tuple[Failure, ...] = field(default=())
    novelty: NDArray[np.float64] | None = None
    subsample: Subsample | None = field(repr=False, default=None)

    def __post_init__(self) -> None:
        shape = (len(self.names), len(self.classes))
        require(self.probabilities.shape == shape, f"probabilities have the shape {shape}")
        require(self.novelty is None or len(self.novelty) == len(self.names), "one novelty an image")
        require(all(0 <= failure.row < len(self.names) for failure in self.failures), "failures are rows")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.rows)

    def __repr__(self) -> str:
        # No more rows are looked at than are shown.
        rows = zip(self.names[:_SHOWN], self.labels[:_SHOWN], self.confidences[:_SHOWN].tolist(), strict=True)
        head = f"{quantity(len(self), 'prediction')}, {len(self.failures):,} unreadable"
        lines = [
            f"{name}: unreadable" if label is None else f"{name}: {label} ({100 * sure:.1f} %)"
            for name, label, sure in rows
        ]
        return _listed(head, lines, len(self))

    @property
    def rows(self) -> tuple[Prediction, ...]:
        """What is said of each image, one that could not be read among them."""
        reasons = {failure.row: failure.reason for failure in self.failures}
        novelties = [None] * len(self) if self.novelty is None else self.novelty.tolist()
        columns = zip(self.names, self.labels, self.confidences.tolist(), novelties, strict=True)
        return tuple(
            Prediction(name, None, None, None, reasons[row]) if row in reasons else Prediction(name, *values)
            for row, (name, *values) in enumerate(columns)
        )

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(n,) which images could be read."""
        mask = np.ones(len(self), bool)
        mask[[failure.row for failure in self.failures]] = False
        return mask

    def only_readable(self) -> Predictions:
        """The predictions without the images that could not be read."""
        if not self.failures:
            return self
        mask = self.readable
        names = tuple(name for name, read in zip(self.names, mask.tolist(), strict=True) if read)
        novelty = None if self.novelty is None else self.novelty[mask]
        return replace(self, names=names, probabilities=self.probabilities[mask], failures=(), novelty=novelty)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The most probable class of each image; None for one that could not be read."""
        best = zip(self.probabilities.argmax(axis=1).tolist(), self.readable.tolist(), strict=True)
        return tuple(self.classes[i] if read else None for i, read in best)

    @property
    def confidences(self) -> Floats:
        """The probability of the most probable class of each image; NaN for one that could not be read."""
        return self.probabilities.max(axis=1)  # type: ignore[no-any-return]

    @property
    def novel(self) -> NDArray[np.bool_]:
        """Which images are unlike those that the model was trained on; none where it does not watch that."""
        return np.zeros(len(self), bool) if self.novelty is None else ~(self.novelty <= 1) & self.readable


@dataclass(frozen=True, eq=False, repr=False)
class Decisions(NotebookText):
    """Which predictions are accepted automatically, and why the others go to a person.

    accepted: (n,). reasons: for each image why it goes to review ('unreadable' among them); empty where it is accepted.
    guarantee: what is guaranteed of the accepted ones, or why nothing is, then what limits it. feasible: whether a
    guarantee is. notes: what voids the guarantee for these images, and what else to know of them together.
    """

    predictions: Predictions
    accepted: NDArray[np.bool_]
    reasons: tuple[str, ...]
    guarantee: tuple[str, ...]
    feasible: bool
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(len(self.accepted) == len(self.reasons) == len(self.predictions), "one decision an image")

    def __repr__(self) -> str:
        names, words = self.predictions.names[:_SHOWN], self.words[:_SHOWN]
        rows = zip(names, self.predictions.labels[:_SHOWN], words, self.reasons[:_SHOWN], strict=True)
        lines = [f"{name}: {label}, {word}{f' ({reason})' if reason else ''}" for name, label, word, reason in rows]
        return _listed(f"{int(self.accepted.sum()):,} of {len(self):,} accepted", lines, len(self))

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def words(self) -> tuple[str, ...]:
        """'accept' or 'review' for each image."""
        return tuple(ACCEPT if accepted else REVIEW for accepted in self.accepted.tolist())

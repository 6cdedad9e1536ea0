"""Predictions, and the decisions made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from headstart.checks import printable, quantity
from headstart.records.arrays import Floats, Ints, require
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


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """Class probabilities for named images.

    probabilities: (n, classes), rows sum to one.
    failures: images that could not be read; their names are not among `names`.
    novelty: (n,) how unlike the training images each is; above 1 is novel. None where the model does not watch that.
    subsample: some of them, which say whether they come from elsewhere as a whole; None where the model does not watch
    that.
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

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        # No more rows are looked at than are shown.
        rows = zip(self.names[:_SHOWN], self.labels[:_SHOWN], self.confidences[:_SHOWN].tolist(), strict=True)
        head = f"{quantity(len(self), 'prediction')}, {len(self.failures):,} unreadable"
        return _listed(head, [f"{name}: {label} ({sure:.1%})" for name, label, sure in rows], len(self))

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each image."""
        return tuple(self.classes[i] for i in self.probabilities.argmax(axis=1))

    @property
    def confidences(self) -> Floats:
        """The probability of the most probable class of each image."""
        return self.probabilities.max(axis=1)  # type: ignore[no-any-return]

    @property
    def novel(self) -> NDArray[np.bool_]:
        """Which images are unlike those that the model was trained on; none where it does not watch that."""
        return np.zeros(len(self), bool) if self.novelty is None else ~(self.novelty <= 1)


@dataclass(frozen=True, eq=False, repr=False)
class Decisions:
    """Which predictions are accepted automatically, and why the others go to a person.

    accepted: (n,). reasons: for each image why it goes to review; empty where it is accepted.
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

"""What adding images did to the classes that a model knew: accuracy before and after on the same images, in pairs.

Takes out-of-fold predictions of the old classes' head and of the extended one; returns `BeforeAfter`. It fits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.class_report import per_class
from headstart.metrics.classes import estimate_score
from headstart.metrics.intervals import Estimate, effective_size, paired_difference
from headstart.records.arrays import Ints

_MOST_TAKEOVERS = 3


@dataclass(frozen=True)
class ClassChange:
    """A class's share of rightly predicted images. new: the model did not know it; then `before` is None.

    images: of an old class those that the model was trained on already, of a new class all. low, high: of `after`.
    """

    name: str
    new: bool
    images: int
    before: float | None
    after: float
    low: float
    high: float


@dataclass(frozen=True)
class Takeover:
    """Images of an old class that are now predicted as a new one: their share of the old class."""

    old: str
    new: str
    share: float


@dataclass(frozen=True)
class BeforeAfter:
    """The old images, before and after; and the new classes.

    images: old images compared. before, after: their accuracy out of fold. gain: after minus before on the same images
    and folds. into_new: share of old images that are now predicted as a new class. new: share of the new classes'
    images that are predicted rightly, out of fold; None where there is no new class. classes: one line each.
    takeovers: the pairs with the largest shares.
    """

    images: int
    before: Estimate
    after: Estimate
    gain: Estimate
    into_new: float
    new: Estimate | None
    classes: tuple[ClassChange, ...]
    takeovers: tuple[Takeover, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able values."""
        return asdict(self)


def before_after(
    y: Ints,
    before: Ints,
    after: Ints,
    classes: Sequence[str],
    new: Sequence[str],
    *,
    groups: Ints | None = None,
) -> BeforeAfter:
    """Compare predictions.

    y: (n,) of all images, those that the model was trained on first. before: (repeats, n_old) the old head's
    out-of-fold predictions, after: (repeats, n) the extended head's; all as numbers of `classes`.
    """
    old = before.shape[1]
    is_new = np.array([name in new for name in classes])
    truth, later = y[:old], after[:, :old]
    groups_of_old = None if groups is None else groups[:old]
    first, second = (
        estimate_score("accuracy", truth, predictions, len(classes), groups=groups_of_old)
        for predictions in (before, later)
    )
    return BeforeAfter(
        old,
        first,
        second,
        _gain(truth, before, later, groups_of_old),
        float(is_new[later].mean()),
        _on_new(y, after, is_new, groups),
        _lines(y, before, after, classes, is_new, groups),
        _takeovers(truth, later, classes, is_new),
    )


def _gain(y: Ints, before: Ints, after: Ints, groups: Ints | None) -> Estimate:
    """Repeats are averaged and add no certainty; an image of a group counts for less than one."""
    difference = (after == y).mean(axis=0) - (before == y).mean(axis=0)
    size = effective_size(difference, groups)
    win, loss = (float(np.maximum(side, 0).mean()) * size for side in (difference, -difference))
    low, high = paired_difference(win, loss, size)
    value = float(difference.mean())
    return Estimate(value, min(low, value), max(high, value), "gain in accuracy", method="paired, out of fold")


def _on_new(y: Ints, after: Ints, is_new: NDArray[np.bool_], groups: Ints | None) -> Estimate | None:
    rows = is_new[y]
    if not rows.any():
        return None
    return estimate_score(
        "accuracy", y[rows], after[:, rows], len(is_new), groups=None if groups is None else groups[rows]
    )


def _lines(
    y: Ints, before: Ints, after: Ints, classes: Sequence[str], is_new: NDArray[np.bool_], groups: Ints | None
) -> tuple[ClassChange, ...]:
    old = before.shape[1]
    rows = (np.arange(len(y)) < old) | is_new[y]
    groups_of_rows = None if groups is None else groups[rows]
    later = per_class(y[rows], after[:, rows], classes, groups=groups_of_rows)
    former = per_class(y[:old], before, classes)
    return tuple(
        ClassChange(
            one.name, bool(new), one.count, None if new else was.recall, one.recall, one.recall_low, one.recall_high
        )
        for one, was, new in zip(later, former, is_new, strict=True)
    )


def _takeovers(y: Ints, after: Ints, classes: Sequence[str], is_new: NDArray[np.bool_]) -> tuple[Takeover, ...]:
    pairs = []
    for k in np.flatnonzero(~is_new).tolist():
        predictions = after[:, y == k]
        pairs += [
            Takeover(classes[k], classes[j], float((predictions == j).mean())) for j in np.flatnonzero(is_new).tolist()
        ]
    return tuple(sorted((pair for pair in pairs if pair.share > 0), key=lambda pair: -pair.share)[:_MOST_TAKEOVERS])

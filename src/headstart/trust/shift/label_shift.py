"""Whether a batch holds the classes in other shares than the labelled images did, and in which.

Takes class probabilities of a batch without labels, and what the labelled images showed; gives the batch's estimated
shares and a test. Triage promises something of images that come in the labelled images' shares, so a shift voids it.
It sees the shares of classes alone: other pictures of the same classes, and unknown classes, are others' to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import at_least, between, quantity
from headstart.errors import DataError, InternalError
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Ints

_ROUNDS = 2000
_STILL = 1e-7


@dataclass(frozen=True)
class ReferenceCounts:
    """What the labelled images showed, kept with a model: for each class how many images of it there were (`actual`)
    and how many out-of-fold answers named it (`predicted`), each (K,)."""

    actual: tuple[int, ...]
    predicted: tuple[int, ...]

    @classmethod
    def of(cls, y: Ints, predicted: Ints, classes: int) -> ReferenceCounts:
        """Count. y: (n,) true classes. predicted: (n,) answers out of fold."""
        counts = (np.bincount(each, minlength=classes).tolist() for each in (y, predicted))
        return cls(*(tuple(each) for each in counts))


@dataclass(frozen=True)
class LabelShift:
    """What was found of a batch.

    shares: (K,) estimated shares of the classes in it. reference: (K,) those of the labelled images. distance: half the
    sum of their differences, 0 to 1: the share of images that would have to change class. p_value: how often answers
    as unlike the reference's would come about without a shift. shifted: p_value below `level` and distance at least
    `least`: triage's promise is void. rows: images in the batch.
    """

    shares: tuple[float, ...]
    reference: tuple[float, ...]
    distance: float
    p_value: float
    shifted: bool
    rows: int

    def sentence(self, classes: Sequence[str]) -> str:
        """What it means, for a person."""
        if not self.shifted:
            images = quantity(self.rows, "image")
            return f"The classes' shares in these {images} show no shift that would void the promise."
        moved = np.abs(np.subtract(self.shares, self.reference))
        most = sorted(range(len(classes)), key=lambda k: -moved[k])[:3]
        told = ", ".join(f"{classes[k]!r} {100 * self.reference[k]:.0f} % → {100 * self.shares[k]:.0f} %" for k in most)
        return f"The classes come in other shares than in training ({told}): the promise of triage is void here."

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def label_shift(
    probabilities: NDArray[Any], reference: ReferenceCounts, *, level: float = 0.01, least: float = 0.05, seed: int = 0
) -> LabelShift:
    """Estimate a batch's class shares and test whether they are the labelled images'.

    probabilities: (m, K), calibrated. level: false alarms accepted, over batches without a shift. least: a distance
    below this is let pass however sure it is, since large batches make any trifle sure (a choice, not a law). The test
    compares how often each class was answered, by chi-squared over shuffled answers (Lipton, Wang, Smola 2018, section
    4; Rabanser, Günnemann, Lipton 2019): it needs no calibration. Raises `DataError` for an empty batch.

    >>> reference = ReferenceCounts((50, 50), (50, 50))
    >>> found = label_shift(np.tile([0.99, 0.01], (40, 1)), reference)
    >>> found.shifted, round(found.shares[0], 2)
    (True, 1.0)
    """
    between("level", level, 1e-4, 0.5)
    at_least("least", least, 0.0)
    batch = np.asarray(probabilities, np.float64)
    if batch.ndim != 2 or batch.shape[1] != len(reference.actual):
        raise InternalError(f"label shift: probabilities of {batch.shape} for {len(reference.actual)} classes.")
    if not len(batch):
        raise DataError("a batch without images shows no shift: give at least one image.")
    usual = np.asarray(reference.actual, np.float64) / sum(reference.actual)
    shares = class_shares(batch, usual)
    answered = np.bincount(batch.argmax(axis=1), minlength=len(usual))
    p_value = homogeneity(answered, np.asarray(reference.predicted), seed=seed)
    distance = float(np.abs(shares - usual).sum() / 2)
    shifted = p_value < level and distance >= least
    return LabelShift(tuple(shares.tolist()), tuple(usual.tolist()), distance, p_value, shifted, len(batch))


def class_shares(probabilities: Reals, usual: Reals) -> Reals:
    """The batch's class shares of greatest likelihood: Saerens, Latinne, Decaestecker 2002, equations 2.8 and 2.9.

    probabilities: (m, K), calibrated where the classes come in the shares `usual` (K,). As good as the calibration
    (Alexandari, Kundaje, Shrikumar 2020). Classes never seen in training stay at 0.

    >>> class_shares(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0.5, 0.5])).round(3).tolist()
    [1.0, 0.0]
    """
    known = usual > 0
    likely = np.where(known, probabilities / np.where(known, usual, 1.0), 0.0)
    likely = np.maximum(likely, 1e-12 * known)
    shares = usual.copy()
    for _ in range(_ROUNDS):
        joint = likely * shares
        found = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(found - shares).sum() < _STILL:
            break
        shares = found
    return np.asarray(found, np.float64)


def homogeneity(one: Ints, other: Ints, *, seed: int = 0, draws: int = 9999) -> float:
    """The p-value that two tables of counts (K,) come from the same shares: chi-squared, exact but for its draws.

    Rows are shuffled between the two `draws` times with all margins kept, so small counts do no harm.

    >>> homogeneity(np.array([30, 30]), np.array([29, 31])) > 0.5, homogeneity(np.array([30, 0]), np.array([30, 30]))
    (True, 0.0001)
    """
    total = (one + other).astype(np.int64)
    used = total > 0
    expected = total[used] * (one.sum() / max(total.sum(), 1))
    if not expected.all() or one.sum() == total.sum():
        return 1.0
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(total[used], int(one.sum()), size=draws)
    seen = float(((one[used] - expected) ** 2 / expected).sum())
    chance = ((drawn - expected) ** 2 / expected).sum(axis=1)
    return float((1 + (chance >= seen - 1e-9).sum()) / (draws + 1))

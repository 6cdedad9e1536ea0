"""Label shift: whether the class prior of a batch differs from that of the labelled images, and what it is.

Takes class probabilities of a batch without labels, and class counts of the labelled images; gives the batch's
estimated class prior and a test. The guarantee of triage is about images with the labelled images' class prior, so
label shift voids it. Covariate shift and novel classes are tested elsewhere (`trust.shift.monitor`, `trust.novelty`).
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
    """Class counts of the labelled images: for each class how many images of it there were (`actual`) and how many
    out-of-fold predictions of it (`predicted`), each (K,)."""

    actual: tuple[int, ...]
    predicted: tuple[int, ...]

    @classmethod
    def of(cls, labels: Ints, predicted: Ints, classes: int) -> ReferenceCounts:
        """Count. labels: (n,) true classes. predicted: (n,) predicted classes, out of fold."""
        return cls(*(tuple(np.bincount(column, minlength=classes).tolist()) for column in (labels, predicted)))


@dataclass(frozen=True)
class LabelShift:
    """The class prior of a batch and the test against that of the labelled images.

    prior: (K,) the estimated class prior of the batch. reference_prior: (K,) that of the labelled images. distance: the
    total variation between them, half the sum of their differences, 0 to 1: the share of images that would have to
    change class. p_value: how often predictions as unlike the reference's would come about without label shift.
    shifted: p_value below `level` and distance at least `least`: the guarantee is void. rows: images in the batch.
    """

    prior: tuple[float, ...]
    reference_prior: tuple[float, ...]
    distance: float
    p_value: float
    shifted: bool
    rows: int

    def sentence(self, classes: Sequence[str]) -> str:
        """What it means, for a person."""
        if not self.shifted:
            images = quantity(self.rows, "image")
            return f"No label shift that would void the guarantee was found in these {images}."
        changes = np.abs(np.subtract(self.prior, self.reference_prior))
        largest = sorted(range(len(classes)), key=lambda k: -changes[k])[:3]
        pairs = ((classes[k], 100 * self.reference_prior[k], 100 * self.prior[k]) for k in largest)
        examples = ", ".join(f"{name!r} {before:.0f} % → {now:.0f} %" for name, before, now in pairs)
        return f"Label shift: the class prior differs from training ({examples}): the guarantee is void here."

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def label_shift(
    probabilities: NDArray[Any], reference: ReferenceCounts, *, level: float = 0.01, least: float = 0.05, seed: int = 0
) -> LabelShift:
    """Estimate a batch's class prior and test whether it is that of the labelled images.

    probabilities: (m, K), calibrated. level: the false-positive rate, over batches without a shift. least: a distance
    below this is let pass however sure it is, since large batches make any trifle sure (a choice, not a law). The test
    compares how often each class is predicted, by chi-squared over shuffled predictions (Lipton, Wang, Smola 2018,
    section 4; Rabanser, Günnemann, Lipton 2019): it needs no calibration. Raises `DataError` for an empty batch.

    >>> reference = ReferenceCounts((50, 50), (50, 50))
    >>> result = label_shift(np.tile([0.99, 0.01], (40, 1)), reference)
    >>> result.shifted, round(result.prior[0], 2)
    (True, 1.0)
    """
    between("level", level, 1e-4, 0.5)
    at_least("least", least, 0.0)
    batch = np.asarray(probabilities, np.float64)
    if batch.ndim != 2 or batch.shape[1] != len(reference.actual):
        raise InternalError(f"label shift: probabilities of {batch.shape} for {len(reference.actual)} classes.")
    if not len(batch):
        raise DataError("a batch without images shows no shift: give at least one image.")
    reference_prior = np.asarray(reference.actual, np.float64) / sum(reference.actual)
    prior = estimate_class_prior(batch, reference_prior)
    predicted = np.bincount(batch.argmax(axis=1), minlength=len(prior))
    p_value = homogeneity(predicted, np.asarray(reference.predicted), seed=seed)
    distance = float(np.abs(prior - reference_prior).sum() / 2)
    shifted = p_value < level and distance >= least
    return LabelShift(tuple(prior.tolist()), tuple(reference_prior.tolist()), distance, p_value, shifted, len(batch))


def estimate_class_prior(probabilities: Reals, reference_prior: Reals) -> Reals:
    """The batch's class prior of greatest likelihood: Saerens, Latinne, Decaestecker 2002, equations 2.8 and 2.9.

    probabilities: (m, K), calibrated under the class prior `reference_prior` (K,). As good as the calibration
    (Alexandari, Kundaje, Shrikumar 2020). Classes without training images stay at 0.

    >>> estimate_class_prior(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0.5, 0.5])).round(3).tolist()
    [1.0, 0.0]
    """
    present = reference_prior > 0
    # Bayes: p(x | class) is proportional to p(class | x) / p(class).
    likelihood = np.where(present, probabilities / np.where(present, reference_prior, 1.0), 0.0)
    likelihood = np.maximum(likelihood, 1e-12 * present)
    prior = reference_prior.copy()
    for _ in range(_ROUNDS):
        joint = likelihood * prior  # E step: posteriors under the present prior
        updated = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)  # M step: their mean is the new prior
        if np.abs(updated - prior).sum() < _STILL:
            break
        prior = updated
    return np.asarray(updated, np.float64)


def homogeneity(one: Ints, other: Ints, *, seed: int = 0, draws: int = 9999) -> float:
    """The p-value that two tables of counts (K,) come from one distribution: chi-squared, exact but for its draws.

    Rows are shuffled between the two `draws` times with all margins fixed, so small counts do no harm.

    >>> homogeneity(np.array([30, 30]), np.array([29, 31])) > 0.5, homogeneity(np.array([30, 0]), np.array([30, 30]))
    (True, 0.0001)
    """
    total = (one + other).astype(np.int64)
    present = total > 0
    expected = total[present] * (one.sum() / max(total.sum(), 1))
    if not expected.all() or one.sum() == total.sum():
        return 1.0
    shuffled = np.random.default_rng(seed).multivariate_hypergeometric(total[present], int(one.sum()), size=draws)
    observed = float(((one[present] - expected) ** 2 / expected).sum())
    chance = ((shuffled - expected) ** 2 / expected).sum(axis=1)
    return float((1 + (chance >= observed - 1e-9).sum()) / (draws + 1))

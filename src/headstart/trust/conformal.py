"""Conformal prediction sets: the classes an image may be, the true one among them at a stated rate.

Takes class probabilities of labelled images by a model that was not trained on them; returns a `ConformalSets`, which
turns probabilities of new images into sets. With images like the labelled ones, and in the mean over draws of both, the
set holds the true class at least as often as `level` says; nothing is assumed of the probabilities, which decide only
how small the sets are.

That is proved for probabilities of *one* model on held-out images. With out-of-fold probabilities the model that
predicts is not one of those that were scored. What is proved then, for the related method that keeps every fold's model
(CV+), is about 1 - 2 (1 - level), while about `level` is what is usually seen (Barber, Candès, Ramdas, Tibshirani
2021): a held-out set is the way to be sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import between, one_of, quantity
from headstart.errors import DataError
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Ints
from headstart.trust.triage.fixed_sequence import Flags

METHODS = ("lac", "aps")

_ROUNDING = 1e-6
"""Sums of float32 probabilities differ in the seventh digit; being this lenient only adds to the sets."""


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets at a stated level.

    level: how often the true class is to be in the set, 0 to 1. method: 'lac' (smallest sets on average) or 'aps'
    (grown from the most probable class down, so never empty). by_class: whether the level holds for the
    images of each true class, not only over all. limits: (K,) a class is in the set where its nonconformity is at most
    this. rows: labelled images that the limits come from.
    """

    level: float
    method: str
    by_class: bool
    limits: tuple[float, ...]
    rows: int

    def sets(self, probabilities: NDArray[Any], *, never_empty: bool = True) -> Flags:
        """The classes in each image's set: (n, K) from probabilities (n, K).

        never_empty: the most probable class is in the set even where its own nonconformity is above the limit, which
        only adds to the level. An empty set otherwise says that the image is unlike those of every class.
        """
        members = nonconformity(probabilities, self.method) <= np.asarray(self.limits) + _ROUNDING
        if never_empty and len(members):
            members[np.arange(len(members)), np.asarray(probabilities).argmax(axis=1)] = True
        members[np.isnan(probabilities).any(axis=1)] = False  # images that could not be read
        return members

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def conformal_sets(
    probabilities: NDArray[Any],
    labels: Ints,
    *,
    classes: Sequence[str],
    level: float = 0.95,
    method: str = "lac",
    by_class: bool = False,
) -> ConformalSets:
    """Find the limits: split conformal prediction (Vovk; Lei et al. 2018; Angelopoulos and Bates 2023, section 1).

    probabilities: (n, K) or (repeats, n, K), averaged over repeats. labels: (n,). method: 'lac' (Sadinle, Lei,
    Wasserman 2019) or 'aps' (Romano, Sesia, Candès 2020, with its random number u at 0: random sets are not wanted, and
    with u at 1 the sets were several times as large on real data; any score keeps the level, see `nonconformity`).
    by_class: a limit for each true class from its own images (Vovk 2012). One image of each duplicate group must be
    taken beforehand (`data.sampling.one_per_group`). Raises `DataError` where there are too few images for the level:
    it takes at least level / (1 - level) of them, of every class where `by_class`.

    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> half = conformal_sets(probabilities, np.array([0, 1, 1]), classes=("cat", "dog"), level=0.5)
    >>> half.sets(np.array([[0.85, 0.15], [0.5, 0.5]])).tolist()
    [[True, False], [True, False]]
    """
    between("level", level, 0.5, 0.9999)
    one_of("method", method, METHODS)
    mean = np.asarray(probabilities, np.float64)
    mean = mean.mean(axis=0) if mean.ndim == 3 else mean
    scores = nonconformity(mean, method)[np.arange(len(labels)), labels]
    if by_class:
        _check_classes(np.bincount(labels, minlength=len(classes)), classes, level)
        limits = [_limit(scores[labels == k], level) for k in range(len(classes))]
    else:
        _check(len(labels), level)
        limits = [_limit(scores, level)] * len(classes)
    return ConformalSets(level, method, by_class, tuple(limits), len(labels))


def samples_needed(level: float) -> int:
    """The fewest labelled images (of a class, where the level is to hold for each) from which limits can be read.

    >>> samples_needed(0.9), samples_needed(0.95), samples_needed(0.99)
    (9, 19, 99)
    """
    return int(np.ceil(level / (1 - level) - 1e-9))


def nonconformity(probabilities: NDArray[Any], method: str) -> Reals:
    """How ill each class fits each image, (n, K) in 0..1. 'lac': 1 - p. 'aps': p of all more probable classes."""
    exact = np.asarray(probabilities, np.float64)
    if method == "lac":
        return 1.0 - exact
    order = np.argsort(-exact, axis=1, kind="stable")
    ranked = np.take_along_axis(exact, order, axis=1)
    above = np.empty_like(exact)
    np.put_along_axis(above, order, np.cumsum(ranked, axis=1) - ranked, axis=1)  # the sum before the class itself
    return above


def _limit(scores: Reals, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of n nonconformity scores.

    A new score is equally likely to take each of the n + 1 ranks among them all, so it is no larger with probability at
    least rank / (n + 1) >= level.
    """
    rank = int(np.ceil((len(scores) + 1) * level - 1e-9))
    return float(np.partition(scores, rank - 1)[rank - 1])


def _check(rows: int, level: float) -> None:
    if rows < samples_needed(level):
        raise DataError(
            f"prediction sets that hold the true class in {100 * level:g} % of cases need at least "
            f"{quantity(samples_needed(level), 'labelled image')}; found {rows:,}: label more, or ask for less."
        )


def _check_classes(sizes: Ints, classes: Sequence[str], level: float) -> None:
    needed = samples_needed(level)
    few = [f"{name} ({size})" for name, size in zip(classes, sizes.tolist(), strict=True) if size < needed]
    if few:
        raise DataError(
            f"prediction sets that hold the true class in {100 * level:g} % of each class's images need at least "
            f"{quantity(needed, 'labelled image')} of every class; found {', '.join(few[:12])}: label more, ask for "
            "less, or let the level hold over all images only."
        )

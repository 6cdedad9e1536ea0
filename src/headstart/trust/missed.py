"""At most so many of the objects are missed: conformal risk control over the score threshold.

Angelopoulos, Bates, Fisch, Lei, Schuster 2024 (Conformal Risk Control), theorem 1: with a loss an image that only falls
as the threshold falls and is at most 1, the largest threshold at which (n R + 1) / (n + 1) <= alpha keeps the expected
loss of a new image at alpha or below. R is the mean loss of n labelled images. The images must be like the labelled
ones; an image is what is exchangeable, not an object. The loss of an image is the share of its objects (or pixels) that
are missed, 0 where it has none; so the promise is of that share's mean over images. It takes 1 / alpha - 1 images.

Out-of-fold answers come from heads trained on fewer images than the one that predicts; a split kept apart is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.storage.arrays import Arrays, check_arrays

LEVELS = np.linspace(0, 1, 201)
"""Thresholds that are looked at."""


@dataclass(frozen=True, eq=False)
class MissedEvidence:
    """losses: (n, 201) the share of each image's objects (pixels) missed at each threshold of `LEVELS`. unit: what is
    missed, in words. apart: whether the images were kept apart, rather than answered out of fold."""

    losses: NDArray[np.float32]
    unit: str = "objects"
    apart: bool = False

    def threshold(self, limit: float) -> float | None:
        """The largest threshold that keeps the promise; None where none does."""
        n = len(self.losses)
        risk = (self.losses.astype(np.float64).sum(axis=0) + 1) / (n + 1)
        # Losses only rise with the threshold; a rounding must not make a gap.
        kept = np.flatnonzero(np.maximum.accumulate(risk) <= limit + 1e-12)
        return float(LEVELS[kept[-1]]) if len(kept) else None

    def missed(self, threshold: float) -> float:
        """The mean share missed at a threshold, measured."""
        return float(self.losses[:, round(threshold * (len(LEVELS) - 1))].mean()) if len(self.losses) else 1.0

    def smallest(self) -> float:
        """The smallest share that can be promised."""
        return float((self.losses[:, 0].astype(np.float64).sum() + 1) / (len(self.losses) + 1))

    def refusal(self, limit: float) -> str:
        """Why a promise cannot be made, and what to do."""
        needed = int(np.ceil(1 / limit - 1 - 1e-9))
        if len(self.losses) < needed:
            return (
                f"that at most {100 * limit:g} % of the {self.unit} are missed takes "
                f"{quantity(needed, 'labelled image')}; there are {len(self.losses):,}: label more, or allow more."
            )
        return (
            f"that at most {100 * limit:g} % of the {self.unit} are missed cannot be promised: this model does not see "
            f"{100 * self.missed(0):.1f} % of them at any score; "
            f"{np.ceil(1000 * self.smallest() - 1e-9) / 10:.1f} % can be."
        )

    def to_arrays(self) -> Arrays:
        """The evidence by name."""
        return {"losses": self.losses, "apart": np.array(self.apart, np.uint8)}


def evidence_from_arrays(arrays: Mapping[str, Any], unit: str) -> MissedEvidence:
    """Saved evidence; raises `BundleError` where the arrays are not such."""
    checked = check_arrays("evidence of what is missed", arrays, {"losses": ("f4", "nt"), "apart": ("u1", "")})
    return MissedEvidence(checked["losses"], unit, bool(checked["apart"]))


def losses_of_scores(image: NDArray[np.int64], scores: NDArray[np.float64], images: int) -> NDArray[np.float32]:
    """(n, 201) the share of each image's objects missed. image, scores: (m,) of every labelled object the image and
    the score of the detection that hits it, -1 where none does."""
    missed = (scores[:, None] < LEVELS[None]).astype(np.float64)
    sums = np.zeros((images, len(LEVELS)))
    np.add.at(sums, image, missed)
    counts = np.bincount(image, minlength=images)[:, None]
    return np.asarray(sums / np.maximum(counts, 1), np.float32)


def losses_of_histograms(histograms: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, 201) the share of each image's pixels whose true class has a probability below each threshold.

    histograms: (n, 200) pixels by the probability that their true class was given.
    """
    below = np.concatenate([np.zeros((len(histograms), 1)), np.cumsum(histograms, axis=1)], axis=1)
    return np.asarray(below / np.maximum(below[:, -1:], 1), np.float32)

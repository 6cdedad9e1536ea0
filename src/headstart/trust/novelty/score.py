"""The novelty (out-of-distribution) score of a saved model with its threshold.

`Novelty` takes embeddings and returns scores and flags, with numpy alone; `trust.novelty.fit` learns it. It does not
say what a novel image shows, and the prediction for an image that is not flagged may still be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import BundleError
from headstart.records.arrays import Floats
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays
from headstart.trust.inputs import rows
from headstart.trust.novelty.by_layer import ByLayer

_TINY = 1e-30
"""Where all known rows are alike the threshold is 0, and whatever is not like them is novel."""

_LAYOUT: Layout = {"threshold": ("f8", ""), "rate": ("f8", "")}


@dataclass(frozen=True, eq=False)
class Novelty:
    """A novelty score with its threshold.

    form: the score. threshold: scores above it are novel. rate: the false-positive rate that the threshold was set for.
    taps: names of the layers whose embeddings it takes, side by side, where that is known.
    """

    form: ByLayer
    threshold: float
    rate: float
    taps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold) or not 0 < self.rate < 1:
            raise array_error("novelty score", "its threshold or its rate is out of range")

    @property
    def kind(self) -> str:
        """Name of the form of the score, as `novelty_from_arrays` takes it."""
        return self.form.kind

    def score(self, X: Any) -> Floats:
        """How novel embeddings (n, d) are, (n,), higher = more novel; the unit is the score's own.

        Raises `DataError` when they are not finite or of another width than the training rows.
        """
        return self.form.score(rows(X, width=self.form.width))

    def is_novel(self, X: Any) -> NDArray[np.bool_]:
        """Which embeddings (n, d) lie above the threshold, (n,)."""
        return self.score(X) > np.float32(self.threshold)

    def relative(self, X: Any) -> NDArray[np.float64]:
        """The scores of embeddings (n, d) in units of the threshold, (n,): above 1 is novel."""
        return self.score(X).astype(np.float64) / max(self.threshold, _TINY)

    def to_arrays(self) -> Arrays:
        """The arrays that `novelty_from_arrays` takes back, by name."""
        return {**self.form.to_arrays(), "threshold": np.array(self.threshold), "rate": np.array(self.rate)}


def novelty_from_arrays(kind: str, arrays: Mapping[str, Any]) -> Novelty:
    """The novelty score of this kind from its saved arrays; `BundleError` where they are not what it needs."""
    if kind != ByLayer.kind:
        raise BundleError(
            f"the saved novelty score is of the kind {kind!r}, and this version knows {ByLayer.kind!r}: "
            "the model is damaged or was written by another version."
        )
    limits = check_arrays("novelty score", {name: array for name, array in arrays.items() if name in _LAYOUT}, _LAYOUT)
    form = ByLayer.of_arrays({name: array for name, array in arrays.items() if name not in _LAYOUT})
    return Novelty(form, float(limits["threshold"]), float(limits["rate"]))

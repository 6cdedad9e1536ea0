"""Is this picture of a kind that the model was never shown? A score on embeddings with a threshold, ready for use.

`Novelty` is what a bundle keeps and prediction runs: numpy alone. How it is learned and chosen is in `novelty_fit`.
It does not say what a novel picture shows, and a picture that is not flagged may still be answered wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.checks import join_words
from headstart.errors import BundleError
from headstart.records.arrays import Floats
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays
from headstart.trust.inputs import rows
from headstart.trust.novelty.both_distances import BothDistances
from headstart.trust.novelty.by_layer import ByLayer
from headstart.trust.novelty.mahalanobis import Mahalanobis
from headstart.trust.novelty.nearest import NearestDistance

Form: TypeAlias = ByLayer | Mahalanobis | NearestDistance | BothDistances

_TINY = 1e-30
"""Where all known rows are alike the threshold is 0, and whatever is not like them is novel."""

FORMS: dict[str, Any] = {form.kind: form for form in (ByLayer, Mahalanobis, NearestDistance, BothDistances)}
"""What a bundle may hold: the score by layer, and those of earlier versions."""

_OWN: Layout = {"threshold": ("f8", ""), "rate": ("f8", "")}


@dataclass(frozen=True, eq=False)
class Novelty:
    """A novelty score and the value above which it is an alarm.

    form: the score. threshold: scores above it are novel. rate: the share of known pictures that the threshold was
    set to flag by mistake. taps: names of the layers whose embeddings it looks at, side by side, where that is known.
    """

    form: Form
    threshold: float
    rate: float
    taps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold) or not 0 < self.rate < 1:
            raise array_error("novelty score", "its threshold or its rate is out of range")

    @property
    def kind(self) -> str:
        """Which score it is, as `from_arrays` takes it."""
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
        """The scores of embeddings (n, d) in units of the threshold, (n,): above 1 is novel, whatever the kind."""
        return self.score(X).astype(np.float64) / max(self.threshold, _TINY)

    def to_arrays(self) -> Arrays:
        """The arrays that `from_arrays` takes back, by name."""
        return {**self.form.to_arrays(), "threshold": np.array(self.threshold), "rate": np.array(self.rate)}


def novelty_from_arrays(kind: str, arrays: Mapping[str, Any]) -> Novelty:
    """The novelty score of this kind from its saved arrays; `BundleError` where they are not what it needs."""
    if kind not in FORMS:
        raise BundleError(
            f"the saved novelty score is of the kind {kind!r}, and this version knows {join_words(list(FORMS))}: "
            "the model is damaged or was written by a newer version."
        )
    own = check_arrays("novelty score", {name: array for name, array in arrays.items() if name in _OWN}, _OWN)
    form = FORMS[kind].of_arrays({name: array for name, array in arrays.items() if name not in _OWN})
    return Novelty(form, float(own["threshold"]), float(own["rate"]))

"""The form of an ensemble: log of the weighted mean of several linear models' probabilities. numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from headstart.heads.forms.arrays import SavedForm
from headstart.records.arrays import Floats
from headstart.storage.arrays import Layout

LEAST = 1e-9
"""A probability below this is taken for this, so that no score is infinite."""


@dataclass(frozen=True, eq=False)
class Blend(SavedForm):
    """log Σ_m share_m · softmax(sharpness_m · (x @ weight_m + bias_m)).

    weight: (m, d, K). bias: (m, K). sharpness: (m,), one over each model's temperature. share: (m,), above 0, sum 1.
    """

    kind: ClassVar[str] = "blend"
    layout: ClassVar[Layout] = {
        "weight": ("f4", "mdK"),
        "bias": ("f4", "mK"),
        "sharpness": ("f4", "m"),
        "share": ("f4", "m"),
    }
    weight: Floats
    bias: Floats
    sharpness: Floats
    share: Floats

    def __post_init__(self) -> None:
        if not (self.share > 0).all() or not (self.sharpness > 0).all():
            raise self.error("its shares and sharpness must be above 0")

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: log-probabilities."""
        members = (X @ weight + bias for weight, bias in zip(self.weight, self.bias, strict=True))
        return blend_scores(list(members), self.sharpness, self.share)


def blend_scores(members: Any, sharpness: Floats, share: Floats) -> Floats:
    """Log of the weighted mean probability of models' scores, each (..., K)."""
    total: Any = 0.0
    for scores, sharp, part in zip(members, sharpness, share, strict=True):
        scaled = scores * np.float32(sharp)
        powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        total = total + np.float32(part) * powers / powers.sum(axis=-1, keepdims=True)
    blended: Floats = np.log(np.maximum(total, np.float32(LEAST))).astype(np.float32)
    return blended

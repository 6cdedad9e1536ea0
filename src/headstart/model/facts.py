"""Facts that a saved model keeps of its making: what it was trained on, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headstart.metrics.intervals import Estimate


@dataclass(frozen=True)
class AccuracyClaims:
    """Out-of-fold accuracies of one head: with folds that part duplicates, and with folds that hold them together."""

    leaky: Estimate
    group_aware: Estimate


@dataclass(frozen=True, eq=False)
class DataFacts:
    """What was trained on: images a class (after everything unusable was left out), and a fingerprint of it all.

    duplicates: how many of the images repeat another one, exactly or nearly. claims: where many do, the accuracies of a
    linear probe in random folds and in folds that hold duplicates together. exclusions: fingerprint of the plan that
    was followed. precision: of the embeddings that the comparison measured on, `f32`, `bf16` or `f16`; held-out images
    are scored in float32, as predictions are made. series: how many series of photographs of one thing the images come
    in, as far as no group of the data's own says so; 0 where none were found.
    """

    images: int
    counts: Mapping[str, int]
    held_out: int
    folds: int
    repeats: int
    fingerprint: str
    ignored: Mapping[str, int]
    cached: int
    duplicates: int = 0
    claims: AccuracyClaims | None = None
    exclusions: str | None = None
    precision: str = "f32"
    series: int = 0


@dataclass(frozen=True, eq=False)
class TrainingFacts:
    """How the head was trained: all that is needed to train it again, over more rows too.

    metric, class_weight, seed: as asked for. folds, repeats: of the cross-validation; None where the number of images
    decided. options: what else the user asked for, as JSON-able values, for people to read; no code reads it back.
    """

    metric: str
    class_weight: str | None
    seed: int
    folds: int | None = None
    repeats: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)

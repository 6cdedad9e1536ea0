"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Trained` model with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not fine-tune, and it does not
choose what to measure: `tasks.candidates` does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart import checks
from headstart.errors import DataError
from headstart.records import UNLABELLED, Embeddings, Failure, Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.data.sources import Loaded
    from headstart.tasks.result import Trained

METRICS = ("accuracy", "balanced-accuracy", "macro-f1")
BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a training run; every default has its reason in `docs/choices.md`.

    backbones: names of the backbones to embed with. heads: names of heads to compare, None for all that are cheap
    enough. metric: what 'best' means. class_weight: None, or 'balanced' to weigh every class alike. folds, repeats:
    of the cross-validation; repeats None derives them from the number of images. min_gain: how much better a dearer
    candidate must be (a share). max_unreadable: the share of unreadable images above which the run stops.
    device: auto, cpu, cuda or mps. cache: keep embeddings for the next run.
    """

    backbones: tuple[str, ...] = BACKBONES
    heads: tuple[str, ...] | None = None
    metric: str = "accuracy"
    class_weight: str | None = None
    folds: int = 5
    repeats: int | None = None
    min_gain: float = 0.005
    max_unreadable: float = 0.05
    seed: int = 0
    device: str = "auto"
    cache: bool = True

    def __post_init__(self) -> None:
        from headstart.tasks.candidates import names

        for head in self.heads or ():
            checks.one_of("head", head, names())
        checks.one_of("metric", self.metric, METRICS)
        checks.one_of("class_weight", self.class_weight or "none", ("none", "balanced"))
        checks.at_least("folds", self.folds, 2)
        checks.at_least("repeats", self.repeats or 1, 1)
        checks.between("min_gain", self.min_gain, 0, 1)
        checks.between("max_unreadable", self.max_unreadable, 0, 1)
        checks.at_least("seed", self.seed, 0)
        checks.at_least("number of backbones", len(self.backbones), 1)


def train(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Trained:
    """Measure the ways of transferring on labelled images, and fit the one that pays.

    data: a folder of class folders (with or without train/val/test inside), a CSV/TSV/Parquet table, a Hugging Face
    `datasets.Dataset`, a `Loaded` from `headstart.data.sources.load`, or a sequence of paths, PIL images or arrays
    with `labels` (and optional `groups`: images of one group never part between folds).
    Raises `DataError` when the data cannot carry a measurement, `OptionError` for an option out of its range.
    """
    from headstart.data.sources import load

    loaded = data if isinstance(data, Loaded) else load(data, labels=labels, groups=groups)
    return train_loaded(loaded, options or Options())


def train_loaded(loaded: Loaded, options: Options) -> Trained:
    """As `train`, for data that have been loaded already."""
    clock = Clock()
    prepared = prepare(loaded, options)
    clock.lap("embedding")
    splits = splits_of(prepared.samples, options)
    plans, skipped = plan(prepared, splits, options)
    found = race(
        [each.candidate for each in plans],
        prepared.samples.labels[splits.fit],
        splits.folds,
        classes=len(prepared.samples.classes),
        groups=splits.groups,
        metric=options.metric,
        min_gain=options.min_gain,
        seed=options.seed,
    )
    clock.lap("comparing")

"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Trained` model with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not fine-tune, and it does not
choose what to measure: `tasks.candidates` does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headstart import checks
from headstart.backbones.graph import SHORT
from headstart.choose.memory import default_folder
from headstart.choose.race import RaceResult, race
from headstart.data.loaded import Loaded
from headstart.data.sources import load
from headstart.errors import OptionError
from headstart.heads.catalog import HEADS, make
from headstart.metrics.scorecard import scorecard
from headstart.metrics.tallies import METRICS
from headstart.records import Ints
from headstart.runtime import Predictor, join
from headstart.tasks.candidates import Plan, plan
from headstart.tasks.evaluate import Evaluation
from headstart.tasks.prepare import Division, Prepared, divide, prepare
from headstart.tasks.result import DataFacts, Trained

BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
MOST_SEED = 2**32 - 1
_MOST_FOLDS, _MOST_REPEATS = 1000, 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a training run; every default has its reason in `docs/honesty.md`.

    backbones: names of the backbones to embed with. heads: names of heads to compare, None for all that are cheap
    enough. metric: what 'best' means. class_weight: None, or 'balanced' to weigh every class alike. folds, repeats: of
    the cross-validation; None derives them from the number of images (and classes). min_gain: how much better a
    dearer candidate must be (a share). max_unreadable: the share of unreadable images above which the run stops.
    device: auto, cpu, cuda or mps. cache: keep embeddings and out-of-fold scores for the next run.
    weights: a checkpoint (safetensors or .pth) for the one backbone named, instead of its published weights.
    """

    backbones: tuple[str, ...] = BACKBONES
    heads: tuple[str, ...] | None = None
    metric: str = "accuracy"
    class_weight: str | None = None
    folds: int | None = None
    repeats: int | None = None
    min_gain: float = 0.005
    max_unreadable: float = 0.05
    seed: int = 0
    device: str = "auto"
    cache: bool = True
    weights: str | None = None

    def __post_init__(self) -> None:
        for head in self.heads or ():
            checks.one_of("head", head, list(HEADS))
        checks.one_of("metric", self.metric, METRICS)
        checks.one_of("class_weight", "none" if self.class_weight is None else self.class_weight, ("none", "balanced"))
        checks.between("folds", 2 if self.folds is None else self.folds, 2, _MOST_FOLDS)
        checks.between("repeats", 1 if self.repeats is None else self.repeats, 1, _MOST_REPEATS)
        checks.between("min_gain", self.min_gain, 0, 1)
        checks.between("max_unreadable", self.max_unreadable, 0, 1)
        checks.between("seed", self.seed, 0, MOST_SEED)
        _check_names("backbones", [SHORT.get(name, name) for name in self.backbones])
        if self.weights is not None and len(self.backbones) != 1:
            raise OptionError(
                f"weights are for one backbone, and {len(self.backbones)} are named: name the one they belong to."
            )
        _check_names("heads", ["all"] if self.heads is None else self.heads)


def _check_names(what: str, names: Sequence[str]) -> None:
    """Raise `OptionError` where a list of names is empty or has a name twice."""
    if not names:
        raise OptionError(f"{what} is an empty list: name at least one, or leave the option out.")
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise OptionError(f"{what} names {checks.listed(twice)} more than once: name each once.")


def train(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Trained:
    """Measure the ways of transferring on labelled images, and fit the one that pays.

    data: a folder of class folders (with or without train/val/test inside), a CSV/TSV/Parquet table, a Hugging Face
    `datasets.Dataset`, a `Loaded` from `headstart.data.sources.load`, or a sequence of paths, PIL images or arrays
    with `labels` (and optional `groups`: images of one group never part between folds).
    Raises `DataError` when the data cannot carry a measurement, `OptionError` for an option out of its range.
    """
    loaded = data if isinstance(data, Loaded) else load(data, labels=labels, groups=groups)
    return train_loaded(loaded, options or Options())


def train_loaded(loaded: Loaded, options: Options) -> Trained:
    """As `train`, for data that have been loaded already."""
    clock = _Clock()
    prepared = prepare(
        loaded,
        options.backbones,
        device=options.device,
        cache=options.cache,
        max_unreadable=options.max_unreadable,
        weights=options.weights,
    )
    samples = prepared.samples
    clock.lap("embedding")
    division = divide(samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    plans, left_out = plan(
        prepared.backbones,
        prepared.embedded,
        division.fit,
        classes=len(samples.classes),
        fits=division.folds.shape[0] * (int(division.folds.max()) + 1),
        heads=options.heads,
        class_weight=options.class_weight,
        seed=options.seed,
        remember=default_folder() if options.cache else None,
    )
    found = race(
        [each.candidate for each in plans],
        samples.labels[division.fit],
        division.folds,
        classes=samples.classes,
        groups=division.groups,
        metric=options.metric,
        min_gain=options.min_gain,
        seed=options.seed,
    )
    clock.lap("comparing")
    winner = plans[found.winner]
    predictor = _fitted(winner, found, samples.classes, samples.labels[division.fit], options)
    held_out = _held_out(predictor, winner, prepared, division)
    clock.lap("fitting")
    return Trained(
        predictor=predictor,
        race=found,
        plan=winner,
        held_out=held_out,
        left_out=tuple(left_out),
        failures=prepared.failures,
        data=_facts(loaded, prepared, division),
        notes=(*prepared.notes, *division.notes),
        options=options,
        seconds=clock.laps,
    )


class _Clock:
    """Seconds that each step took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Note the time since the last step's end."""
        now = time.perf_counter()
        self.laps[step], self._last = now - self._last, now


def _fitted(winner: Plan, found: RaceResult, classes: Sequence[str], labels: Ints, options: Options) -> Predictor:
    """The winner, fitted with its chosen setting to everything that is not held out."""
    head = make(
        winner.head,
        root=winner.root,
        class_weight=options.class_weight,
        seed=options.seed,
        setting=found.setting,
    )
    head.fit(winner.candidate.X, labels)
    return Predictor(tuple(classes), winner.parts, head.form_, found.temperature)


def _held_out(predictor: Predictor, winner: Plan, prepared: Prepared, division: Division) -> Evaluation | None:
    """The winner's scores on the split that was kept apart; None where there is none."""
    rows = division.held_out
    if not len(rows):
        return None
    samples = prepared.samples
    of = dict(zip((b.name for b in prepared.backbones), prepared.embedded, strict=True))
    parts = winner.parts
    X = join([of[part.backbone.name] for part in parts], [part.taps for part in parts]).X[rows]
    groups = None if samples.groups is None else samples.groups[rows]
    card = scorecard(samples.labels[rows], predictor.probabilities(X), samples.classes, groups=groups)
    return Evaluation(len(rows), card)


def _facts(loaded: Loaded, prepared: Prepared, division: Division) -> DataFacts:
    samples = prepared.samples
    return DataFacts(
        images=len(division.fit),
        counts=samples.take(division.fit).counts(),
        held_out=len(division.held_out),
        folds=int(division.folds.max()) + 1,
        repeats=len(division.folds),
        fingerprint=prepared.fingerprint,
        ignored=dict(loaded.ignored),
        cached=min(each.cached for each in prepared.embedded),
    )

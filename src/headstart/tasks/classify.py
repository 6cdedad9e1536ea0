"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Trained` model with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not choose what to measure:
`tasks.candidates` does for heads, and the user for fine-tunes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headstart import checks
from headstart.backbones.graph import SHORT
from headstart.choose.memory import default_folder
from headstart.choose.race import RaceResult, race
from headstart.data.loaded import Loaded
from headstart.data.sources import load
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import parse
from headstart.heads.catalog import HEADS, make
from headstart.metrics.scorecard import scorecard
from headstart.metrics.tallies import METRICS
from headstart.records import Floats, Ints
from headstart.runtime import Predictor, join
from headstart.tasks.candidates import Plan, plan
from headstart.tasks.evaluate import Evaluation
from headstart.tasks.prepare import Division, Prepared, divide, prepare
from headstart.tasks.result import DataFacts, Trained
from headstart.tasks.training_rows import fitted_rows, kept_or_why

BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
MOST_SEED = 2**32 - 1
_MOST_FOLDS, _MOST_REPEATS = 1000, 100
_FOLDS_OF_FINE_TUNES = 5


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may say about a training run; every default has its reason in `docs/honesty.md`.

    backbones: names of the backbones to embed with. heads: names of heads to compare, None for all that are cheap
    enough. metric: what 'best' means. class_weight: None, or 'balanced' to weigh every class alike. folds, repeats: of
    the cross-validation; None derives them from the number of images (and classes). min_gain: how much better a
    dearer candidate must be (a share). max_unreadable: the share of unreadable images above which the run stops.
    device: auto, cpu, cuda or mps. cache: keep embeddings and out-of-fold scores for the next run.
    weights: a checkpoint (safetensors or .pth) for the one backbone named, instead of its published weights.
    strategies: fine-tunes of the first backbone that are compared with the heads (`finetune.strategies`). recipe: how
    they train. keep_training: save the embeddings of the training images with the model, so that `extend` can add
    classes without the images.
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
    strategies: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    keep_training: bool = True

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
        _check_names("strategies", self.strategies or ["none"])
        for word in self.strategies:
            parse(word, list(HEADS))


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
    options = _checked(options, loaded)
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
    plans += _fine_tunes(prepared, division, options)
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
    predictor, said = _fitted(winner, found, samples.classes, samples.labels[division.fit], options)
    held_out = _held_out(predictor, prepared, division, options)
    rows = fitted_rows(winner.candidate.X, winner.parts, samples, division)
    training, unkept = kept_or_why(rows, wanted=options.keep_training, tuned=winner.tuned is not None)
    clock.lap("fitting")
    return Trained(
        predictor=predictor,
        race=found,
        plan=winner,
        held_out=held_out,
        left_out=tuple(left_out),
        failures=prepared.failures,
        data=data_facts(loaded, prepared, division),
        notes=tuple(dict.fromkeys((*prepared.notes, *division.notes, *_noted(plans), *said, *unkept))),
        options=options,
        seconds=clock.laps,
        training=training,
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


def _checked(options: Options, loaded: Loaded) -> Options:
    """The options with fine-tunes known to be possible; one repeat of the folds is enough for these."""
    if not options.strategies:
        return options
    from headstart.backbones.graph import open_backbone
    from headstart.tasks.finetuning import check

    weights = None if options.weights is None else Path(options.weights)
    check(
        open_backbone(options.backbones[0], weights=weights),
        options.strategies,
        options.recipe,
        len(loaded.samples),
        options.folds or _FOLDS_OF_FINE_TUNES,
    )
    return replace(options, folds=options.folds or _FOLDS_OF_FINE_TUNES, repeats=options.repeats or 1)


def _fine_tunes(prepared: Prepared, division: Division, options: Options) -> list[Plan]:
    if not options.strategies:
        return []
    from headstart.device import choose
    from headstart.tasks.finetuning import candidates

    return candidates(
        prepared.backbones[0],
        prepared.embedded[0].last[division.fit],
        prepared.samples.take(division.fit),
        options.strategies,
        options.recipe,
        device=choose(options.device),
        seed=options.seed,
        cache=options.cache,
        remember=default_folder() if options.cache else None,
    )


def _noted(plans: Sequence[Plan]) -> list[str]:
    return [note for each in plans if each.tuned is not None for note in each.tuned.notes]


def _fitted(
    winner: Plan, found: RaceResult, classes: Sequence[str], labels: Ints, options: Options
) -> tuple[Predictor, tuple[str, ...]]:
    """The winner, fitted with its chosen setting to everything that is not held out; and notes of that."""
    if winner.tuned is not None:
        from headstart.tasks.finetuning import fitted

        tuned = fitted(winner, labels, found.setting)
        return Predictor(tuple(classes), (tuned.part,), tuned.form, found.temperature), tuned.notes
    head = make(
        winner.head,
        root=winner.root,
        class_weight=options.class_weight,
        seed=options.seed,
        setting=found.setting,
    )
    head.fit(winner.candidate.X, labels)
    return Predictor(tuple(classes), winner.parts, head.form_, found.temperature), ()


def _held_out(predictor: Predictor, prepared: Prepared, division: Division, options: Options) -> Evaluation | None:
    """The winner's scores on the split that was kept apart; None where there is none."""
    rows = division.held_out
    if not len(rows):
        return None
    samples = prepared.samples.take(rows)
    X = _seen_by(predictor, prepared, rows)
    if X is None:  # a fine-tuned network has not seen these images yet
        from headstart.device import choose

        found = predictor.predict(samples.images, names=samples.names, device=choose(options.device)).probabilities
    else:
        found = predictor.probabilities(X)
    card = scorecard(samples.labels, found, samples.classes, groups=samples.groups)
    return Evaluation(len(rows), card)


def _seen_by(predictor: Predictor, prepared: Prepared, rows: Ints) -> Floats | None:
    """What the predictor's head looks at, from the embeddings at hand; None where they are of other weights."""
    of = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    parts = predictor.parts
    if any(part.backbone.weights not in of for part in parts):
        return None
    return join([of[part.backbone.weights] for part in parts], [part.taps for part in parts]).X[rows]


def data_facts(loaded: Loaded, prepared: Prepared, division: Division) -> DataFacts:
    """What was measured on, in numbers."""
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

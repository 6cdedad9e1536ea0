"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Trained` model with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not choose what to measure:
`pipeline.candidates` does for heads, `pipeline.defaults` or the user for fine-tunes; how long, the budget.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.choose.budget import Budget
from headstart.choose.budget import format_seconds as written
from headstart.choose.race import RaceResult
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.embed.features import join_parts
from headstart.errors import MissingExtra
from headstart.finetune.recipe import Recipe
from headstart.heads.catalog import make_head
from headstart.metrics.class_report import scorecard
from headstart.model.evaluation import Evaluation
from headstart.model.predictor import Predictor
from headstart.model.rows import rows_to_save, training_rows
from headstart.pipeline.candidates import ALLOWANCE, LeftOut, Plan
from headstart.pipeline.comparison import plan_candidates, run_race, score_folder
from headstart.pipeline.defaults import FINE_TUNES, can_fine_tune, default_backbones
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, data_facts, prepare
from headstart.pipeline.shortlist import narrow_backbones
from headstart.pipeline.trust import TrustFit, add_held_out, calibrate_scores, fit_trust
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.choose import CalibrationChoice
from headstart.trust.calibration.methods import Calibration
from headstart.trust.novelty.by_layer import MOST_LAYERS
from headstart.verbs.audit.findings import Finding
from headstart.verbs.audit.suspects import label_issues, quality_issues
from headstart.verbs.train.copy_claims import claim_notes, duplicate_claims
from headstart.verbs.train.result import Trained

_FOLDS_OF_FINE_TUNES = 5
_FOR_HEADS = 0.1


def train(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Trained:
    """Measure the ways of transferring on labelled images, and fit the one that pays.

    data: a folder of class folders (with or without train/val/test inside), a CSV/TSV/Parquet table, a Hugging Face
    `datasets.Dataset`, a `Loaded` from `headstart.data.sources.load.load_dataset`, or a sequence of paths, PIL images
    or arrays with `labels` (and optional `groups`: images of one group never part between folds).
    Raises `DataError` when the data cannot carry a measurement, `OptionError` for an option out of its range.
    """
    loaded = data if isinstance(data, Dataset) else load_dataset(data, labels=labels, groups=groups)
    return train_loaded(loaded, options or Options())


def train_loaded(loaded: Dataset, options: Options) -> Trained:
    """As `train`, for data that have been loaded already."""
    clock, budget = _Clock(), Budget(options.seconds)
    loaded, exclusions = apply_plan(loaded, options.exclude)
    options = _checked(options, loaded, budget)
    prepared = _prepared(loaded, options)
    samples = prepared.samples
    clock.lap("embedding")
    division = divide(samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    claims = duplicate_claims(prepared, division.fit, seed=options.seed, cache=options.cache)
    prepared = narrow_backbones(prepared, division, options) if options.auto else prepared
    plans, left_out = plan_candidates(prepared, division, options, heads=options.heads, allowance=_allowance(options))
    tuned, impossible, said = _fine_tunes(prepared, division, options)
    plans += tuned
    found = run_race(plans, prepared, division, options, budget)
    left_out += impossible + _not_begun(plans, found)
    clock.lap("comparing")
    winner = plans[found.best.candidate]
    labels = samples.labels[division.fit]
    calibration = calibrate_scores(found, labels, division.folds, division.groups)
    predictor, fitted_so = _fitted(winner, found, calibration.calibration, samples.classes, labels, options)
    seen = None if winner.tuned is not None else winner.candidate.X
    layers = _last_layers(predictor, prepared, division.fit)
    trust = fit_trust(
        calibration, seen, predictor.parts, labels, division.folds, division.groups, options, layers=layers
    )
    held_out, trust = _held_out(replace(predictor, trust=trust.record), trust, prepared, division, options)
    predictor = replace(predictor, trust=trust.record)
    rows = training_rows(winner.candidate.X, winner.parts, samples, division)
    training, unkept = rows_to_save(rows, wanted=options.keep_training, tuned=winner.tuned is not None)
    clock.lap("fitting")
    about = claim_notes(prepared.notes, prepared.copies.note, claims)
    said = (*said, *_noted(plans), *fitted_so, *_stopped(found, options))
    doubts, unchecked = _suspects(loaded, prepared, division, calibration)
    notes = (*about, *division.notes, *said, *trust.notes, *unkept, *unchecked)
    return Trained(
        predictor=predictor,
        calibration=calibration,
        trust=trust,
        race=found,
        plan=winner,
        held_out=held_out,
        left_out=tuple(left_out),
        failures=prepared.failures,
        data=replace(data_facts(loaded, prepared, division), claims=claims, exclusions=exclusions),
        notes=tuple(dict.fromkeys(notes)),
        options=options,
        seconds=clock.laps,
        training=training,
        doubts=doubts,
    )


def _suspects(
    loaded: Dataset, prepared: Prepared, division: Division, calibration: CalibrationChoice
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Images whose label or quality is doubtful, and a note where labels could not be checked."""
    seen, used = prepared.thumbnails, set(prepared.samples.names)
    issues = () if seen is None else quality_issues(seen, loaded.samples.names)
    quality = tuple(issue for issue in issues if issue.name in used)
    try:
        labels, _ = label_issues(prepared.samples.take(division.fit), calibration.crossed.mean(axis=0), division.fit)
    except MissingExtra as error:
        return quality, (f"Labels were not checked for mistakes: {error}",)
    return (*labels, *quality), ()


class _Clock:
    """Seconds that each step took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Note the time since the last step's end."""
        now = time.perf_counter()
        self.laps[step], self._last = now - self._last, now


def _prepared(loaded: Dataset, options: Options) -> Prepared:
    return prepare(
        loaded,
        options.backbones,
        device=options.device,
        cache=options.cache,
        max_unreadable=options.max_unreadable,
        weights=options.weights,
    )


def _checked(options: Options, loaded: Dataset, budget: Budget) -> Options:
    """The options with names of backbones, and with fine-tunes known to be possible."""
    options = replace(options, backbones=default_backbones(options, len(loaded.samples), budget.left))
    if not options.named and not (options.auto and can_fine_tune()):
        return options
    if options.named:
        _check_named(options, len(loaded.samples))
    # All candidates are scored on the same folds: few, because a fine-tune is trained once for each. Named fine-tunes
    # are scored on every repeat of them; those that the race chooses on the first one alone.
    repeats = options.repeats or (None if options.auto else 1)
    return replace(options, folds=options.folds or _FOLDS_OF_FINE_TUNES, repeats=repeats)


def _check_named(options: Options, images: int) -> None:
    from headstart.backbones.opening import open_backbone
    from headstart.pipeline.fine_tunes import check_fine_tunes

    weights = None if options.weights is None else Path(options.weights)
    backbone = open_backbone(options.backbones[0], weights=weights)
    check_fine_tunes(backbone, options.named, options.recipe, images, options.folds or _FOLDS_OF_FINE_TUNES)


def _allowance(options: Options) -> float:
    """Modelled seconds for heads: a tenth of the budget, where there is one."""
    if not options.auto or math.isinf(options.seconds):
        return ALLOWANCE
    return max(ALLOWANCE, _FOR_HEADS * options.seconds)


def _fine_tunes(
    prepared: Prepared, division: Division, options: Options
) -> tuple[list[Plan], list[LeftOut], tuple[str, ...]]:
    """The fine-tunes that take part, those that this network cannot do, and why there are none."""
    if not options.auto and not options.named:
        return [], [], ()
    from headstart.device import choose_device
    from headstart.pipeline.fine_tunes import feasible_fine_tunes, plan_fine_tunes

    words = options.named
    impossible: list[LeftOut] = []
    if options.auto:
        try:
            able, impossible = feasible_fine_tunes(
                prepared.backbones[0], [w for w in FINE_TUNES if w not in options.named]
            )
        except MissingExtra as error:
            return [], [], (f"Fine-tunes take no part: {error}",)
        words += tuple(able)
    found = plan_fine_tunes(
        prepared.backbones[0],
        prepared.embedded[0].last[division.fit],
        prepared.samples.take(division.fit),
        words,
        _balanced(options),
        device=choose_device(options.device),
        seed=options.seed,
        cache=options.cache,
        remember=score_folder(options),
        folds=None if math.isinf(options.seconds) and not options.auto else int(division.folds.max()) + 1,
        asked=options.named,
    )
    return found, impossible, ()


def _balanced(options: Options) -> Recipe:
    """The recipe; where classes are to count alike, every class is drawn alike too."""
    return replace(options.recipe, balanced=True) if options.class_weight == "balanced" else options.recipe


def _not_begun(plans: Sequence[Plan], found: RaceResult) -> list[LeftOut]:
    """The candidates that the race did not begin, and why."""
    each = [(plans[number].candidate, reason) for number, reason in found.not_begun.items()]
    return [LeftOut(candidate.name, candidate.features, reason) for candidate, reason in each]


def _stopped(found: RaceResult, options: Options) -> tuple[str, ...]:
    """A note on a comparison that did not come to its end."""
    if not found.stopped:
        return ()
    more = "" if math.isinf(options.seconds) else f" (--budget {written(options.seconds)}; more time would try more)"
    return (f"The comparison ended early: {found.stopped}{more}. What was scored is kept for the next run.",)


def _noted(plans: Sequence[Plan]) -> list[str]:
    return [note for each in plans if each.tuned is not None for note in each.tuned.notes]


def _fitted(
    winner: Plan,
    found: RaceResult,
    calibration: Calibration,
    classes: Sequence[str],
    labels: Ints,
    options: Options,
) -> tuple[Predictor, tuple[str, ...]]:
    """The winner, fitted with its chosen setting to everything that is not held out; and notes of that."""
    if winner.tuned is not None:
        from headstart.pipeline.fine_tunes import fit_fine_tune

        tuned = fit_fine_tune(winner, labels, found.setting)
        return Predictor(tuple(classes), (tuned.part,), tuned.form, calibration), tuned.notes
    head = make_head(
        winner.head,
        signed_sqrt=winner.signed_sqrt,
        class_weight=options.class_weight,
        seed=options.seed,
        configuration=found.setting,
    )
    head.fit(winner.candidate.X, labels)
    return Predictor(tuple(classes), winner.parts, head.form_, calibration), ()


def _held_out(
    predictor: Predictor, trust: TrustFit, prepared: Prepared, division: Division, options: Options
) -> tuple[Evaluation | None, TrustFit]:
    """The winner's scores on the split that was kept apart, None where there is none; and what is kept of them."""
    rows = division.held_out
    if not len(rows):
        return None, trust
    samples = prepared.samples.take(rows)
    X = _seen_by(predictor, prepared, rows)
    if X is None:  # a fine-tuned network has not seen these images yet
        from headstart.device import choose_device

        found = predictor.predict(samples.images, names=samples.names, device=choose_device(options.device))
    else:
        layers = _last_layers(predictor, prepared, rows)
        found = predictor.answers(X, samples.names, layers=None if layers is None else np.hstack(list(layers.values())))
    card = scorecard(samples.labels, found.probabilities, samples.classes, groups=samples.groups)
    return Evaluation(len(rows), card), add_held_out(trust, found, samples.labels, samples.groups)


def _seen_by(predictor: Predictor, prepared: Prepared, rows: Ints) -> Floats | None:
    """What the predictor's head looks at, from the embeddings at hand; None where they are of other weights."""
    of = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    parts = predictor.parts
    if any(part.backbone.weights not in of for part in parts):
        return None
    return join_parts([of[part.backbone.weights] for part in parts], [part.taps for part in parts]).X[rows]


def _last_layers(predictor: Predictor, prepared: Prepared, rows: Ints) -> dict[str, Floats] | None:
    """What novelty looks at: tap name → (n, d), from the embeddings at hand; None where they are of other weights."""
    of = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    found = of.get(predictor.parts[0].backbone.weights)
    return None if found is None else {tap: found.taps[tap][rows] for tap in list(found.taps)[-MOST_LAYERS:]}

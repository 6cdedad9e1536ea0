"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Model` with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not choose what to measure:
`pipeline.candidates` does for heads, `pipeline.defaults` or the user for fine-tunes; how long, the budget.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from headstart.checks import quantity
from headstart.choose.budget import Budget, format_seconds
from headstart.choose.race import RaceResult
from headstart.choose.strategy import LeftOut, Strategy
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.device import FULL, choose_device
from headstart.embed.features import join_parts
from headstart.metrics.class_report import scorecard
from headstart.model.details import short_features
from headstart.model.evaluation import Evaluation
from headstart.model.model import Model
from headstart.model.predictor import Features, Predictor
from headstart.model.rows import rows_to_save, weight_fingerprints
from headstart.model.trust import TrustFit
from headstart.pipeline.comparison import rows_of, run_race
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, data_facts, prepare
from headstart.pipeline.shortlist import narrow_backbones
from headstart.pipeline.strategies import plan_strategies, settle_options
from headstart.pipeline.trust import add_held_out, calibrate_scores, fit_trust
from headstart.progress import step
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.choose import CalibrationChoice
from headstart.trust.novelty.by_layer import MOST_LAYERS
from headstart.verbs.audit.findings import Finding
from headstart.verbs.audit.suspects import label_issues, quality_issues
from headstart.verbs.train.copy_claims import claim_notes, duplicate_claims

_STEPS = 4


def train(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Model:
    """Measure the ways of transferring on labelled images, and fit the one that pays.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        A folder of class folders (with or without train/val/test inside), a CSV/TSV/Parquet table, a sequence of paths,
        PIL images or arrays with `labels`, a Hugging Face `datasets.Dataset`, or what
        `headstart.data.sources.load.load_dataset` returned.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: images of equal value are never parted between folds.
    options : Options, optional
        What to compare, for how long, and what to guarantee; default: `Options()`.

    Returns
    -------
    Model
        The winner, fitted to all training images, with its measured score; `save` writes it. A test split (or, without
        one, a val split) was kept apart and scored once.

    Raises
    ------
    DataError
        The data cannot carry a measurement, or cannot be read.
    OptionError
        An option is out of its range.
    MissingExtra
        Fine-tunes were named without `headstart[finetune]`.

    References
    ----------
    The corrected score: Tsamardinos, Greasidou and Borboudakis, Machine Learning 107, 2018 (BBC-CV).

    Examples
    --------
    ::

        model = headstart.train("photos/", options=headstart.Options(budget=60))
        print(model.estimate)  # 93.1 % (90.4–95.2)
        model.save("model/")
    """
    loaded, options = load_dataset(data, labels=labels, groups=groups), options or Options()
    clock, budget = _Clock(), Budget(options.seconds)
    loaded, exclusions = apply_plan(loaded, options.exclude)
    options = settle_options(options, loaded, budget)
    step(1, _STEPS, f"looking at {quantity(len(loaded.samples), 'image')}")
    prepared = _prepared(loaded, options)
    clock.lap("embedding")
    division = divide(prepared.samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    claims = duplicate_claims(prepared, division.fit, seed=options.seed, cache=options.cache)
    prepared = narrow_backbones(prepared, division, options) if options.auto else prepared
    rows = rows_of(prepared, division)
    strategies, left_out, notes = plan_strategies(prepared, division, options)
    step(2, _STEPS, f"comparing {quantity(len(strategies), 'way', 'ways')} of transferring, {_limit(options)}")
    race = run_race(strategies, rows, options, budget)
    left_out += _not_begun(strategies, race)
    clock.lap("comparing")
    winner = strategies[race.best.strategy]
    step(3, _STEPS, f"fitting the best: {_choice(winner)}, {race.estimate} {race.metric}")
    fitted = winner.fit(rows, race.configuration)
    rows = rows.seen_as(fitted.X, weight_fingerprints(fitted.parts))
    step(4, _STEPS, "testing how far its confidence can be trusted, a few seconds more")
    calibration = calibrate_scores(race.out_of_fold, rows)
    predictor = Predictor(rows.classes, fitted.parts, fitted.form, calibration.calibration)
    layers = _last_layers(predictor, prepared, division.fit)
    trust = fit_trust(
        calibration,
        rows,
        fitted.parts,
        layers=layers,
        guarantee=options.guarantee,
        keep_rows=options.keep_training,
    )
    held_out, trust = _held_out(replace(predictor, trust=trust.record), trust, prepared, division, options)
    kept, unkept = rows_to_save(rows, keep=options.keep_training)
    clock.lap("fitting")
    issues = _suspects(loaded, prepared, division, calibration)
    suspects = tuple(issue for issue in issues if issue.row >= 0)
    notes = (
        *claim_notes(prepared.notes, prepared.duplicates.note, claims),
        *division.notes,
        *notes,
        *(note for strategy in strategies for note in strategy.notes),
        *fitted.notes,
        *_stopped(race, options),
        *trust.notes,
        *unkept,
        *(issue.sentence for issue in issues if issue.row < 0),
    )
    return Model(
        predictor=replace(predictor, trust=trust.record),
        race=race,
        about=winner.about,
        head=winner.head,
        calibration=calibration,
        trust=trust,
        held_out=held_out,
        left_out=tuple(left_out),
        failures=prepared.failures,
        data=replace(
            data_facts(loaded, prepared, division),
            claims=claims,
            exclusions=exclusions,
            precision=options.run.choose_device().precision,
        ),
        training=options.training,
        notes=tuple(dict.fromkeys(notes)),
        seconds=clock.laps,
        rows=kept,
        suspects=suspects,
    )


def _suspects(
    loaded: Dataset, prepared: Prepared, division: Division, calibration: CalibrationChoice
) -> tuple[Finding, ...]:
    """Images with a label issue or a quality issue; in place of very many label issues one finding of no image."""
    seen, used = prepared.thumbnails, set(prepared.samples.names)
    issues = () if seen is None else quality_issues(seen, loaded.samples.names)
    quality = tuple(issue for issue in issues if issue.name in used)
    labels, _ = label_issues(prepared.samples.take(division.fit), calibration.crossed.mean(axis=0), division.fit)
    return (*labels, *quality)


def _choice(strategy: Strategy) -> str:
    return f"{strategy.about.name} on {short_features(strategy.about.features)}"


def _limit(options: Options) -> str:
    return "to their end" if math.isinf(options.seconds) else f"for at most {format_seconds(options.seconds)} in all"


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
    return prepare(loaded, options.backbones, options.run, weights=options.weights, fit=options.fit)


def _not_begun(strategies: Sequence[Strategy], race: RaceResult) -> list[LeftOut]:
    """The strategies that the race did not begin, and why."""
    return [
        LeftOut(strategies[number].about.name, strategies[number].about.features, reason)
        for number, reason in race.not_begun.items()
    ]


def _stopped(race: RaceResult, options: Options) -> tuple[str, ...]:
    """A note on a comparison that did not come to its end."""
    if not race.stopped:
        return ()
    more = (
        ""
        if math.isinf(options.seconds)
        else f" (--budget {format_seconds(options.seconds)}; more time would try more)"
    )
    return (f"The comparison ended early: {race.stopped}{more}. What was scored is kept for the next run.",)


def _held_out(
    predictor: Predictor, trust: TrustFit, prepared: Prepared, division: Division, options: Options
) -> tuple[Evaluation | None, TrustFit]:
    """The winner's scores on the split that was kept apart, None where there is none; and what is kept of them."""
    index = division.held_out
    if not len(index):
        return None, trust
    samples = prepared.samples.take(index)
    device = choose_device(options.device, precision=FULL)
    X = _features(predictor, prepared, index)
    if X is None:  # a fine-tuned network has not seen these images yet
        predictions = predictor.predict(samples.images, names=samples.names, device=device)
    elif device != options.run.choose_device():  # they are at hand in a quicker precision than that of predictions
        predictions = predictor.predict(samples.images, names=samples.names, device=device, cache=options.cache)
    else:
        layers = _last_layers(predictor, prepared, index)
        stacked = None if layers is None else np.hstack(list(layers.values()))
        predictions = predictor.answer(Features(X, samples.names, layers=stacked))
    card = scorecard(samples.labels, predictions.probabilities, samples.classes, groups=samples.groups)
    return Evaluation(len(index), card), add_held_out(trust, predictions, samples.labels, samples.groups)


def _features(predictor: Predictor, prepared: Prepared, index: Ints) -> Floats | None:
    """What the predictor's head looks at, from the embeddings at hand; None where they are of other weights."""
    tables = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    parts = predictor.parts
    if any(part.backbone.weights not in tables for part in parts):
        return None
    return join_parts([tables[part.backbone.weights] for part in parts], [part.taps for part in parts]).X[index]


def _last_layers(predictor: Predictor, prepared: Prepared, index: Ints) -> dict[str, Floats] | None:
    """What novelty looks at: tap name → (n, d), from the embeddings at hand; None where they are of other weights."""
    tables = dict(zip((b.weights for b in prepared.backbones), prepared.embedded, strict=True))
    table = tables.get(predictor.parts[0].backbone.weights)
    return None if table is None else {tap: table.taps[tap][index] for tap in list(table.taps)[-MOST_LAYERS:]}

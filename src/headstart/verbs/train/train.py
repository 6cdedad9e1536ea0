"""The whole line for image classification: data → embeddings → out-of-fold comparison → the winner, fitted and saved.

`train` takes a folder, a table or lists and returns a `Model` with its measured accuracy. It keeps a test
split (or, where there is none, a validation split) apart until the very end. It does not choose what to measure:
`pipeline.candidates` does for heads, `pipeline.defaults` or the user for fine-tunes; how long, the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from headstart.checks import join_words, quantity
from headstart.choose.budget import Budget
from headstart.choose.race import RaceResult
from headstart.choose.strategy import LeftOut
from headstart.data.cleaning_plan import apply_plan
from headstart.data.modality import modality_of
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide, hold_out
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe
from headstart.heads.side_by_side import blas_threads
from headstart.model.facts import AccuracyClaims
from headstart.model.golden import golden_images
from headstart.model.model import Model
from headstart.model.predictor import Predictor
from headstart.model.rows import rows_to_save, weight_fingerprints
from headstart.pipeline.comparison import rows_of, run_race
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, data_facts, prepare
from headstart.pipeline.series import group_by as group_by_rule
from headstart.pipeline.series import hold_series
from headstart.pipeline.shortlist import narrow_backbones
from headstart.pipeline.strategies import Compared, plan_strategies, settle_options
from headstart.pipeline.trust import calibrate_scores, fit_trust
from headstart.progress import step
from headstart.records.arrays import Ints
from headstart.records.rows import Rows
from headstart.trust.calibration.choose import CalibrationChoice
from headstart.verbs.audit.findings import Finding
from headstart.verbs.audit.suspects import label_issues, quality_issues
from headstart.verbs.spatial.python import refuse_training
from headstart.verbs.train.clock import Clock
from headstart.verbs.train.copy_claims import claim_notes, duplicate_claims
from headstart.verbs.train.held_out import last_layers, score_held_out
from headstart.verbs.train.words import (
    choice_words,
    forecast_words,
    in_part_notes,
    limit_words,
    list_not_begun,
    stopped_notes,
)

_STEPS = 4


def train(
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    options: Options | None = None,
    backbones: str | Sequence[str] = "auto",
    heads: str | Sequence[str] | None = None,
    strategies: str | Sequence[str] | None = None,
    budget: float | str | None = None,
    holdout: float | str | None = None,
    max_error: float | str | None = None,
    confidence: float | str = 0.95,
    per_class: bool = False,
    metric: str = "accuracy",
    fit: str = "auto",
    group_by: str = "auto",
    class_weight: str | None = None,
    min_gain: float | str = 0.005,
    folds: int | None = None,
    repeats: int | None = None,
    recipe: Recipe | None = None,
    weights: str | None = None,
    exclude: str | None = None,
    unlabelled: str | None = None,
    max_unreadable: float | str = 0.05,
    keep_training: bool = True,
    keep_images: bool = True,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> Model:
    """Measure the ways of transferring on labelled images, and fit the one that pays.

    A share is 0.05 or "5%", a time is seconds or "30s", "5m", "1h"; several names may be one text ("ridge, probe").

    Parameters
    ----------
    data : path, sequence of n images, or dataset
        A folder of class folders (with or without train/val/test inside), a CSV/TSV/Parquet table, a Hugging Face
        `datasets.Dataset`, a `Dataset`, or paths, PIL images or arrays with `labels`.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n names, optional
        Images of one group are never parted between folds.
    options : Options, optional
        All of what follows in one record; then nothing of it may be given besides.
    backbones : str or sequence of str
        Names of the backbones to embed with; 'auto' for the packaged ones and what the budget allows.
    heads : str or sequence of str, optional
        Heads to compare, and no others; None for all that are cheap enough.
    strategies : str or sequence of str, optional
        Fine-tunes (or heads) to compare, and no others; 'auto' or None lets the budget decide, 'frozen' is heads alone.
    budget : float or str, optional
        How long the run may take; None for five minutes, or for no limit where heads or strategies are named.
    holdout : float or str, optional
        The share of the images that is kept apart as a test part.
    max_error : float or str, optional
        The share of automatically accepted predictions that may be wrong.
    confidence : float or str
        The confidence of that guarantee.
    per_class : bool
        Guarantee it for each predicted class.
    metric : str
        'accuracy', 'balanced-accuracy' or 'macro-f1'.
    fit : str
        How an image becomes a square: 'crop', 'squeeze' or 'pad'; 'auto' measures that where many images are long.
    group_by : str
        What shows one thing and is held together: 'auto' looks for series, 'none', 'folder', 'exif-time', 'name:REGEX'.
    class_weight : str, optional
        'balanced' weighs every class alike.
    min_gain : float or str
        How much better a costlier model must be.
    folds, repeats : int, optional
        Of the cross-validation; None derives them from the number of images and classes.
    recipe : Recipe, optional
        How fine-tunes train.
    weights : str, optional
        A checkpoint for the one backbone that is named.
    exclude : str, optional
        A plan that `audit` has written and a person has read.
    unlabelled : str, optional
        A folder of unlabelled images of the same kind, which may join in training.
    max_unreadable : float or str
        The share of unreadable images above which the run stops.
    keep_training : bool
        Save the embeddings of the training images with the model, so that it can be extended.
    keep_images : bool
        Save up to 16 training images as pixels with the model, so that an export can be compared with it.
    seed : int
        Of everything that is drawn.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings and scores for the next run.

    Returns
    -------
    Model
        The fitted model with its measured score; `save` writes it.

    Raises
    ------
    DataError
        Where the data cannot carry a measurement.
    OptionError
        For an option out of its range.

    Examples
    --------
    ::

        model = headstart.train("photos/", budget="1m", max_error="2%")
        model.save("model/")
    """
    arguments = {name: value for name, value in locals().items() if name in _OPTIONS}
    options = _settled(options, arguments)
    clock, budget_left = Clock(), Budget(options.seconds)
    refuse_training(data, labels)
    loaded, exclusions = apply_plan(load_dataset(data, labels=labels, groups=groups), options.exclude)
    loaded = group_by_rule(loaded, options.group_by)
    options = settle_options(options, loaded, budget_left)
    return _train(loaded, exclusions, options, clock, budget_left)


_OPTIONS = frozenset(field.name for field in fields(Options))


def _settled(options: Options | None, arguments: Mapping[str, Any]) -> Options:
    """The options as one record; `OptionError` where they were given both ways."""
    arguments = {**arguments, "recipe": arguments["recipe"] or Recipe()}
    if options is None:
        return Options(**arguments)
    record = Options(**arguments)
    twice = sorted(name for name in arguments if getattr(record, name) != getattr(Options(), name))
    if twice:
        raise OptionError(
            f"{join_words(twice)} cannot be given beside options: write it into Options(…), or leave that."
        )
    return options


def _train(loaded: Dataset, exclusions: Any, options: Options, clock: Clock, budget: Budget) -> Model:
    contest = _compare(loaded, options, clock, budget)
    prepared, division, race, winner = contest.prepared, contest.division, contest.race, contest.winner
    score = f"{race.estimate} {race.metric}"
    step(3, _STEPS, f"fitting the best: {choice_words(winner)}, {score}{forecast_words(race.best)}")
    fit = winner.fit(contest.rows, race.configuration)
    rows = contest.rows.seen_as(fit.X, weight_fingerprints(fit.parts))
    step(4, _STEPS, "testing how far its confidence can be trusted, a few seconds more")
    with blas_threads(1):  # its own threads wait for each other where the machine is busy
        judged = rows.take(race.scored)
        calibration = calibrate_scores(race.out_of_fold, judged)
        predictor = Predictor(rows.classes, fit.parts, fit.form, calibration.calibration)
        layers = last_layers(predictor, prepared, division.fit)
        trust = fit_trust(
            calibration, judged, fit.parts, layers=layers, guarantee=options.guarantee, keep_rows=options.keep_training
        )
        held_out, trust = score_held_out(replace(predictor, trust=trust.record), trust, prepared, division, options)
        saved_rows, row_notes = rows_to_save(rows, keep=options.keep_training)
        clock.lap("fitting")
        issues = _suspects(loaded, prepared, division.fit[race.scored], calibration)
    whole = tuple(issue.sentence for issue in issues if issue.row < 0)
    notes = (
        *stopped_notes(race, options),
        *in_part_notes(race, len(rows)),
        *contest.notes,
        *fit.notes,
        *trust.notes,
        *row_notes,
        *whole,
    )
    facts = data_facts(loaded, prepared, division)
    precision = options.run.choose_device().precision
    return Model(
        predictor=replace(predictor, trust=trust.record),
        race=race,
        about=winner.about,
        head=fit.head or winner.head,
        calibration=calibration,
        trust=trust,
        held_out=held_out,
        left_out=contest.left_out,
        failures=prepared.failures,
        data=replace(facts, claims=contest.claims, exclusions=exclusions, precision=precision),
        training=options.training,
        notes=tuple(dict.fromkeys(modality_of(loaded.samples).say(note) for note in notes)),
        seconds=clock.laps,
        rows=saved_rows,
        golden=golden_images(prepared.samples.take(division.fit[race.scored]), calibration.crossed.mean(axis=0))
        if options.keep_images
        else None,
        suspects=tuple(issue for issue in issues if issue.row >= 0),
    )


@dataclass(frozen=True, eq=False)
class _Contest:
    """What was compared on which rows, what came of it, and notes on the data and the strategies."""

    prepared: Prepared
    division: Division
    claims: AccuracyClaims | None
    rows: Rows
    race: RaceResult
    winner: Compared
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def _compare(loaded: Dataset, options: Options, clock: Clock, budget: Budget) -> _Contest:
    """Embed the images, divide them, and compare the strategies."""
    step(1, _STEPS, f"looking at {quantity(len(loaded.samples), modality_of(loaded.samples).noun)}")
    prepared = _prepared(loaded, options)
    clock.lap("embedding")
    prepared, apart = _hold_out(prepared, options)
    division = divide(prepared.samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    division = replace(division, notes=apart or division.notes)
    claims = duplicate_claims(prepared, division.fit, seed=options.seed, cache=options.cache)
    prepared = narrow_backbones(prepared, division, options) if options.auto else prepared
    rows = rows_of(prepared, division)
    strategies, left_out, notes = plan_strategies(prepared, division, options, left=budget.left)
    step(2, _STEPS, f"comparing {quantity(len(strategies), 'way', 'ways')} of transferring, {limit_words(options)}")
    race = run_race(strategies, rows, options, budget)
    clock.lap("comparing")
    return _Contest(
        prepared,
        division,
        claims,
        rows,
        race,
        strategies[race.best.strategy],
        (*left_out, *list_not_begun(strategies, race)),
        (
            *claim_notes(prepared.notes, prepared.duplicates.note, claims),
            *division.notes,
            *notes,
            *(note for strategy in strategies for note in strategy.notes),
        ),
    )


def _hold_out(prepared: Prepared, options: Options) -> tuple[Prepared, tuple[str, ...]]:
    """The prepared data with a test part where one is wanted, and a note on it."""
    if options.holdout is None:
        return prepared, ()
    samples, note = hold_out(prepared.samples, options.holdout, seed=options.seed)
    return replace(prepared, samples=samples), (note,)


def _suspects(loaded: Dataset, prepared: Prepared, judged: Ints, calibration: CalibrationChoice) -> tuple[Finding, ...]:
    """Images with a label issue or a quality issue; in place of very many label issues one finding of no image.

    judged: the samples that the calibration's probabilities are of.
    """
    thumbnails, names = prepared.thumbnails, set(prepared.samples.names)
    issues = () if thumbnails is None else quality_issues(thumbnails, loaded.samples.names)
    quality = tuple(issue for issue in issues if issue.name in names)
    labels, _ = label_issues(prepared.samples.take(judged), calibration.crossed.mean(axis=0), judged)
    return (*labels, *quality)


def _prepared(loaded: Dataset, options: Options) -> Prepared:
    prepared = prepare(loaded, options.backbones, options.run, weights=options.weights, fit=options.fit)
    return hold_series(prepared, options.group_by)

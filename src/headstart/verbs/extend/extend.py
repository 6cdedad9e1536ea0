"""Adding classes or images to a trained model, in seconds: the head is fitted anew over old and new rows together.

The old rows' embeddings lie in the bundle (`model.rows`) or are made from the old images; only new images
pass the backbone. The head and its setting stay what training chose; old images keep their folds, so that accuracy
before and after is compared on the same images and folds. Backbones are never trained here; a setting is chosen anew
only where that is asked for, and for a fine-tuned model, which gets a ridge head.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart import checks, fingerprint
from headstart.checks import join_words
from headstart.choose.race import RaceResult, race
from headstart.choose.scoring import Candidate
from headstart.data.duplicates.near import join_groups
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset as load_data
from headstart.data.splits import assign_folds
from headstart.errors import DataError, OptionError
from headstart.heads.base import PathScores
from headstart.metrics.class_report import scorecard
from headstart.model import bundle
from headstart.model.evaluation import Evaluation
from headstart.model.load import load_model
from headstart.model.predictor import Predictor
from headstart.model.refit import HeadRecipe, read_recipe
from headstart.model.rows import TrainingRows, read_rows, rows_to_save
from headstart.pipeline.candidates import Plan, prediction_cost
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import DataFacts
from headstart.pipeline.trust import TrustFit, calibrate_scores, fit_trust
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.choose import CalibrationChoice
from headstart.verbs.extend.arrivals import NewRows, embed_new_rows, rows_from_images
from headstart.verbs.extend.before_after import BeforeAfter, before_after
from headstart.verbs.train.result import Trained


@dataclass(frozen=True, eq=False)
class Extended:
    """A model that knows the old classes and the new ones.

    trained: the extended model, ready to `save`. report: the old classes before and after. how: what was done, in
    words. new_classes: what it did not know before.
    """

    trained: Trained
    report: BeforeAfter
    how: str
    new_classes: tuple[str, ...]

    def manifest(self) -> dict[str, Any]:
        """Everything known of the extended model, as JSON-like values."""
        return self.trained.manifest()

    def save(self, folder: Path | str, *, command: Sequence[str] = ()) -> None:
        """Write the extended bundle to `folder`: whole or not at all."""
        self.trained.save(folder, command=command)


@dataclass(frozen=True, eq=False)
class _Known:
    """A head whose scores have been computed already."""

    found: PathScores

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """The scores, whatever is asked."""
        return self.found


def extend(
    model: Path | str,
    new: Any,
    *,
    old: Any = None,
    retune: bool = False,
    max_unreadable: float = 0.05,
    device: str = "auto",
    cache: bool = True,
    keep_training: bool = True,
) -> Extended:
    """Add labelled images, of new classes or of known ones, to a saved model.

    new: a folder of class folders, a table, or a `Loaded` of `data.sources.load.load_dataset`; images that the model
    was trained on already are left out. old: what the model was trained on, for a bundle that does not hold the
    embeddings of it.
    retune: choose the head's setting anew, on all images, instead of keeping what training chose on the old ones.
    keep_training: whether the extended bundle holds them.
    Raises `BundleError` for what is no model, `OptionError` where `old` is needed, `DataError` where nothing is new.
    """
    begun = time.perf_counter()
    new, old = _loaded(new), None if old is None else _loaded(old)
    checks.between("max_unreadable", max_unreadable, 0, 1)
    predictor, saved = load_model(model), bundle.read_bundle(model)
    recipe = read_recipe(predictor, saved, retune=retune)
    rows, said = _old_rows(saved, predictor, old, device, cache)
    added = embed_new_rows(new, rows, predictor.parts, device=device, cache=cache, max_unreadable=max_unreadable)
    rows = rows.without(set(added.contradicted))
    embedded = time.perf_counter()
    together = _together(rows, added, recipe.seed)
    plan, how = _plan(recipe, together.X, predictor, saved), recipe.words()
    found, report, calibration, extended = _measured(recipe, rows, together, plan)
    options = _options(
        recipe, together, max_unreadable=max_unreadable, device=device, cache=cache, keep_training=keep_training
    )
    trust, unsaid = _trust(recipe, predictor, calibration, plan, together, options)
    extended = replace(extended, trust=None if trust is None else trust.record)
    training, unkept = rows_to_save(together, wanted=keep_training, tuned=False)
    notes = (*said, *added.notes, *_cautions(predictor, report), *unsaid, *unkept)
    fresh = tuple(name for name in together.classes if name not in predictor.classes)
    trained = Trained(
        predictor=extended,
        calibration=calibration,
        trust=trust,
        race=found,
        plan=plan,
        held_out=_held_out(extended, added),
        left_out=(),
        failures=added.failures,
        data=_facts(new, together, added),
        notes=tuple(dict.fromkeys(notes)),
        options=options,
        seconds={"embedding": embedded - begun, "fitting": time.perf_counter() - embedded},
        training=training,
        extension={
            "extended_from": _origin(saved, rows),
            "extension": {"how": how, "new_classes": list(fresh), "added": len(added.labels), **report.to_dict()},
        },
    )
    return Extended(trained, report, how, fresh)


def _options(
    recipe: HeadRecipe, rows: TrainingRows, *, max_unreadable: float, device: str, cache: bool, keep_training: bool
) -> Options:
    """The options of a training run that would have done the same."""
    return Options(
        backbones=recipe.backbones,
        heads=(recipe.name,),
        metric=recipe.metric,
        class_weight=recipe.class_weight,
        folds=int(rows.folds.max()) + 1,
        repeats=len(rows.folds),
        seed=recipe.seed,
        max_unreadable=max_unreadable,
        device=device,
        cache=cache,
        keep_training=keep_training,
    )


def _trust(
    recipe: HeadRecipe,
    old: Predictor,
    calibration: CalibrationChoice,
    plan: Plan,
    rows: TrainingRows,
    options: Options,
) -> tuple[TrustFit | None, tuple[str, ...]]:
    """What promises are made from: out-of-fold answers of old and new rows. New held-out images alone would not do.

    The promise asked for by default stays that of the old model.
    """
    if recipe.tuned:  # the network was trained on the old rows, those of every fold
        return None, (
            "No promise can be made of it (triage, sets), and novelty is not watched: 'headstart train' can.",
        )
    if old.trust is not None and old.trust.asked is not None:
        asked = old.trust.asked
        options = replace(options, max_error=asked.max_error, confidence=asked.confidence)
    found = fit_trust(calibration, rows.X, plan.parts, rows.labels, rows.folds, rows.groups, options)
    return found, found.notes


def _loaded(data: Any) -> Dataset:
    return data if isinstance(data, Dataset) else load_data(data)


def _old_rows(
    saved: bundle.Bundle, predictor: Predictor, old: Dataset | None, device: str, cache: bool
) -> tuple[TrainingRows, tuple[str, ...]]:
    if old is not None:
        return rows_from_images(old, predictor, saved.manifest, device=device, cache=cache)
    rows = read_rows(saved, predictor.classes, predictor.parts)
    if rows is None:
        raise OptionError(
            f"{saved.folder} does not hold the embeddings of its training images (an older model, a fine-tuned one, a "
            "very large one, or --no-keep-training): give the images that it was trained on with --old-data."
        )
    return rows, ()


def _together(rows: TrainingRows, added: NewRows, seed: int) -> TrainingRows:
    """Old rows, then new ones; the old keep their folds, and the new are dealt out over the same folds."""
    classes = tuple(sorted({*rows.classes, *added.used}))
    labels = np.concatenate([_renumbered(rows.labels, rows.classes, classes), added.numbered(classes)])
    groups = _groups(rows, added)
    dealt = assign_folds(
        labels,
        groups,
        count=int(rows.folds.max()) + 1,
        repeats=len(rows.folds),
        seed=seed,
        classes=classes,
    )
    dealt[:, : len(rows)] = rows.folds
    _keep_with_old(dealt, groups, labels, len(rows), classes)
    X = np.concatenate([rows.X, added.X])
    return TrainingRows(X, labels, dealt, (*rows.content, *added.content), classes, rows.weights, groups)


def _keep_with_old(dealt: Ints, groups: Ints | None, labels: Ints, old: int, classes: Sequence[str]) -> None:
    """Move new rows that share a group with old ones into their folds; the old keep theirs."""
    if groups is None:
        return
    shared, first = np.unique(groups[:old], return_index=True)
    place = np.minimum(np.searchsorted(shared, groups), len(shared) - 1)
    new = np.flatnonzero(shared[place] == groups)
    new = new[new >= old]
    dealt[:, new] = dealt[:, first[place[new]]]
    for label in np.unique(labels[new]):
        if any(len(np.unique(fold[labels == label])) < 2 for fold in dealt):
            raise DataError(
                f"the images of {classes[label]!r} repeat old ones that were measured in one fold, so the class cannot "
                "be measured: add other images of it, or train on all images anew."
            )


def _renumbered(labels: Ints, own: Sequence[str], classes: Sequence[str]) -> Ints:
    return np.array([classes.index(name) for name in own], dtype=np.int64)[labels]


def _groups(rows: TrainingRows, added: NewRows) -> Ints | None:
    place = {content: row for row, content in enumerate(rows.content)}
    linked = [(place[content], len(rows) + i) for i, content in enumerate(added.copy_of) if content in place]
    if rows.groups is None and added.groups is None and not linked:
        return None
    old = np.arange(len(rows)) if rows.groups is None else np.unique(rows.groups, return_inverse=True)[1]
    count = len(added.labels)
    new = np.arange(count) if added.groups is None else np.unique(added.groups, return_inverse=True)[1]
    return join_groups(np.concatenate([old, int(old.max()) + 1 + new]).astype(np.int64), tuple(linked))


def _measured(
    recipe: HeadRecipe, old: TrainingRows, rows: TrainingRows, plan: Plan
) -> tuple[RaceResult, BeforeAfter, CalibrationChoice, Predictor]:
    """The extended head out of fold, the old one beside it, and the extended predictor."""
    begun = time.perf_counter()
    found = recipe.head(recipe.setting or {}).path_scores(rows.X, rows.labels, rows.folds)
    seconds = time.perf_counter() - begun
    raced = race(
        [replace(plan.candidate, head=_Known(found))],
        rows.labels,
        rows.folds,
        classes=rows.classes,
        groups=rows.groups,
        metric=recipe.metric,
        seed=recipe.seed,
    )
    setting = raced.setting
    former = recipe.head(recipe.former or setting).path_scores(old.X, old.labels, old.folds)
    report = before_after(
        rows.labels,
        _renumbered(former.scores[0].argmax(axis=-1), old.classes, rows.classes),
        found.scores[found.configurations.index(dict(setting))].argmax(axis=-1),
        rows.classes,
        sorted(set(rows.classes) - set(old.classes)),
        groups=rows.groups,
    )
    form = recipe.head(setting).fit(rows.X, rows.labels).form_
    one = "with one setting, not a comparison" if recipe.setting is not None else "of one head"
    method = f"out of fold {one}; {raced.estimate.method}"
    entry = replace(raced.best, seconds=seconds)
    raced = replace(raced, entries=(entry,), estimate=replace(raced.estimate, method=method))
    calibration = calibrate_scores(raced, rows.labels, rows.folds, rows.groups)
    return raced, report, calibration, Predictor(rows.classes, plan.parts, form, calibration.calibration)


def _plan(recipe: HeadRecipe, X: Floats, predictor: Predictor, saved: bundle.Bundle) -> Plan:
    head = saved.manifest["head"]
    name = recipe.name if recipe.tuned else str(head["candidate"])
    candidate = Candidate(name, str(head["features"]), X, recipe.head({}), prediction_cost(predictor.parts))
    return Plan(candidate, recipe.name, recipe.signed_sqrt, predictor.parts)


def _held_out(predictor: Predictor, added: NewRows) -> Evaluation | None:
    """The extended model on the new images that were kept apart; None where there are none."""
    if not len(added.held_rows):
        return None
    card = scorecard(
        added.held_numbered(predictor.classes), predictor.probabilities(added.held_rows), predictor.classes
    )
    return Evaluation(len(added.held_rows), card)


def _facts(new: Dataset, rows: TrainingRows, added: NewRows) -> DataFacts:
    labels = [rows.classes[k] for k in rows.labels]
    sizes = np.bincount(rows.labels, minlength=len(rows.classes)).tolist()
    return DataFacts(
        images=len(rows),
        counts=dict(zip(rows.classes, sizes, strict=True)),
        held_out=len(added.held_rows),
        folds=int(rows.folds.max()) + 1,
        repeats=len(rows.folds),
        fingerprint=fingerprint.hash_parts(list(rows.content), labels),
        ignored=dict(new.ignored),
        cached=added.cached,
    )


def _origin(saved: bundle.Bundle, rows: TrainingRows) -> dict[str, Any]:
    return {
        "manifest": fingerprint.hash_file(saved.folder / bundle.MANIFEST),
        "headstart": saved.manifest.get("headstart"),
        "classes": list(rows.classes),
        "images": len(rows),
    }


def _cautions(predictor: Predictor, report: BeforeAfter) -> list[str]:
    notes = []
    tuned = sorted({part.backbone.name for part in predictor.parts if part.backbone.changes is not None})
    if tuned:
        notes.append(
            f"{join_words(tuned)} was fine-tuned on the old images: it was not trained on the new ones, and its "
            "features "
            "flatter the old classes, before and after alike; evaluate on images that took no part, or train again."
        )
    if report.gain.high < 0:
        notes.append(
            f"The old classes lost accuracy, beyond chance: {100 * report.gain.value:+.1f} points. More classes are a "
            "harder question; whether another head answers it better, 'headstart train' on all images measures."
        )
    return notes

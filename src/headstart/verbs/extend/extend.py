"""Adding classes or images to a trained model, in seconds: the head is fitted anew over old and new rows together.

The old rows' embeddings lie in the bundle (`model.rows`) or are made from the old images; only new images
pass the backbone. The head and its configuration stay what training chose; old images keep their folds, so that
accuracy before and after is compared on the same images and folds. Backbones are never trained here; a configuration is
chosen anew only where that is asked for, and for a fine-tuned model, which gets a ridge head.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart import checks, fingerprint
from headstart.choose.race import RaceResult, race
from headstart.choose.strategy import About
from headstart.data.duplicates.near import join_groups
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import assign_folds
from headstart.device import Device
from headstart.errors import DataError, OptionError
from headstart.metrics.class_report import scorecard
from headstart.model import bundle
from headstart.model.evaluation import Evaluation
from headstart.model.facts import DataFacts, TrainingFacts
from headstart.model.golden import read_golden
from headstart.model.load import load_with_bundle
from headstart.model.model import Model
from headstart.model.predictor import Predictor
from headstart.model.refit import HeadRecipe, read_recipe
from headstart.model.rows import read_rows, rows_to_save
from headstart.model.trust import TrustFit
from headstart.pipeline.candidates import HeadStrategy, prediction_cost
from headstart.pipeline.trust import calibrate_scores, fit_trust
from headstart.records.arrays import Ints
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from headstart.trust.calibration.choose import CalibrationChoice
from headstart.verbs.extend.arrivals import NewRows, embed_new_rows, rows_from_images
from headstart.verbs.extend.before_after import BeforeAfter, before_after

_NO_GUARANTEE = "It gives no guarantee (triage, sets) and has no novelty score: a model of 'headstart train' has both."


@dataclass(frozen=True, eq=False)
class Extended:
    """A model that knows the old classes and the new ones.

    Attributes
    ----------
    model : Model
        The extended model, ready to `save`.
    report : BeforeAfter
        The old classes before and after.
    how : str
        What was done, in words.
    new_classes : tuple of str
        What it did not know before.
    """

    model: Model
    report: BeforeAfter
    how: str
    new_classes: tuple[str, ...]

    def manifest(self) -> dict[str, Any]:
        """Everything known of the extended model, as JSON-like values."""
        return self.model.manifest()

    def save(self, folder: Path | str, *, overwrite: bool = False, command: Sequence[str] = ()) -> None:
        """Write the extended bundle to `folder`: whole or not at all. overwrite: replace a model that lies there."""
        self.model.save(folder, overwrite=overwrite, command=command)


def extend(
    model: Path | str | Predictor,
    new: Any,
    *,
    old: Any = None,
    retune: bool = False,
    max_unreadable: float = 0.05,
    device: str | Device = "auto",
    cache: bool = True,
    keep_training: bool = True,
) -> Extended:
    """Add labelled images, of new classes or of known ones, to a saved model.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or what `load` made of it; it stays as it is.
    new : path or dataset
        A folder of class folders, a table, or a `Dataset`. Images that the model was trained on already are left out.
    old : path or dataset, optional
        What the model was trained on, for a bundle that does not hold the embeddings of it.
    retune : bool
        Choose the head's configuration anew, on all images, instead of keeping what training chose on the old ones.
    max_unreadable : float
        The share of unreadable images, 0 to 1, above which nothing is done.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep embeddings for the next run.
    keep_training : bool
        Whether the extended bundle holds the embeddings of its training images.

    Returns
    -------
    Extended
        The extended model, ready to `save`, and the old classes' scores before and after.

    Raises
    ------
    BundleError
        `model` is no saved model.
    OptionError
        `old` is needed and was not given.
    DataError
        Nothing is new, or the new images cannot be read.

    Examples
    --------
    ::

        extended = headstart.extend("model/", "new-photos/")
        print(extended.new_classes, extended.report.gain)
        extended.save("model-2/")
    """
    begun = time.perf_counter()
    new, old = load_dataset(new), None if old is None else load_dataset(old)
    checks.between("max_unreadable", max_unreadable, 0, 1)
    predictor, saved = load_with_bundle(model)
    recipe = read_recipe(predictor, saved, retune=retune)
    old_rows, old_notes = _old_rows(saved, predictor, old, device, cache)
    added = embed_new_rows(new, old_rows, predictor.parts, device=device, cache=cache, max_unreadable=max_unreadable)
    old_rows = old_rows.without(set(added.contradicted))
    embedded = time.perf_counter()
    rows = _together(old_rows, added, recipe.seed)
    strategy = _strategy(recipe, rows, predictor, saved)
    result = race([strategy], rows, metric=recipe.metric, seed=recipe.seed)
    report = _before_after(recipe, old_rows, rows, strategy, result)
    calibration = calibrate_scores(result.out_of_fold, rows)
    fitted = strategy.fit(rows, result.configuration)
    trust, trust_notes = _trust(recipe, predictor, calibration, rows, keep_rows=keep_training)
    record = None if trust is None else trust.record
    extended = Predictor(rows.classes, fitted.parts, fitted.form, calibration.calibration, trust=record)
    saved_rows, save_notes = rows_to_save(rows, keep=keep_training)
    notes = (*old_notes, *added.notes, *_cautions(predictor, report), *trust_notes, *save_notes)
    new_classes = tuple(name for name in rows.classes if name not in predictor.classes)
    return Extended(
        Model(
            predictor=extended,
            race=result,
            about=strategy.about,
            head=strategy.head,
            calibration=calibration,
            trust=trust,
            held_out=_held_out(extended, added),
            left_out=(),
            failures=added.failures,
            data=_facts(new, rows, added),
            training=TrainingFacts(recipe.metric, recipe.class_weight, recipe.seed, rows.fold_count, len(rows.folds)),
            notes=tuple(dict.fromkeys(notes)),
            seconds={"embedding": embedded - begun, "fitting": time.perf_counter() - embedded},
            rows=saved_rows,
            golden=read_golden(saved),
            extension={
                "extended_from": _origin(saved, old_rows),
                "extension": _extension(recipe, report, added, new_classes),
            },
        ),
        report,
        recipe.words(),
        new_classes,
    )


def _extension(recipe: HeadRecipe, report: BeforeAfter, added: NewRows, new: Sequence[str]) -> Mapping[str, Any]:
    return {
        "how": recipe.words(),
        "new_classes": list(new),
        "added": len(added.labels),
        **report.to_dict(),
    }


def _trust(
    recipe: HeadRecipe, old: Predictor, calibration: CalibrationChoice, rows: Rows, *, keep_rows: bool
) -> tuple[TrustFit | None, tuple[str, ...]]:
    """The evidence for guarantees: out-of-fold predictions of old and new rows. New held-out images alone would not do.

    The default guarantee stays that of the old model.
    """
    if recipe.tuned:  # the network was trained on the old rows, those of every fold
        return None, (_NO_GUARANTEE,)
    request = None if old.trust is None else old.trust.default_guarantee
    trust = fit_trust(calibration, rows, old.parts, guarantee=request, keep_rows=keep_rows)
    return trust, trust.notes


def _old_rows(
    saved: bundle.Bundle, predictor: Predictor, old: Dataset | None, device: str | Device, cache: bool
) -> tuple[Rows, tuple[str, ...]]:
    if old is not None:
        return rows_from_images(old, predictor, saved.manifest, device=device, cache=cache)
    rows = read_rows(saved, predictor.classes, predictor.parts)
    if rows is None:
        raise OptionError(
            f"{saved.folder} does not hold the embeddings of its training images (an older model, a fine-tuned one, a "
            "very large one, or --no-keep-training): give the images that it was trained on with --old-data."
        )
    return rows, ()


def _together(rows: Rows, added: NewRows, seed: int) -> Rows:
    """Old rows, then new ones; the old keep their folds, and the new are assigned to the same folds."""
    classes = tuple(sorted({*rows.classes, *added.used}))
    labels = np.concatenate([_renumbered(rows.labels, rows.classes, classes), added.numbered(classes)])
    groups = _groups(rows, added)
    folds = assign_folds(
        labels,
        groups,
        count=rows.fold_count,
        repeats=len(rows.folds),
        seed=seed,
        classes=classes,
    )
    folds[:, : len(rows)] = rows.folds
    _keep_with_old(folds, groups, labels, len(rows), classes)
    X, content = np.concatenate([rows.features, added.X]), (*rows.content, *added.content)
    return Rows(Classes(labels, classes), folds, groups, content, X, rows.weights)


def _keep_with_old(folds: Ints, groups: Ints | None, labels: Ints, old: int, classes: Sequence[str]) -> None:
    """Move new rows that share a group with old ones into their folds; the old keep theirs."""
    if groups is None:
        return
    shared, first = np.unique(groups[:old], return_index=True)
    place = np.minimum(np.searchsorted(shared, groups), len(shared) - 1)
    new = np.flatnonzero(shared[place] == groups)
    new = new[new >= old]
    folds[:, new] = folds[:, first[place[new]]]
    for label in np.unique(labels[new]):
        if any(len(np.unique(fold[labels == label])) < 2 for fold in folds):
            raise DataError(
                f"the images of {classes[label]!r} repeat old ones that were measured in one fold, so the class cannot "
                "be measured: add other images of it, or train on all images anew."
            )


def _renumbered(labels: Ints, names: Sequence[str], classes: Sequence[str]) -> Ints:
    return np.array([classes.index(name) for name in names], dtype=np.int64)[labels]


def _groups(rows: Rows, added: NewRows) -> Ints | None:
    place = {content: row for row, content in enumerate(rows.content)}
    linked = [(place[content], len(rows) + i) for i, content in enumerate(added.copy_of) if content in place]
    if rows.groups is None and added.groups is None and not linked:
        return None
    old = np.arange(len(rows)) if rows.groups is None else np.unique(rows.groups, return_inverse=True)[1]
    count = len(added.labels)
    new = np.arange(count) if added.groups is None else np.unique(added.groups, return_inverse=True)[1]
    return join_groups(np.concatenate([old, int(old.max()) + 1 + new]).astype(np.int64), tuple(linked))


def _strategy(recipe: HeadRecipe, rows: Rows, predictor: Predictor, saved: bundle.Bundle) -> HeadStrategy:
    """The old model's head, or the one that a fine-tuned model gets, over all rows."""
    head = saved.manifest["head"]
    name = recipe.name if recipe.former is None else str(head["candidate"])
    return HeadStrategy(
        About(name, str(head["features"]), prediction_cost(predictor.parts)),
        recipe.name,
        recipe.signed_sqrt,
        predictor.parts,
        rows.features,
        recipe.class_weight,
        recipe.seed,
        fixed=recipe.configuration or {},
    )


def _before_after(recipe: HeadRecipe, old: Rows, rows: Rows, strategy: HeadStrategy, result: RaceResult) -> BeforeAfter:
    """The old classes, out of fold: by the old head on the old rows, and by the extended one."""
    former = strategy.make(recipe.former or result.configuration).path_scores(old.features, old.labels, old.folds)
    return before_after(
        rows.labels,
        _renumbered(former.scores[0].argmax(axis=-1), old.classes, rows.classes),
        result.out_of_fold.argmax(axis=-1),
        rows.classes,
        sorted(set(rows.classes) - set(old.classes)),
        groups=rows.groups,
    )


def _held_out(predictor: Predictor, added: NewRows) -> Evaluation | None:
    """The extended model on the new images that were kept apart; None where there are none."""
    if not len(added.held_rows):
        return None
    card = scorecard(
        added.held_numbered(predictor.classes), predictor.probabilities(added.held_rows), predictor.classes
    )
    return Evaluation(len(added.held_rows), card)


def _facts(new: Dataset, rows: Rows, added: NewRows) -> DataFacts:
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


def _origin(saved: bundle.Bundle, rows: Rows) -> dict[str, Any]:
    return {
        "manifest": fingerprint.hash_file(saved.folder / bundle.MANIFEST),
        "headstart": saved.manifest.get("headstart"),
        "classes": list(rows.classes),
        "images": len(rows),
    }


def _cautions(predictor: Predictor, report: BeforeAfter) -> list[str]:
    notes = []
    tuned = sorted({part.backbone.name for part in predictor.parts if part.backbone.delta is not None})
    if tuned:
        notes.append(
            f"{checks.join_words(tuned)} was fine-tuned on the old images: it was not trained on the new ones, and its "
            "features "
            "flatter the old classes, before and after alike; evaluate on images that took no part, or train again."
        )
    if report.gain.high < 0:
        notes.append(
            f"The old classes lost accuracy, beyond chance: {100 * report.gain.value:+.1f} points. More classes are a "
            "harder question; whether another head answers it better, 'headstart train' on all images measures."
        )
    return notes

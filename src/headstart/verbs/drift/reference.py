"""What a batch of new images is compared with: the rows kept with a model, or images embedded anew.

`kept_rows` takes a bundle and its predictor, `from_images` images that the user gives; both return `Compared`: at most
500 embeddings, an honest answer for each (by a model that was not trained on it) and, where there are any, the
pictures. A fine-tuned network's training images are refused: it knows them, so every batch would differ from them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart.checks import quantity
from headstart.data.duplicates.near import merge_groups
from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.data.sampling import one_per_small_group
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.hub import is_hub_dataset
from headstart.data.sources.load import load_dataset
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.data.splits import assign_folds, folds_for, held_out_rows
from headstart.embed.features import embed_parts
from headstart.errors import DataError, OptionError
from headstart.model.refit import read_recipe
from headstart.model.rows import read_rows
from headstart.pipeline.prepare import search_near_duplicates
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.trust.shift.batch_test import LEAST_REFERENCE, ReferenceSample, draw_reference

if TYPE_CHECKING:
    from headstart.model.bundle import Bundle
    from headstart.model.predictor import Predictor
    from headstart.model.rows import TrainingRows

_NO_SHARES = "whether only the shares of the classes differ is not tested"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a batch is compared with.

    against: the embeddings. predicted: the class number answered for each of them by a model that was not trained on
    it, None where there is no such answer. pictures: what `against.positions` counts, None where only embeddings are
    known. words: what they are, for the user. trained_on: whether the model was trained on just them. notes: for the
    user. content: fingerprints of all the pictures that `against` was drawn from.
    """

    against: ReferenceSample
    predicted: Ints | None
    pictures: Samples | None
    words: str
    trained_on: bool
    content: frozenset[str]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What to call the images."""
        return "training" if self.trained_on else "reference"


def is_fine_tuned(predictor: Predictor) -> bool:
    """Whether a part of the network was trained on the model's own images."""
    return any(part.backbone.delta is not None for part in predictor.parts)


def kept_rows(saved: Bundle, predictor: Predictor, *, seed: int, cache: bool) -> Comparison:
    """The training rows of a bundle.

    Raises `OptionError` where the bundle holds none that a batch could be compared with.
    """
    if is_fine_tuned(predictor):
        raise OptionError(
            f"{saved.folder} is fine-tuned: its network knows the images that it was trained on, so every new batch "
            "would look different from them: give images that took no part in training with --reference."
        )
    rows = read_rows(saved, predictor.classes, predictor.parts)
    if rows is None:
        raise OptionError(
            f"{saved.folder} does not hold the embeddings of its training images (--no-keep-training, an older model "
            "or a very large one): give the images that it was trained on, or others like them, with --reference."
        )
    answers = _out_of_fold(saved, predictor, rows.X, rows.labels, rows.folds, cache=cache)
    against, kept = _chosen(rows.X, rows.groups, seed)
    answered = answers[kept][against.positions]
    return Comparison(against, answered, None, _trained_on(len(against.rows), len(rows)), True, frozenset(rows.content))


def from_images(data: Any, saved: Bundle, predictor: Predictor, *, seed: int, device: str, cache: bool) -> Comparison:
    """Images that the user gives (labels help, and are not needed), embedded anew.

    Raises `OptionError` for the very images that a fine-tuned network was trained on.
    """
    given, notes = _given(data, cache=cache)
    found = embed_parts(given, predictor.parts, device=device, cache=cache)
    if found.failures:
        first = found.failures[0]
        notes += (
            f"{quantity(len(found.failures), 'reference image')} cannot be read (the first: {first.name}: "
            f"{first.reason}).",
        )
    wanted = _fine_tuned_part if is_fine_tuned(predictor) else _training_part
    rows, said = wanted(found.samples, saved)
    samples, X = found.samples.take(rows), found.X[rows]
    known = None if is_fine_tuned(predictor) else read_rows(saved, predictor.classes, predictor.parts)
    answers, why = _answers(samples, X, saved, predictor, known, cache=cache)
    against, kept = _chosen(X, samples.groups, seed)
    answered = None if answers is None else answers[kept][against.positions]
    content = frozenset(samples.content)
    trained_on = known is not None and content <= set(known.content)
    drawn = len(against.rows), len(samples)
    told = _trained_on(*drawn) if trained_on else f"{_of(*drawn)}{quantity(len(samples), 'reference image')}"
    return Comparison(against, answered, samples.take(kept), told, trained_on, content, (*notes, *said, *why))


def _trained_on(drawn: int, of: int) -> str:
    return f"{_of(drawn, of)}the {quantity(of, 'image')} that the model was trained on"


def _of(drawn: int, of: int) -> str:
    return f"{drawn:,} of " if drawn < of else ""


def _given(data: Any, *, cache: bool) -> tuple[Samples, tuple[str, ...]]:
    """The reference images, with labels where they have any, near copies in groups."""
    samples, notes = _loaded(data)
    near, unsought = search_near_duplicates(samples, cache=cache)
    if samples.classes:
        return resolve_duplicates(samples, near)[0], (*notes, *unsought)
    return replace(samples, groups=merge_groups(samples, near)) if near else samples, (*notes, *unsought)


def _loaded(data: Any) -> tuple[Samples, tuple[str, ...]]:
    if isinstance(data, Dataset):
        return data.samples, ()
    if not isinstance(data, (str, os.PathLike)) and not is_hub_dataset(data):
        found = load_unlabelled(data)
        return found.samples, found.notes
    try:
        return load_dataset(data).samples, ()
    except DataError as reason:
        found = load_unlabelled(data)  # says itself where nothing is there
        note = f"The reference is taken as images without labels ({str(reason).rstrip('.')})."
        return found.samples, (*found.notes, note)


def _fine_tuned_part(samples: Samples, saved: Bundle) -> tuple[Ints, tuple[str, ...]]:
    """The rows that took no part in training a network."""
    held, _ = held_out_rows(samples)
    if held.any():
        return np.flatnonzero(held), ("Of the reference only the split that is kept apart in training is used.",)
    trained_on = saved.manifest.get("data")
    if isinstance(trained_on, Mapping) and trained_on.get("fingerprint") == samples.fingerprint():
        raise OptionError(
            f"--reference names the images that {saved.folder} was fine-tuned on, which its network knows, so every "
            "batch would look different from them: give images that took no part in training."
        )
    note = (
        "Whether the reference images took part in fine-tuning cannot be checked: had they, every batch would look "
        "different from them."
    )
    return np.arange(len(samples)), (note,)


def _training_part(samples: Samples, saved: Bundle) -> tuple[Ints, tuple[str, ...]]:
    """The rows that are not kept apart in training."""
    return np.flatnonzero(~held_out_rows(samples)[0]), ()


def _answers(
    samples: Samples, X: Floats, saved: Bundle, predictor: Predictor, rows: TrainingRows | None, *, cache: bool
) -> tuple[Ints | None, tuple[str, ...]]:
    """The classes answered for images by a model that was not trained on them; None, with a note, where none was.

    rows: what the model's head was trained on, where that is known.
    """
    known = {} if rows is None else {content: row for row, content in enumerate(rows.content)}
    if is_fine_tuned(predictor) or (known and not known.keys() & set(samples.content)):
        return predictor.probabilities(X).argmax(axis=1).astype(np.int64), ()
    if rows is not None and set(samples.content) <= known.keys():
        answers = _out_of_fold(saved, predictor, rows.X, rows.labels, rows.folds, cache=cache)
        return answers[[known[content] for content in samples.content]], ()
    if set(samples.classes) != set(predictor.classes):
        return None, (f"The reference images lack the model's classes as labels: {_NO_SHARES}.",)
    labels = np.array([predictor.classes.index(name) for name in samples.classes], np.int64)[samples.labels]
    count = folds_for(len(labels), len(predictor.classes))
    try:
        laid = assign_folds(labels, samples.groups, count=count, classes=predictor.classes)
    except DataError as reason:
        return None, (f"The reference cannot be cross-validated ({str(reason).rstrip('.')}): {_NO_SHARES}.",)
    return _out_of_fold(saved, predictor, X, labels, laid, cache=cache), ()


def _out_of_fold(saved: Bundle, predictor: Predictor, X: Floats, labels: Ints, folds: Ints, *, cache: bool) -> Ints:
    """What the model's head, fitted without an image's fold, answers for it: (n,)."""
    from headstart.choose.score_cache import CachedStrategy, default_folder

    recipe = read_recipe(predictor, saved, retune=False)
    head = recipe.head(recipe.setting or {})
    runner = CachedStrategy(head, fingerprint.hash_array(X), default_folder()) if cache else head
    scores = runner.path_scores(X, labels, folds[:1]).scores
    return scores[0, 0].argmax(axis=-1).astype(np.int64)  # type: ignore[no-any-return]


def _chosen(X: Floats, groups: Ints | None, seed: int) -> tuple[ReferenceSample, Ints]:
    """At most 500 random rows, and the rows that its positions count."""
    kept = None if groups is None else one_per_small_group(groups, LEAST_REFERENCE, seed)
    if kept is None:
        return draw_reference(X, groups=groups, seed=seed), np.arange(len(X))
    return draw_reference(X[kept], seed=seed), kept

"""What a batch of new images is compared with: the training rows in a bundle, or reference images embedded anew.

`compare_with_training` takes a predictor and its bundle, `compare_with_images` reference images besides; both return a
`Comparison`: at most 500 embeddings, a prediction for each (by a model that was not trained on it) and, where there are
any, the images. A fine-tuned network's training images are refused: it knows them, so every batch would differ from
them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart.checks import quantity
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
from headstart.pipeline.prepare import find_duplicates
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.records.run import Run
from headstart.records.samples import Samples
from headstart.trust.shift.batch_test import LEAST_REFERENCE, ReferenceSample, draw_reference

if TYPE_CHECKING:
    from headstart.model.bundle import Bundle
    from headstart.model.predictor import Predictor

_NO_SHARES = "whether only the shares of the classes differ is not tested"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a batch is compared with.

    rows: the embeddings. predicted: the class number predicted for each of them by a model that was not trained on it,
    None where there is no such prediction. samples: what `rows.positions` counts, None where only embeddings are known.
    words: what they are, for the user. trained_on: whether the model was trained on just them. content: fingerprints of
    all the images that `rows` was drawn from. notes: for the user.
    """

    rows: ReferenceSample
    predicted: Ints | None
    samples: Samples | None
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


def compare_with_training(predictor: Predictor, bundle: Bundle, run: Run) -> Comparison:
    """The training rows of a bundle.

    Raises `OptionError` where the bundle holds none that a batch could be compared with.
    """
    if is_fine_tuned(predictor):
        raise OptionError(
            f"{bundle.folder} is fine-tuned: its network knows the images that it was trained on, so every new batch "
            "would look different from them: give images that took no part in training with --reference."
        )
    rows = read_rows(bundle, predictor.classes, predictor.parts)
    if rows is None:
        raise OptionError(
            f"{bundle.folder} does not hold the embeddings of its training images (--no-keep-training, an older model "
            "or a very large one): give the images that it was trained on, or others like them, with --reference."
        )
    predicted = _out_of_fold(predictor, bundle, rows.features, rows.labels, rows.folds, run)
    reference, rows_drawn = _draw(rows.features, rows.groups, run)
    return Comparison(
        rows=reference,
        predicted=predicted[rows_drawn][reference.positions],
        samples=None,
        words=_training_words(len(reference.rows), len(rows)),
        trained_on=True,
        content=frozenset(rows.content),
    )


def compare_with_images(data: Any, predictor: Predictor, bundle: Bundle, run: Run) -> Comparison:
    """Reference images (labels help, and are not needed), embedded anew.

    Raises `OptionError` for the very images that a fine-tuned network was trained on.
    """
    samples, notes = _load_reference(data, run)
    embedded = embed_parts(samples, predictor.parts, run)
    if embedded.failures:
        first = embedded.failures[0]
        notes += (
            f"{quantity(len(embedded.failures), 'reference image')} cannot be read (the first: {first.name}: "
            f"{first.reason}).",
        )
    if is_fine_tuned(predictor):
        rows, part_notes = _rows_not_trained_on(embedded.samples, bundle)
        training = None
    else:
        rows, part_notes = np.flatnonzero(~held_out_rows(embedded.samples)[0]), ()
        training = read_rows(bundle, predictor.classes, predictor.parts)
    samples, X = embedded.samples.take(rows), embedded.X[rows]
    predicted, reasons = _predict_reference(samples, X, predictor, bundle, training, run)
    reference, rows_drawn = _draw(X, samples.groups, run)
    content = frozenset(samples.content)
    trained_on = training is not None and content <= set(training.content)
    count, total = len(reference.rows), len(samples)
    words = f"{_part_words(count, total)}{quantity(total, 'reference image')}"
    return Comparison(
        rows=reference,
        predicted=None if predicted is None else predicted[rows_drawn][reference.positions],
        samples=samples.take(rows_drawn),
        words=_training_words(count, total) if trained_on else words,
        trained_on=trained_on,
        content=content,
        notes=(*notes, *part_notes, *reasons),
    )


def _training_words(count: int, total: int) -> str:
    return f"{_part_words(count, total)}the {quantity(total, 'image')} that the model was trained on"


def _part_words(count: int, total: int) -> str:
    return f"{count:,} of " if count < total else ""


def _load_reference(data: Any, run: Run) -> tuple[Samples, tuple[str, ...]]:
    """The reference images, with labels where they have any, duplicates in groups."""
    samples, notes = _load_with_or_without_labels(data)
    duplicates = find_duplicates(samples, run)
    samples = duplicates.resolve()[0] if samples.classes else duplicates.grouped()
    return samples, (*notes, *duplicates.notes)


def _load_with_or_without_labels(data: Any) -> tuple[Samples, tuple[str, ...]]:
    if isinstance(data, Dataset):
        return data.samples, ()
    if not isinstance(data, (str, os.PathLike)) and not is_hub_dataset(data):
        dataset = load_unlabelled(data)
        return dataset.samples, dataset.notes
    try:
        return load_dataset(data).samples, ()
    except DataError as reason:
        dataset = load_unlabelled(data)  # raises an error of its own where there is no image
        note = f"The reference is taken as images without labels ({str(reason).rstrip('.')})."
        return dataset.samples, (*dataset.notes, note)


def _rows_not_trained_on(samples: Samples, bundle: Bundle) -> tuple[Ints, tuple[str, ...]]:
    """The rows that took no part in training a network, and notes."""
    held_out, _ = held_out_rows(samples)
    if held_out.any():
        return np.flatnonzero(held_out), ("Of the reference only the split that is kept apart in training is used.",)
    training_data = bundle.manifest.get("data")
    if isinstance(training_data, Mapping) and training_data.get("fingerprint") == samples.fingerprint():
        raise OptionError(
            f"--reference names the images that {bundle.folder} was fine-tuned on, which its network knows, so every "
            "batch would look different from them: give images that took no part in training."
        )
    note = (
        "Whether the reference images took part in fine-tuning cannot be checked: had they, every batch would look "
        "different from them."
    )
    return np.arange(len(samples)), (note,)


def _predict_reference(
    samples: Samples, X: Floats, predictor: Predictor, bundle: Bundle, training: Rows | None, run: Run
) -> tuple[Ints | None, tuple[str, ...]]:
    """The classes predicted for images by a model that was not trained on them; None, with a note, where none was.

    training: what the model's head was trained on, where that is known.
    """
    row_of = {} if training is None else {content: row for row, content in enumerate(training.content)}
    if is_fine_tuned(predictor) or (row_of and not row_of.keys() & set(samples.content)):
        return predictor.probabilities(X).argmax(axis=1).astype(np.int64), ()
    if training is not None and set(samples.content) <= row_of.keys():
        predicted = _out_of_fold(predictor, bundle, training.features, training.labels, training.folds, run)
        return predicted[[row_of[content] for content in samples.content]], ()
    if set(samples.classes) != set(predictor.classes):
        return None, (f"The reference images lack the model's classes as labels: {_NO_SHARES}.",)
    labels = np.array([predictor.classes.index(name) for name in samples.classes], np.int64)[samples.labels]
    count = folds_for(len(labels), len(predictor.classes))
    try:
        folds = assign_folds(labels, samples.groups, count=count, classes=predictor.classes)
    except DataError as reason:
        return None, (f"The reference cannot be cross-validated ({str(reason).rstrip('.')}): {_NO_SHARES}.",)
    return _out_of_fold(predictor, bundle, X, labels, folds, run), ()


def _out_of_fold(predictor: Predictor, bundle: Bundle, X: Floats, labels: Ints, folds: Ints, run: Run) -> Ints:
    """What the model's head, fitted without an image's fold, predicts for it: (n,)."""
    from headstart.choose.score_cache import CachedStrategy, default_folder

    recipe = read_recipe(predictor, bundle, retune=False)
    head = recipe.head(recipe.configuration or {})
    strategy = CachedStrategy(head, fingerprint.hash_array(X), default_folder()) if run.cache else head
    scores = strategy.path_scores(X, labels, folds[:1]).scores
    return scores[0, 0].argmax(axis=-1).astype(np.int64)  # type: ignore[no-any-return]


def _draw(X: Floats, groups: Ints | None, run: Run) -> tuple[ReferenceSample, Ints]:
    """At most 500 random rows, and the rows that its positions count."""
    rows = None if groups is None else one_per_small_group(groups, LEAST_REFERENCE, run.seed)
    if rows is None:
        return draw_reference(X, groups=groups, seed=run.seed), np.arange(len(X))
    return draw_reference(X[rows], seed=run.seed), rows

"""How a saved model does on labelled images, compared by class name, never by position.

`evaluate` takes a model and labelled images and returns an `Evaluation`: scores with intervals in which duplicates
do not count as independent images, and notes where the scores are too good, because the model was trained on some of
the images. Every image that can be read is scored; nothing is fitted or saved.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.duplicates.known import known_duplicates
from headstart.data.duplicates.notes import ALTERATIONS
from headstart.data.sources.load import load_dataset
from headstart.data.sources.split_names import split_of
from headstart.device import FULL, Device, choose_device
from headstart.embed.features import EmbeddedParts, Part, embed_parts
from headstart.errors import DataError
from headstart.metrics.class_report import scorecard
from headstart.model.evaluation import Evaluation, ScoredImages
from headstart.model.predictor import Features, with_failures
from headstart.model.rows import training_content
from headstart.pipeline.prepare import Duplicates, find_duplicates
from headstart.records.run import Run
from headstart.records.samples import UNLABELLED, Samples
from headstart.records.targets import Classes

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.model.spatial.predictor import SpatialPredictor
    from headstart.verbs.spatial.evaluate import SpatialEvaluation

_INSTEAD = "(headstart info has the score to expect): evaluate on images that took no part."
_NOTHING_NEW = f"The model was trained on these very images, so the scores say nothing of new ones {_INSTEAD}"


def evaluate(
    model: Path | str | Predictor | SpatialPredictor,
    data: Any,
    labels: Any = None,
    *,
    split: str | None = None,
    trained_on: Collection[str] | None = None,
    device: str | Device = "auto",
    cache: bool = True,
) -> Evaluation | SpatialEvaluation:
    """Predict labelled samples and score the predictions.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded.
    data : path, sequence of n images, or dataset
        Labelled images as `train` takes them; their classes are among the model's, in any order.
    labels : sequence of n labels, optional
        For a sequence of n images.
    split : str, optional
        Only these rows: 'train', 'val' or 'test'.
    trained_on : collection of str
        Fingerprints of the images that the model was trained on; None for those that its folder holds.
    device : str
        'auto', 'cpu', 'cuda' or 'mps', in float32 like every prediction.
    cache : bool
        Read embeddings and thumbnails from the cache folder where they are there, and keep new ones in it.

    Returns
    -------
    Evaluation or SpatialEvaluation
        The second of boxes and masks, whose data are a folder or COCO file; else of classes: accuracy, balanced
        accuracy and macro-F1 with 95 % intervals, the report by class, notes, and `scored`: each image with its
        prediction, and the decision where the model was trained with a guarantee; an image that cannot be read keeps
        its row, without a prediction.

    Raises
    ------
    DataError
        Where the samples have a class that the predictor does not know, or no image can be read.

    Examples
    --------
    ::

        headstart.evaluate("model/", "new/").card.accuracy.value
    """
    from headstart.model.load import load_model
    from headstart.verbs.spatial.python import evaluate_place, spatial_model

    detector = spatial_model(model)
    if detector is not None:
        return evaluate_place(detector, data, split)
    predictor: Any = load_model(model) if isinstance(model, (str, os.PathLike)) else model
    samples = data if isinstance(data, Samples) else load_dataset(data, labels=labels).samples
    if trained_on is None:
        trained_on = frozenset() if predictor.bundle is None else training_content(predictor.bundle, predictor)
    run = Run(device=choose_device(device, precision=FULL) if isinstance(device, str) else device, cache=cache)
    if split is not None:
        samples = _take_split(samples, split)
    samples = _with_classes(predictor.classes, samples)
    embedded, features = _features(predictor, samples, run)
    if not len(embedded.samples):
        raise DataError(f"of {quantity(len(samples), 'image')} none could be read, so there is nothing to score.")
    duplicates = find_duplicates(embedded.samples, run)
    scored = duplicates.grouped()
    absent = sorted(name for name, count in scored.counts().items() if not count)
    notes = [f"The data have no image of {join_words(absent)}, so nothing is said about them."] if absent else []
    if trained_on:
        notes += _training_notes(scored, trained_on, cache)
    elif _is_training_data(predictor, duplicates):
        notes.append(_NOTHING_NEW)
    if split is None and scored.splits is not None and "train" in scored.splits:
        notes.append("The train split is scored as well: choose another with --split.")
    notes += predictor.parts[0].backbone.spec.notes(scored.items)
    notes += [*_conflict_notes(scored, duplicates), *_duplicate_notes(duplicates), *duplicates.notes]
    predictions = predictor.answer(features)
    card = scorecard(scored.labels, predictions.probabilities, predictor.classes, groups=scored.groups)
    trust = predictor.trust
    rows = with_failures(predictions, embedded.failures)
    decisions = None if trust is None or trust.default_guarantee is None else predictor.decide(rows)
    images = ScoredImages(samples.items, samples.labels, rows, decisions)
    return Evaluation(len(scored), card, embedded.failures, tuple(notes), images)


def _features(predictor: Predictor, samples: Samples, run: Run) -> tuple[EmbeddedParts, Features]:
    """The samples that can be read, and what head and novelty look at, in one pass over the images."""
    first, *others = predictor.parts
    watched = Part(first.backbone, tuple(dict.fromkeys((*first.taps, *predictor.novelty_taps))))
    embedded = embed_parts(samples, (watched, *others), run)
    if watched.taps == first.taps:
        return embedded, Features(embedded.X, embedded.samples.names)
    columns = np.concatenate([watched.columns(first.taps), np.arange(watched.width, embedded.X.shape[1])])
    layers = embedded.X[:, watched.columns(predictor.novelty_taps)]
    return embedded, Features(np.ascontiguousarray(embedded.X[:, columns]), embedded.samples.names, layers=layers)


def _duplicate_notes(duplicates: Duplicates) -> list[str]:
    """A note on how many images repeat another one."""
    if not duplicates:
        return []
    images = len(duplicates.samples)
    further = images - len(np.unique(duplicates.families()))
    repeat = "repeats" if further == 1 else "repeat"
    return [
        f"Duplicates: {further:,} of {quantity(images, 'image')} {repeat} another one (exactly, or {ALTERATIONS}); the "
        "intervals do not take duplicates for independent images."
    ]


def _conflict_notes(samples: Samples, duplicates: Duplicates) -> list[str]:
    """A warning where one image has several labels: whatever is predicted, some of them count as wrong."""
    several = [rows for rows in duplicates.exact if len(np.unique(samples.labels[list(rows)])) > 1]
    if not several:
        return []
    images = quantity(sum(map(len, several)), "image")
    first = " = ".join(samples.names[row] for row in several[0][:2])
    return [
        f"Among {images} exact duplicates lie under different labels ({first}): whatever is predicted counts as wrong "
        "for some. 'headstart audit' names them all."
    ]


def _training_notes(samples: Samples, trained_on: Collection[str], cache: bool) -> list[str]:
    """A warning where the model was trained on some of the images, or on near duplicates of them.

    Near duplicates are known by the thumbnails that training has left in the cache folder; without it, none is.
    """
    repeats = np.array([content in trained_on for content in samples.content], bool)
    if repeats.all():
        return [_NOTHING_NEW]
    same, rest = int(repeats.sum()), samples.take(~repeats)
    nearly = int((known_duplicates(rest, tuple(trained_on)) != "").sum()) if cache else 0
    parts = [f"{same:,}"] * (same > 0) + [f"near duplicates ({ALTERATIONS}) of {nearly:,}"] * (nearly > 0)
    if not parts:
        return []
    total = f"of these {quantity(len(samples), 'image')}"
    return [f"The model was trained on {' and on '.join(parts)} {total}, so the scores are too good {_INSTEAD}"]


def _is_training_data(predictor: Predictor, duplicates: Duplicates) -> bool:
    """Whether these are all the images that a model was made from."""
    data = predictor.manifest.get("data")
    return isinstance(data, Mapping) and data.get("fingerprint") == duplicates.resolve()[0].fingerprint()


def _take_split(samples: Samples, split: str) -> Samples:
    name = split_of(split) or split
    if samples.splits is None or name not in samples.splits:
        splits = sorted(set(samples.splits.tolist())) if samples.splits is not None else []
        raise DataError(f"the split {split!r} was asked for, but the data have {join_words(splits) or 'no splits'}.")
    return samples.take(samples.splits == name)


def _with_classes(classes: Sequence[str], samples: Samples) -> Samples:
    """The samples with the predictor's classes, by name."""
    unknown = sorted(set(samples.classes) - set(classes))
    if unknown:
        raise DataError(
            f"the data have the classes {join_words(unknown)}, which the model does not know "
            f"(it knows {join_words(list(classes))}): rename or remove them."
        )
    if (samples.labels == UNLABELLED).any():
        raise DataError("some images have no label, so the predictions cannot be scored: give each a class.")
    position = np.array([list(classes).index(name) for name in samples.classes], dtype=np.int64)
    return replace(samples, target=Classes(position[samples.labels], tuple(classes)))

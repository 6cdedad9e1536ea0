"""How a predictor does on labelled images it has not seen: matched by class name, never by position.

`evaluate` takes a predictor and labelled samples and returns an `Evaluation`: scores with intervals in which copies of
one picture do not count as independent images, and notes where the scores are too good, because the model was trained
on some of the images. Every image is scored; nothing is left out, fitted or saved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.duplicates.known import known_duplicates
from headstart.data.duplicates.near import merge_groups
from headstart.data.duplicates.notes import ALTERATIONS
from headstart.data.duplicates.resolve import exact_duplicates, resolve_duplicates
from headstart.data.sources.dataset import split_of
from headstart.embed.features import embed_parts
from headstart.errors import DataError
from headstart.metrics.class_report import scorecard
from headstart.model.evaluation import Evaluation
from headstart.pipeline.prepare import search_near_duplicates
from headstart.records.samples import UNLABELLED, Samples

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

_Rows = Sequence[Sequence[int]]
_INSTEAD = "(headstart info has the score to expect): evaluate on images that took no part."
_NOTHING_NEW = f"The model was trained on these very images, so the scores say nothing of new ones {_INSTEAD}"


def evaluate(
    predictor: Predictor,
    samples: Samples,
    *,
    split: str | None = None,
    trained_on: Collection[str] = frozenset(),
    device: str = "auto",
    cache: bool = True,
) -> Evaluation:
    """Predict labelled samples and score the answers.

    split: only these rows ('train', 'val' or 'test'). trained_on: fingerprints of the pictures that the model was
    trained on, where they are known (`training_rows.trained_on`). cache: read embeddings and thumbnails from the cache
    folder where they are there, and keep them. Raises `DataError` where the samples have a class that the predictor
    does not know, or no image can be read.
    """
    if split is not None:
        samples = _only(samples, split)
    read = embed_parts(_as_known(predictor.classes, samples), predictor.parts, device=device, cache=cache)
    scored = read.samples
    if not len(scored):
        raise DataError(f"of {quantity(len(samples), 'image')} none could be read, so there is nothing to score.")
    near, unsought = search_near_duplicates(scored, cache=cache)
    scored, copied = _grouped(scored, near)
    lacking = sorted(name for name, count in scored.counts().items() if not count)
    notes = [f"The data have no image of {join_words(lacking)}, so nothing is said about them."] if lacking else []
    if trained_on:
        notes += _seen(scored, trained_on, cache)
    elif _same_data(predictor, scored, near):
        notes.append(_NOTHING_NEW)
    notes += [*_train_split(scored, split), *_contradicted(scored), *copied, *unsought]
    probabilities = predictor.probabilities(read.X)
    card = scorecard(scored.labels, probabilities, predictor.classes, groups=scored.groups)
    return Evaluation(len(scored), card, read.failures, tuple(notes))


def _grouped(samples: Samples, near: _Rows) -> tuple[Samples, list[str]]:
    """The samples with copies of one picture in one group, and a note where there are some."""
    copies = (*map(tuple, near), *map(tuple, exact_duplicates(samples.content)))
    if not copies:
        return samples, []
    further = len(samples) - len(np.unique(merge_groups(replace(samples, groups=None), copies)))
    repeat = "repeats" if further == 1 else "repeat"
    note = (
        f"Copies: {further:,} of {quantity(len(samples), 'image')} {repeat} another one (exactly, or {ALTERATIONS}); "
        "the intervals do not take copies for independent images."
    )
    return replace(samples, groups=merge_groups(samples, copies)), [note]


def _contradicted(samples: Samples) -> list[str]:
    """A warning where the same picture has several labels: whatever is answered, some of them count as wrong."""
    several = [rows for rows in exact_duplicates(samples.content) if len(np.unique(samples.labels[rows])) > 1]
    if not several:
        return []
    images = quantity(sum(map(len, several)), "image")
    first = " = ".join(samples.names[row] for row in several[0][:2])
    return [
        f"Among {images} exact copies lie under different labels ({first}): whatever is answered counts as wrong for "
        "some. 'headstart audit' names them all."
    ]


def _seen(samples: Samples, trained_on: Collection[str], cache: bool) -> list[str]:
    """A warning where the model was trained on some of the images, or on near copies of them.

    Near copies are known by the thumbnails that training has left in the cache folder; without it, none is.
    """
    known = np.array([content in trained_on for content in samples.content], bool)
    if known.all():
        return [_NOTHING_NEW]
    same, rest = int(known.sum()), samples.take(~known)
    nearly = int((known_duplicates(rest, tuple(trained_on)) != "").sum()) if cache else 0
    told = [f"{same:,}"] * (same > 0) + [f"near copies ({ALTERATIONS}) of {nearly:,}"] * (nearly > 0)
    if not told:
        return []
    of = f"of these {quantity(len(samples), 'image')}"
    return [f"The model was trained on {' and on '.join(told)} {of}, so the scores are too good {_INSTEAD}"]


def _same_data(predictor: Predictor, samples: Samples, near: _Rows) -> bool:
    """Whether these are all the images that a model was made from."""
    data = predictor.manifest.get("data")
    return isinstance(data, Mapping) and data.get("fingerprint") == resolve_duplicates(samples, near)[0].fingerprint()


def _train_split(samples: Samples, split: str | None) -> list[str]:
    """A warning where no split was chosen, and that of training is there."""
    if split is None and samples.splits is not None and "train" in samples.splits:
        return ["The train split is scored as well: choose another with --split."]
    return []


def _only(samples: Samples, split: str) -> Samples:
    wanted = split_of(split) or split
    if samples.splits is None or wanted not in samples.splits:
        there = sorted(set(samples.splits.tolist())) if samples.splits is not None else []
        raise DataError(f"the split {split!r} was asked for, but the data have {join_words(there) or 'no splits'}.")
    return samples.take(samples.splits == wanted)


def _as_known(classes: Sequence[str], samples: Samples) -> Samples:
    """The samples with the predictor's classes, by name."""
    unknown = sorted(set(samples.classes) - set(classes))
    if unknown:
        raise DataError(
            f"the data have the classes {join_words(unknown)}, which the model does not know "
            f"(it knows {join_words(list(classes))}): rename or remove them."
        )
    if (samples.labels == UNLABELLED).any():
        raise DataError("some images have no label, so the answers cannot be scored.")
    position = np.array([list(classes).index(name) for name in samples.classes], dtype=np.int64)
    return replace(samples, labels=position[samples.labels], classes=tuple(classes))

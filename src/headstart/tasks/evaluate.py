"""How a predictor does on labelled images it has not seen: matched by class name, never by position.

`evaluate` takes a predictor and labelled samples and returns an `Evaluation`: scores with intervals in which copies of
one picture do not count as independent images, and notes where the scores are too good, because the model was trained
on some of the images. Every image is scored; nothing is left out, fitted or saved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import counted, listed
from headstart.data.duplicates import NEARLY, exact_copies, resolve
from headstart.data.loaded import split_of
from headstart.data.near_duplicates import merged
from headstart.data.near_known import near_known
from headstart.errors import DataError
from headstart.metrics.scorecard import Scorecard, scorecard
from headstart.records import UNLABELLED, Failure, Samples
from headstart.tasks.joining import embedded
from headstart.tasks.prepare import near_copies

if TYPE_CHECKING:
    from headstart.runtime import Predictor

_Rows = Sequence[Sequence[int]]
_INSTEAD = "(headstart info has the score to expect): evaluate on images that took no part."
_NOTHING_NEW = f"The model was trained on these very images, so the scores say nothing of new ones {_INSTEAD}"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores on labelled images that took no part in training.

    images: how many were scored. card: the scores. failures: images that could not be read. notes: for the user.
    """

    images: int
    card: Scorecard
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The scores as JSON-able values."""
        return {
            "images": self.images,
            **card_values(self.card),
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def card_values(card: Scorecard) -> dict[str, Any]:
    """A scorecard as JSON-able values."""
    return {**asdict(card), "confusion": card.confusion.round(2).tolist()}


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
    read = embedded(_as_known(predictor.classes, samples), predictor.parts, device=device, cache=cache)
    scored = read.samples
    if not len(scored):
        raise DataError(f"of {counted(len(samples), 'image')} none could be read, so there is nothing to score.")
    near, unsought = near_copies(scored, cache=cache)
    scored, copied = _grouped(scored, near)
    lacking = sorted(name for name, count in scored.counts().items() if not count)
    notes = [f"The data have no image of {listed(lacking)}, so nothing is said about them."] if lacking else []
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
    copies = (*map(tuple, near), *map(tuple, exact_copies(samples.content)))
    if not copies:
        return samples, []
    further = len(samples) - len(np.unique(merged(replace(samples, groups=None), copies)))
    repeat = "repeats" if further == 1 else "repeat"
    note = (
        f"Copies: {further:,} of {counted(len(samples), 'image')} {repeat} another one (exactly, or {NEARLY}); the "
        "intervals do not take copies for independent images."
    )
    return replace(samples, groups=merged(samples, copies)), [note]


def _contradicted(samples: Samples) -> list[str]:
    """A warning where the same picture has several labels: whatever is answered, some of them count as wrong."""
    several = [rows for rows in exact_copies(samples.content) if len(np.unique(samples.labels[rows])) > 1]
    if not several:
        return []
    images = counted(sum(map(len, several)), "image")
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
    nearly = int((near_known(rest, tuple(trained_on)) != "").sum()) if cache else 0
    told = [f"{same:,}"] * (same > 0) + [f"near copies ({NEARLY}) of {nearly:,}"] * (nearly > 0)
    if not told:
        return []
    of = f"of these {counted(len(samples), 'image')}"
    return [f"The model was trained on {' and on '.join(told)} {of}, so the scores are too good {_INSTEAD}"]


def _same_data(predictor: Predictor, samples: Samples, near: _Rows) -> bool:
    """Whether these are all the images that a model was made from."""
    data = predictor.manifest.get("data")
    return isinstance(data, Mapping) and data.get("fingerprint") == resolve(samples, near)[0].fingerprint()


def _train_split(samples: Samples, split: str | None) -> list[str]:
    """A warning where no split was chosen, and that of training is there."""
    if split is None and samples.splits is not None and "train" in samples.splits:
        return ["The train split is scored as well: choose another with --split."]
    return []


def _only(samples: Samples, split: str) -> Samples:
    wanted = split_of(split) or split
    if samples.splits is None or wanted not in samples.splits:
        there = sorted(set(samples.splits.tolist())) if samples.splits is not None else []
        raise DataError(f"the split {split!r} was asked for, but the data have {listed(there) or 'no splits'}.")
    return samples.take(samples.splits == wanted)


def _as_known(classes: Sequence[str], samples: Samples) -> Samples:
    """The samples with the predictor's classes, by name."""
    unknown = sorted(set(samples.classes) - set(classes))
    if unknown:
        raise DataError(
            f"the data have the classes {listed(unknown)}, which the model does not know "
            f"(it knows {listed(list(classes))}): rename or remove them."
        )
    if (samples.labels == UNLABELLED).any():
        raise DataError("some images have no label, so the answers cannot be scored.")
    position = np.array([list(classes).index(name) for name in samples.classes], dtype=np.int64)
    return replace(samples, labels=position[samples.labels], classes=tuple(classes))

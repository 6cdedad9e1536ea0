"""`Dataset`, what every source returns, and the assembly of `Samples` from plain values.

`assemble_dataset` takes images with names of class, group and split and returns checked `Samples`: classes sorted by
name, content fingerprinted in threads. It reads each file once and decodes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart import fingerprint
from headstart.checks import join_words
from headstart.data.images.decode import hash_content
from headstart.data.sources.class_names import likeness_hint
from headstart.data.texts.items import hash_text
from headstart.device import threads
from headstart.errors import DataError, UnreadableImage
from headstart.progress import bar
from headstart.records.arrays import Ints
from headstart.records.samples import UNLABELLED, ImageSource, Samples
from headstart.records.targets import Classes

SPLITS = ("train", "val", "test")
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images from one source, with what was left out on the way.

    samples: the images with labels, and groups and splits where there are any.
    ignored: what was passed over, kind → count (`hidden`, `not an image (.txt)`, ...).
    notes: sentences for the user.
    together: rows that a cleaning plan holds together, besides the samples' own groups.
    """

    samples: Samples
    ignored: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    together: tuple[tuple[int, ...], ...] = ()


def assemble_dataset(
    images: Sequence[Any],
    names: Sequence[str],
    labels: Sequence[str] | None,
    *,
    groups: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
) -> Samples:
    """Samples from one name, class, group and split an image; without `labels`, unlabelled.

    An empty group is a group of its own. A single split is no split. Bytes of a file's name that are not UTF-8 are
    spelt out in names and classes, so that both can be written anywhere.
    """
    names = [_escape(name) for name in names]
    labels = None if labels is None else [_escape(label) for label in labels]
    classes = tuple(sorted(set(labels or ())))
    position = {name: i for i, name in enumerate(classes)}
    numbers = [position[label] for label in labels] if labels is not None else [UNLABELLED] * len(images)
    several = splits is not None and len(set(splits)) > 1
    return Samples(
        items=tuple(images),
        names=tuple(names),
        content=hash_contents(images, names),
        target=Classes(np.array(numbers, dtype=np.int64), classes),
        groups=None if groups is None else _number_groups(groups),
        splits=np.array(splits, dtype=np.str_) if several else None,
    )


def _escape(word: str) -> str:
    return word.encode("utf-8", "backslashreplace").decode()


def hash_contents(images: Sequence[ImageSource], names: Sequence[str]) -> tuple[str, ...]:
    """Each image's fingerprint; one that cannot be read gets one of its own (decoding it will say why)."""
    chunks = [range(i, min(i + _CHUNK, len(images))) for i in range(0, len(images), _CHUNK)]
    contents: list[str] = []
    with bar("reading", len(images)) as advance, ThreadPoolExecutor(2 * threads()) as pool:
        for part in pool.map(lambda rows: [_content(images[i], i, names[i]) for i in rows], chunks):
            contents += part
            advance(len(part))
    return tuple(contents)


def _content(image: ImageSource, row: int, name: str) -> str:
    try:
        return hash_text(image) if isinstance(image, str) else hash_content(image)
    except UnreadableImage:
        return fingerprint.hash_parts("unreadable", row, name)


def _number_groups(groups: Sequence[str]) -> Ints:
    """Equal words, equal numbers; every empty word a number of its own."""
    position = {word: i for i, word in enumerate(dict.fromkeys(word for word in groups if word))}
    alone = iter(range(len(position), len(position) + len(groups)))
    return np.array([position[word] if word else next(alone) for word in groups], dtype=np.int64)


def check_splits(labels: Sequence[str], splits: Sequence[str], where: str) -> tuple[str, ...]:
    """Raise `DataError` for classes that the train split lacks; note those that another split lacks."""
    classes: dict[str, set[str]] = {split: set() for split in SPLITS}
    for label, split in zip(labels, splits, strict=True):
        classes[split].add(label)
    notes = []
    for split in ("val", "test"):
        if extra := sorted(classes[split] - classes["train"]):
            raise DataError(
                f"{where}: the {split} split has the classes {join_words(extra)}, which the train split lacks "
                f"(train has {join_words(sorted(classes['train']))}{likeness_hint([*extra, *classes['train']])}): add "
                "training images for them, or take them out."
            )
        if classes[split] and (lacking := sorted(classes["train"] - classes[split])):
            notes.append(f"The {split} split has no image of {join_words(lacking)}.")
    return tuple(notes)

"""Loads a folder of class folders, with or without split folders around or inside them.

`load_folder` returns the images under each class folder, at any depth, in a fixed order. Classes of split folders are
matched by name. Hidden files, files that operating systems leave behind and what is not an image are passed over and
counted. What the folders are, `layout` decides.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from headstart.checks import join_words, quantity
from headstart.data.sources.class_names import composed, likeness_hint, unify_classes
from headstart.data.sources.dataset import SPLITS, Dataset, assemble_dataset
from headstart.data.sources.files import images_under, list_folder
from headstart.data.sources.layout import find_layout, table_hint
from headstart.errors import DataError

_OUTSIDE = "an image outside the class folders"


@dataclass(frozen=True)
class _ClassFolder:
    """Images of one class, in the folder of one split ('' without splits)."""

    split: str
    label: str
    images: tuple[Path, ...]


def load_folder(root: Path) -> Dataset:
    """The labelled images under `root`; raises `DataError` when its folders cannot be understood."""
    ignored: Counter[str] = Counter()
    loose, folders = list_folder(root, ignored)
    layout = find_layout(root, folders, loose, ignored)
    ignored[_OUTSIDE] += len(loose) + layout.loose
    parts = [
        _ClassFolder(split, label, tuple(images_under(folder, ignored))) for split, label, folder in layout.classes
    ]
    _check_same_classes(root, parts)
    _check_not_empty(root, parts)
    rows = [(path, part.label, part.split) for part in parts for path in part.images]
    images, labels, splits = (list(column) for column in zip(*rows, strict=True))
    labels, alike = unify_classes(labels)
    names = [path.relative_to(root).as_posix() for path in images]
    samples = assemble_dataset(images, names, labels, splits=splits if set(splits) != {""} else None)
    notes = (*layout.notes, *alike, *_notes(ignored))
    return Dataset(samples, {kind: count for kind, count in sorted(ignored.items()) if count}, notes)


def _check_not_empty(root: Path, parts: list[_ClassFolder]) -> None:
    empty = [f"{part.split}/{part.label}" if part.split else part.label for part in parts if not part.images]
    if len(empty) == len(parts):
        raise DataError(
            f"{root} holds no images: its folders {join_words(empty)} are all without one{table_hint(root)}."
        )
    if empty:
        raise DataError(
            f"{root} has class folders without any image, {join_words(empty)}: add images, or take the folders away."
        )


def _check_same_classes(root: Path, parts: list[_ClassFolder]) -> None:
    """Raise `DataError` unless every split has the same class folders, by name."""
    classes: dict[str, set[str]] = {}
    for part in parts:
        classes.setdefault(part.split, set()).add(composed(part.label))
    train = classes.get("train", set())
    for split in SPLITS:
        names = classes.get(split, train)
        differences = []
        if lacking := sorted(train - names):
            differences.append(f"{split} lacks {join_words(lacking)}")
        if extra := sorted(names - train):
            differences.append(f"{split} has {join_words(extra)} besides")
        if differences:
            raise DataError(
                f"{root}: the class folders differ between splits: train has "
                f"{join_words(sorted(train))}, {split} has {join_words(sorted(names))}, so "
                f"{' and '.join(differences)}{likeness_hint([*lacking, *extra])}: give every split the same class "
                "folders."
            )


def _notes(ignored: Counter[str]) -> tuple[str, ...]:
    notes = []
    if outside := ignored[_OUTSIDE]:
        notes.append(f"Left out: {quantity(outside, 'image')} outside the class folders.")
    rest = {kind: count for kind, count in sorted(ignored.items()) if kind != _OUTSIDE}
    if rest:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in rest.items())
        notes.append(f"Passed over: {kinds}.")
    return tuple(notes)

"""Loads a folder of class folders, with or without train/val/test folders around them.

`load_folder` returns the images under each class folder, at any depth, in a fixed order. Classes of split folders are
matched by name. Hidden files, files that operating systems leave behind and what is not an image are passed over and
counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart.checks import join_words, quantity
from headstart.data.images.open import EXTENSIONS
from headstart.data.sources.dataset import SPLITS, Dataset, assemble_dataset, split_of
from headstart.errors import DataError

_OUTSIDE = "an image outside the class folders"
_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})


@dataclass(frozen=True)
class _ClassFolder:
    """Images of one class, in the folder of one split ('' without splits)."""

    split: str
    label: str
    images: tuple[Path, ...]


def load_folder(root: Path) -> Dataset:
    """The labelled images under `root`; raises `DataError` when its folders cannot be understood.

    A folder is split when it has a train folder with folders in it, and nothing but split folders beside.
    """
    ignored: Counter[str] = Counter()
    loose, folders = list_folder(root, ignored)
    splits = _split_folders(root, folders)
    if splits:
        folders_read = [part for split, folder in splits.items() for part in _split(folder, split, ignored)]
        _check_same_classes(root, folders_read)
    else:
        _check_layout(root, folders, loose, ignored)
        folders_read = [_class(folder, "", ignored) for folder in folders]
    _check_not_empty(root, folders_read)
    notes = _notes(root, loose, ignored)
    rows = [(path, part.label, part.split) for part in folders_read for path in part.images]
    images, labels, parts = (list(column) for column in zip(*rows, strict=True))
    names = [path.relative_to(root).as_posix() for path in images]
    return Dataset(
        assemble_dataset(images, names, labels, splits=parts if splits else None),
        dict(sorted(ignored.items())),
        notes,
    )


def list_folder(folder: Path, ignored: Counter[str]) -> tuple[list[Path], list[Path]]:
    """The images directly in a folder and the folders inside, both sorted; counts what is passed over."""
    images, folders = [], []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read ({error.strerror}): check its permissions.") from error
    for entry in entries:
        kind = _kind(entry)
        if kind == "folder":
            folders.append(folder / entry.name)
        elif kind == "image":
            images.append(folder / entry.name)
        else:
            ignored[kind] += 1
    return images, folders


def images_under(folder: Path, ignored: Counter[str]) -> Iterator[Path]:
    """Every image in a folder, at any depth; a folder that links lead to twice is entered once."""
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        place = current.stat()
        if (place.st_dev, place.st_ino) in entered:
            ignored["seen before"] += 1
            continue
        entered.add((place.st_dev, place.st_ino))
        images, folders = list_folder(current, ignored)
        yield from images
        waiting += reversed(folders)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.name.startswith("."):
        return "hidden"
    if entry.name.lower() in _LITTER:
        return "left by the operating system"
    if entry.is_symlink() and not os.path.exists(entry.path):
        return "leading nowhere"
    if entry.is_dir():
        return "folder"
    ending = os.path.splitext(entry.name)[1].lower()
    return "image" if ending in EXTENSIONS else f"not an image ({ending or 'no ending'})"


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path]:
    """Split → its folder, in the order train, val, test; empty where the folders are plain class folders."""
    named = [(split_of(folder.name), folder) for folder in folders]
    trains = [folder for split, folder in named if split == "train"]
    others = [folder.name for split, folder in named if split is None]
    if not any(list_folder(folder, Counter())[1] for folder in trains):
        return {}
    if others:
        if not any(split in ("val", "test") for split, _ in named):
            return {}
        raise DataError(
            f"{root} has split folders and, beside them, {join_words(others)}: move these away, or into the splits."
        )
    by_split: dict[str, Path] = {}
    for split, folder in named:
        if split in by_split:
            raise DataError(
                f"{root} has two folders for its {split} split, {by_split[split].name!r} and {folder.name!r}: keep one."
            )
        if split is not None:
            by_split[split] = folder
    return {split: by_split[split] for split in SPLITS if split in by_split}


def _split(folder: Path, split: str, ignored: Counter[str]) -> list[_ClassFolder]:
    loose, folders = list_folder(folder, ignored)
    if not folders:
        raise DataError(
            f"the {split} folder {folder} has no class folders ({quantity(len(loose), 'image')} lie loose in "
            "it): put each class's images into a folder of its own."
        )
    if loose:
        ignored[_OUTSIDE] += len(loose)
    return [_class(sub, split, ignored) for sub in folders]


def _class(folder: Path, split: str, ignored: Counter[str]) -> _ClassFolder:
    return _ClassFolder(split, folder.name, tuple(images_under(folder, ignored)))


def _check_layout(root: Path, folders: list[Path], loose: list[Path], ignored: Counter[str]) -> None:
    """Raise `DataError` where the folders directly in `root` are not class folders."""
    wanted = "a folder for each class was expected, with that class's images in it"
    if not folders and loose:
        raise DataError(
            f"{root} holds {quantity(len(loose), 'image')} but no class folders: {wanted}; or give a table "
            "(CSV) of paths and labels."
        )
    if not folders:
        what = f"no images ({quantity(sum(ignored.values()), 'other file')})" if ignored else "nothing"
        raise DataError(f"{root} holds {what}: {wanted}.")
    inner = {folder.name: list_folder(folder, Counter()) for folder in folders}
    if all(split_of(name) and subs and not images for name, (images, subs) in inner.items()):
        raise DataError(
            f"{root} has the split folders {join_words(list(inner))} but none called 'train': add one, or give "
            "one of them by itself."
        )
    (images, subs) = inner[folders[0].name]
    if len(folders) == 1 and not images and len(subs) > 1:
        raise DataError(
            f"{root} has a single folder, and the class folders seem to lie inside it: did you mean {folders[0]}?"
        )


def _check_not_empty(root: Path, parts: list[_ClassFolder]) -> None:
    empty = [f"{part.split}/{part.label}" if part.split else part.label for part in parts if not part.images]
    if len(empty) == len(parts):
        raise DataError(f"{root} holds no images: its folders {join_words(empty)} are all without one.")
    if empty:
        raise DataError(
            f"{root} has class folders without any image, {join_words(empty)}: add images, or take the folders away."
        )


def _check_same_classes(root: Path, parts: list[_ClassFolder]) -> None:
    """Raise `DataError` unless every split has the same class folders, by name."""
    classes: dict[str, set[str]] = {}
    for part in parts:
        classes.setdefault(part.split, set()).add(part.label)
    for split, names in classes.items():
        differences = []
        if lacking := sorted(classes["train"] - names):
            differences.append(f"{split} lacks {join_words(lacking)}")
        if extra := sorted(names - classes["train"]):
            differences.append(f"{split} has {join_words(extra)} besides")
        if differences:
            raise DataError(
                f"{root}: the class folders differ between splits: train has "
                f"{join_words(sorted(classes['train']))}, {split} has {join_words(sorted(names))}, so "
                f"{' and '.join(differences)}: give every split the same class folders."
            )


def _notes(root: Path, loose: list[Path], ignored: Counter[str]) -> tuple[str, ...]:
    notes = []
    if loose:
        ignored[_OUTSIDE] += len(loose)
    if outside := ignored[_OUTSIDE]:
        notes.append(f"Left out: {quantity(outside, 'image')} outside the class folders.")
    else:
        del ignored[_OUTSIDE]
    rest = {kind: count for kind, count in sorted(ignored.items()) if kind != _OUTSIDE}
    if rest:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in rest.items())
        notes.append(f"Passed over: {kinds}.")
    return tuple(notes)

"""Reads what the folders in a folder are: classes, splits with classes inside, or classes with splits inside.

`find_layout` decides by names and by where images lie, and says what it took for what. Where two readings fit it
raises `DataError` and asks. It counts nothing and reads no image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.checks import join_words, quantity
from headstart.data.sources.class_names import composed
from headstart.data.sources.dataset import SPLITS
from headstart.data.sources.files import list_folder
from headstart.data.sources.split_names import UNLABELLED_ROLE, folder_roles, only_fillers, split_of
from headstart.errors import DataError

_TABLES = (".csv", ".tsv", ".parquet", ".pq")
_WANTED = "a folder for each class was expected, with that class's images in it"


@dataclass(frozen=True)
class Layout:
    """What the folders directly in a root are.

    classes: (split, class, folder) for each folder of one class; the split is '' where there are none.
    loose: images that lie beside class folders, by split folder. notes: what was taken for what, what is left out.
    """

    classes: tuple[tuple[str, str, Path], ...]
    loose: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Folder:
    """A folder at the top: where its content begins (further in, where it holds nothing but a double of itself), and
    the images and folders there."""

    top: Path
    inner: Path
    images: tuple[Path, ...]
    folders: tuple[Path, ...]


def find_layout(root: Path, folders: Sequence[Path], loose: Sequence[Path], ignored: Mapping[str, int]) -> Layout:
    """What the `folders` directly in `root` are; loose: images beside them, ignored: what else is there, for messages.

    Raises `DataError` where they cannot be understood, or may be understood in two ways.
    """
    _check_folders(root, folders, loose, ignored)
    tops = [_open(folder) for folder in folders]
    roles = dict(zip([top.top.name for top in tops], folder_roles([folder.name for folder in folders]), strict=True))
    if any(roles[top.top.name] == "train" and top.folders for top in tops):
        splits = _by_split(root, tops, roles)
        if splits:
            return _splits_outside(root, splits)
    _check_not_splits(root, tops, roles)
    if _alike(tops):
        return _splits_inside(root, tops)
    return Layout(tuple(("", folder.name, folder) for folder in folders))


def _open(folder: Path) -> _Folder:
    """The folder, entered as long as it holds one folder alone whose name says the same (`train/train`)."""
    inner = folder
    images, folders = list_folder(inner, Counter())
    while not images and len(folders) == 1 and _doubles(folder.name, folders[0].name):
        inner = folders[0]
        images, folders = list_folder(inner, Counter())
    return _Folder(folder, inner, tuple(images), tuple(folders))


def _doubles(outer: str, inner: str) -> bool:
    split = split_of(outer)
    return composed(outer).casefold() == composed(inner).casefold() or (split is not None and split_of(inner) == split)


def _by_split(root: Path, tops: Sequence[_Folder], roles: Mapping[str, str | None]) -> dict[str, _Folder]:
    """Split, or `UNLABELLED_ROLE`, → its folder; empty where a class happens to be called train."""
    others = [top.top.name for top in tops if roles[top.top.name] is None]
    if others:
        if not any(roles[top.top.name] in ("val", "test") for top in tops):
            return {}
        raise DataError(
            f"{root} has split folders and, beside them, {join_words(others)}: move these away, or into the splits."
        )
    by_split: dict[str, _Folder] = {}
    for top in tops:
        role = roles[top.top.name] or ""
        if role in by_split:
            raise DataError(
                f"{root} has two folders for its {role} split, {by_split[role].top.name!r} and {top.top.name!r}: "
                "keep one."
            )
        by_split[role] = top
    return {role: by_split[role] for role in (*SPLITS, UNLABELLED_ROLE) if role in by_split}


def _splits_outside(root: Path, splits: Mapping[str, _Folder]) -> Layout:
    unlabelled = [role for role, folder in splits.items() if _without_labels(role, folder, splits["train"])]
    notes = [_unlabelled_note(splits[role]) for role in unlabelled]
    classes = []
    loose = 0
    parts = {split: folder for split, folder in splits.items() if split not in unlabelled}
    for split, folder in parts.items():
        if not folder.folders:
            raise DataError(
                f"the {split} folder {folder.inner} has no class folders ({quantity(len(folder.images), 'image')} lie "
                "loose in it): put each class's images into a folder of its own."
            )
        loose += len(folder.images)
        classes += [(split, sub.name, sub) for sub in folder.folders]
    if any(folder.inner.relative_to(root).as_posix().lower() not in _PLAIN for folder in parts.values()):
        notes.insert(0, _split_note({split: folder.inner.relative_to(root) for split, folder in parts.items()}))
    return Layout(tuple(classes), loose, tuple(notes))


_PLAIN = frozenset({"train", "val", "valid", "validation", "test"})
"""Split folders that need no note: nobody would take them for anything else."""


def _split_note(places: Mapping[str, Path]) -> str:
    words = ", ".join(f"{split} from {place.as_posix()!r}" for split, place in places.items())
    return f"Splits taken from folders: {words}."


def _without_labels(role: str, folder: _Folder, train: _Folder) -> bool:
    """Whether the images in a folder wait for a prediction: they lie loose, or in one folder that names no class."""
    if role == UNLABELLED_ROLE:
        return True
    if role != "test":
        return False
    if not folder.folders:
        return True
    classes = {composed(sub.name).casefold() for sub in train.folders}
    only = folder.folders[0].name
    return len(folder.folders) == 1 and only_fillers(only) and composed(only).casefold() not in classes


def _unlabelled_note(folder: _Folder) -> str:
    return (
        f"Left out: the folder {folder.top.name!r}, whose images have no labels (no class folders); give it to "
        f"'headstart predict' once there is a model."
    )


def _alike(tops: Sequence[_Folder]) -> bool:
    """Whether several folders hold the same sub-folders, at least two, and no images beside them."""
    names = {frozenset(composed(sub.name).casefold() for sub in top.folders) for top in tops}
    return len(tops) > 1 and len(names) == 1 and len(tops[0].folders) > 1 and not any(top.images for top in tops)


def _splits_inside(root: Path, tops: Sequence[_Folder]) -> Layout:
    """Class folders with the same split folders in each; refuses other folders that are the same in each."""
    inner = [sub.name for sub in tops[0].folders]
    splits = folder_roles(inner)
    if "train" in splits and len(set(splits)) == len(splits) and set(splits) <= set(SPLITS):
        note = f"Splits taken from the folders {join_words(inner)} inside each class folder."
        classes = [(split_of(sub.name) or "", top.top.name, sub) for top in tops for sub in top.folders]
        return Layout(tuple(classes), 0, (note,))
    outer = [top.top.name for top in tops]
    raise DataError(
        f"{root}: the folders {join_words(outer, 4)} all hold the same folders, {join_words(inner, 4)}, so "
        f"either may be the classes: if the inner ones are, rename the outer ones train and test, or give one alone, "
        f"such as {tops[0].inner}; if the outer ones are, move the images up into them."
    )


def _check_folders(root: Path, folders: Sequence[Path], loose: Sequence[Path], ignored: Mapping[str, int]) -> None:
    """Raise `DataError` where there are no folders, or one that holds them all."""
    if not folders and loose:
        raise DataError(
            f"{root} holds {quantity(len(loose), 'image')} but no class folders: {_WANTED}; or give a table "
            f"(CSV) of paths and labels{table_hint(root)}."
        )
    if not folders:
        what = f"no images ({quantity(sum(ignored.values()), 'other file')})" if ignored else "nothing"
        raise DataError(f"{root} holds {what}: {_WANTED}{table_hint(root)}.")


def table_hint(root: Path) -> str:
    """A phrase that names a table lying in a folder or one folder further in; empty where there is none."""
    files = sorted(file for pattern in ("*", "*/*") for file in root.glob(pattern) if file.suffix.lower() in _TABLES)
    return f" (there is {files[0]})" if files else ""


def _check_not_splits(root: Path, tops: Sequence[_Folder], roles: Mapping[str, str | None]) -> None:
    """Raise `DataError` where the folders are splits that cannot be used, or hold the class folders further in."""
    names = [top.top.name for top in tops]
    splits = all(roles[name] in SPLITS for name in names)
    if splits and all(top.folders and not top.images for top in tops) and "train" not in roles.values():
        raise DataError(
            f"{root} has the split folders {join_words(names)} but none called 'train': add one, or give "
            "one of them by itself."
        )
    if splits and len(tops) > 1:
        raise DataError(
            f"{root} has the split folders {join_words(names)} but no class folders in 'train': give a table "
            f"(CSV) of paths and labels{table_hint(root)}, or a folder for each class; if these are the classes, give "
            "them other names."
        )
    if len(tops) == 1 and not tops[0].images and len(tops[0].folders) > 1:
        raise DataError(
            f"{root} has a single folder, and the class folders seem to lie inside it: did you mean {tops[0].inner}?"
        )

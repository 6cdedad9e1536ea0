"""Sees what kind of labels a folder or file holds: classes, boxes or masks, and in which form.

`find_form` looks at names and at the first lines of a few files, decodes no image, and returns None where the folder
is one of class folders (or nothing that it knows), which the usual sources then read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.data.sources.annotations.coco import is_coco, read_json
from headstart.data.sources.annotations.labelme import is_labelme
from headstart.data.sources.annotations.voc import is_voc
from headstart.data.sources.annotations.yolo import is_yolo_line
from headstart.errors import DataError

BOXES, MASKS = "boxes", "masks"
_MASK_WORDS = ("annot", "mask", "masks", "label", "labels", "segmentationclass", "gt", "annotations", "ann_dir", "seg")
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
_MASKS = {".png", ".bmp", ".tif", ".tiff", ".gif"}
_LARGEST = 512 << 20
_MOST_FILES = 2_000_000


@dataclass(frozen=True)
class Form:
    """How a folder's labels are kept.

    name: voc, coco, yolo, labelme or masks. task: what such labels are for, where nothing else is said. root: where
    names begin. files: annotation files; values: of JSON files, read already. pairs: folder of images → of masks.
    """

    name: str
    task: str
    root: Path
    files: tuple[Path, ...] = ()
    values: dict[Path, Any] = field(default_factory=dict)
    pairs: tuple[tuple[Path, Path], ...] = ()


def find_form(place: Path, task: str | None = None) -> Form | None:
    """The form of a folder or COCO file; None where it holds neither boxes nor masks. task: what is wanted of it."""
    if place.is_file():
        if place.suffix.lower() != ".json":
            return None
        values = read_json(place)
        return Form("coco", BOXES, place.parent, (place,), {place: values}) if is_coco(values) else None
    if not place.is_dir():
        return None
    files = _files_under(place)
    pairs = _mask_pairs(place, files)
    masks = _masks(place, pairs)
    if task == MASKS and masks is not None:
        return masks
    form = _json(place, files) or _voc(place, files) or _yolo(place, files)
    return form if form is not None or task == BOXES else masks


def _files_under(root: Path) -> dict[str, list[Path]]:
    """The files under a folder by ending, in order; hidden ones left out."""
    by_ending: dict[str, list[Path]] = {}
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                by_ending.setdefault(os.path.splitext(name)[1].lower(), []).append(Path(folder) / name)
                count += 1
        if count > _MOST_FILES:
            break
    return by_ending


def _voc(root: Path, files: dict[str, list[Path]]) -> Form | None:
    """Some of the first files must be annotations: others may be damaged, which reading will say."""
    xml = files.get(".xml", [])
    return Form("voc", BOXES, root, tuple(xml)) if any(is_voc(path) for path in xml[:10]) else None


def _json(root: Path, files: dict[str, list[Path]]) -> Form | None:
    values: dict[Path, Any] = {}
    broken: DataError | None = None
    for path in files.get(".json", []):
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is larger than {_LARGEST >> 20} MB: give a smaller annotation file.")
        try:
            values[path] = read_json(path)
        except DataError as error:
            broken = error
    coco = {path: value for path, value in values.items() if is_coco(value) and value["images"]}
    if coco:
        return Form("coco", BOXES, root, tuple(coco), coco)
    labelme = {path: value for path, value in values.items() if is_labelme(value)}
    if labelme:
        kinds = {shape.get("shape_type") for value in labelme.values() for shape in value["shapes"] if shape}
        return Form("labelme", MASKS if kinds == {"polygon"} else BOXES, root, tuple(labelme), labelme)
    if broken is not None and len(values) < 2:
        raise broken
    return None


def _yolo(root: Path, files: dict[str, list[Path]]) -> Form | None:
    stems = {path.stem for ending in _IMAGES for path in files.get(ending, [])}
    texts = [path for path in files.get(".txt", []) if path.stem in stems]
    looks = [any(is_yolo_line(line) for line in _first_lines(path)) for path in texts[:20]]
    return Form("yolo", BOXES, root, tuple(texts)) if any(looks) else None


def _first_lines(path: Path, count: int = 3) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line for _, line in zip(range(count), file, strict=False)]


def _masks(root: Path, pairs: tuple[tuple[Path, Path], ...]) -> Form | None:
    return Form("masks", MASKS, root, pairs=pairs) if pairs else None


def _mask_pairs(root: Path, files: dict[str, list[Path]]) -> tuple[tuple[Path, Path], ...]:
    """(folder of images, folder of masks): names that differ by a word for masks, files of the same stems."""
    folders: dict[Path, set[str]] = {}
    masks: dict[Path, set[str]] = {}
    for ending in _IMAGES:
        for path in files.get(ending, []):
            folders.setdefault(path.parent, set()).add(path.stem)
            if ending in _MASKS:
                masks.setdefault(path.parent, set()).add(plain_stem(path.stem))
    pairs = []
    for folder, stems in sorted(masks.items()):
        word = _mask_word(folder.relative_to(root))
        if word is None:
            continue
        partners = [
            other
            for other, names in folders.items()
            if other != folder and _mask_word(other.relative_to(root)) is None and _belong(other, folder, root)
            if len(stems & names) >= max(1, len(names) // 2)
        ]
        if len(partners) > 1:  # of several splits the one whose names are the same
            partners = sorted(partners, key=lambda other: -len(stems & folders[other]))
        if partners:
            pairs.append((partners[0], folder))
    return tuple(pairs)


def plain_stem(stem: str) -> str:
    """A mask's stem without the word that says that it is one ('cat_mask' for 'cat')."""
    for word in ("_mask", "_label", "_labelids", "_L", "_gt", "_seg"):
        if stem.lower().endswith(word.lower()):
            return stem[: -len(word)]
    return stem


def _mask_word(path: Path) -> str | None:
    """The word for masks in a folder's way; None where it has none."""
    for part in path.parts:
        low = part.casefold()
        for word in _MASK_WORDS:
            if low == word or low.endswith((f"_{word}", f"-{word}", f" {word}")) or low.startswith((f"{word}_",)):
                return word
        if low.endswith(("annot", "masks", "labels")):
            return "annot"
    return None


def _belong(images: Path, masks: Path, root: Path) -> bool:
    """Whether the two ways differ in one part at most, in which one has a word for masks."""
    one, two = images.relative_to(root).parts, masks.relative_to(root).parts
    if len(one) != len(two):
        return (len(two) == len(one) + 1 and two[:-1] == one) or (len(one), len(two)) == (0, 1)
    return sum(a != b for a, b in zip(one, two, strict=True)) <= 1

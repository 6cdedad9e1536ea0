"""Loads images with boxes or masks, in whatever form their annotations are kept, as one `Dataset`.

Images are fingerprinted as all images are. Faults become notes that name file and line. No image is decoded; masks are
read once, to count their classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart import fingerprint
from headstart.checks import join_words, quantity
from headstart.data.sources.annotations.coco import read_coco
from headstart.data.sources.annotations.find import BOXES, Form, find_form
from headstart.data.sources.annotations.labelme import read_labelme
from headstart.data.sources.annotations.mask_folders import read_mask_folders
from headstart.data.sources.annotations.objects import AnnotatedImage, Fault, Reading, fault_notes
from headstart.data.sources.annotations.outlines import OutlineMap
from headstart.data.sources.annotations.places import ImageIndex
from headstart.data.sources.annotations.voc import read_voc
from headstart.data.sources.annotations.yolo import read_yolo
from headstart.data.sources.class_names import similar_names
from headstart.data.sources.dataset import Dataset, assemble_dataset
from headstart.errors import DataError
from headstart.records.boxes import boxes_from_lists
from headstart.records.masks import VOID, MapSource, Masks

BACKGROUND = "background"


def load_annotated(place: Path, *, task: str | None = None, void: Sequence[str] = ()) -> Dataset:
    """The images of a folder or COCO file with boxes or masks.

    task: boxes or masks; by default what the form of the annotations says. void: names or numbers of classes whose
    pixels count neither for nor against. Raises `DataError` where it holds neither.
    """
    form = require_form(place, find_form(place, task))
    return load_form(form, task or form.task, void)


def require_form(place: Path, form: Form | None) -> Form:
    """The form; raises `DataError` where there is none."""
    if form is None:
        raise DataError(
            f"{place} holds no boxes or masks that Headstart knows: VOC XML, COCO JSON, YOLO text, labelme JSON, or a "
            "folder of masks beside the folder of its images (images/ and masks/) were expected."
        )
    return form


def load_form(form: Form, task: str, void: Sequence[str] = ()) -> Dataset:
    """The images of a form that was recognised."""
    return load_with_faults(form, task, void)[0]


def load_with_faults(form: Form, task: str, void: Sequence[str] = ()) -> tuple[Dataset, tuple[Fault, ...]]:
    """The images of a form that was recognised, and all that was wrong, by file and line."""
    if form.name == "masks":
        if task == BOXES:
            raise DataError(f"{form.root} holds masks, and boxes were asked for: leave --task out, or give boxes.")
        return read_mask_folders(form, void)
    reading = _read(form)
    names = _class_names(reading)
    target, faulty = (_boxes(reading, names), ()) if task == BOXES else _outlined(reading, names)
    images = [image for place, image in enumerate(reading.images) if place not in faulty]
    dataset = _assemble(images, target)
    notes = (*reading.notes, *fault_notes(reading.faults), *_name_notes(names), *_empty_notes(images))
    counts = Counter(fault.kind for fault in reading.faults)
    return replace(dataset, notes=(*dataset.notes, *notes), ignored=dict(counts)), tuple(reading.faults)


def _read(form: Form) -> Reading:
    index = ImageIndex(form.root)
    if form.name == "voc":
        return read_voc(form.root, list(form.files), index)
    if form.name == "coco":
        return read_coco(form.root, form.values, index)
    if form.name == "labelme":
        return read_labelme(form.root, form.values, index)
    return read_yolo(form.root, {path.as_posix(): path for path in form.files}, index)


def _class_names(reading: Reading) -> tuple[str, ...]:
    used = {thing.label for image in reading.images for thing in image.objects}
    if not used:
        raise DataError("no image has an object: there is nothing to learn.")
    return tuple(name for name in reading.classes or sorted(used) if name in used)


def _boxes(reading: Reading, names: tuple[str, ...]) -> Any:
    number = {name: i for i, name in enumerate(names)}
    objects = [
        [(number[thing.label], thing.corners, thing.ignored) for thing in image.objects] for image in reading.images
    ]
    return boxes_from_lists(objects, [image.size for image in reading.images], names)


def _outlined(reading: Reading, names: tuple[str, ...]) -> tuple[Masks, set[int]]:
    """Masks from outlines, what is outside all of them called background; and the images whose outlines are damaged."""
    if not any(thing.outline for image in reading.images for thing in image.objects):
        raise DataError(
            "masks were asked for, and the annotations hold boxes alone: leave --task out, or give outlines."
        )
    ground = next((i for i, name in enumerate(names) if name.casefold() == BACKGROUND), None)
    classes = names if ground is not None else (BACKGROUND, *names)
    number = {name: i for i, name in enumerate(classes)}
    maps: list[MapSource] = []
    pixels, content, faulty = [], [], set()
    for place, image in enumerate(reading.images):
        shapes = tuple(
            (VOID if thing.ignored else number[thing.label], thing.outline) for thing in image.objects if thing.outline
        )
        source = OutlineMap(image.size, shapes, ground or 0)
        try:
            drawn = source.read()
        except (DataError, TypeError, ValueError, KeyError) as error:
            reading.fault(image.objects[0].place, "an image with a damaged outline, left out", error)
            faulty.add(place)
            continue
        maps.append(source)
        pixels.append(np.bincount(drawn[drawn >= 0].astype(np.int64), minlength=len(classes)))
        content.append(fingerprint.hash_array(drawn))
    return Masks(tuple(maps), np.array(pixels, np.int64).reshape(-1, len(classes)), tuple(content), classes), faulty


def _assemble(images: Sequence[AnnotatedImage], target: Any) -> Dataset:
    splits = [image.split or "train" for image in images] if any(image.split for image in images) else None
    samples = assemble_dataset([image.path for image in images], [image.name for image in images], None, splits=splits)
    return Dataset(replace(samples, target=target))


def _name_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Names that may be one class: those that differ by case or blanks, and those that differ by a letter."""
    notes = []
    if alike := similar_names(names):
        notes.append(f"Names that differ only in case or blanks are different classes here: {'; '.join(alike[:5])}.")
    if near := names_alike(names):
        words = "; ".join(f"{a!r} and {b!r}" for a, b in near[:5])
        notes.append(f"Class names that differ by a letter are different classes here: {words}; rename one if not.")
    return tuple(notes)


def names_alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ by a letter."""
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if _one_letter(a.casefold(), b.casefold())]


def _one_letter(a: str, b: str) -> bool:
    """Whether words of five letters or more differ by one letter that is no digit."""
    if min(len(a), len(b)) < 5 or a == b or abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    changed = a[start : start + 1] + b[start : start + 1]
    if any(c.isdigit() for c in changed):
        return False
    return a[start + 1 :] == b[start + 1 :] or a[start:] == b[start + 1 :] or a[start + 1 :] == b[start:]


def _empty_notes(images: Sequence[AnnotatedImage]) -> tuple[str, ...]:
    empty = [image.name for image in images if not image.objects]
    return (f"{quantity(len(empty), 'image')} without objects: {join_words(empty, 3)}; they count.",) if empty else ()

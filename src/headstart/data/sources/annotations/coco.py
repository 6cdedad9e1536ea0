"""COCO JSON: images, categories and annotations with boxes, polygons or run lengths; a file a split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headstart.data.sources.annotations.objects import (
    AnnotatedImage,
    Annotation,
    Reading,
    require_some,
    sound_corners,
)
from headstart.data.sources.annotations.places import ImageIndex, upright_size
from headstart.data.sources.split_names import split_of
from headstart.errors import DataError, UnreadableImage

_WORDS = ("train", "val", "test")


def is_coco(values: Any) -> bool:
    """Whether a JSON value is a COCO file: an object with lists of images and annotations."""
    return isinstance(values, Mapping) and all(isinstance(values.get(k), list) for k in ("images", "annotations"))


def read_json(path: Path) -> Any:
    """The value of a JSON file; raises `DataError` with its line where it is none."""
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno} is no JSON ({error.msg}): save it again.") from error
    except (ValueError, RecursionError, OSError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): save it again.") from error


def read_coco(root: Path, files: Mapping[Path, Any], index: ImageIndex) -> Reading:
    """The images of COCO files, path → value; raises `DataError` where none can be used."""
    reading = Reading()
    order: dict[str, None] = {}
    for path, values in sorted(files.items()):
        split = _split(root, path) if len(files) > 1 else ""
        order |= dict.fromkeys(_categories(values).values())
        _read_file(reading, root, path, values, index, split)
    used = {thing.label for image in reading.images for thing in image.objects}
    reading.classes = tuple(name for name in order if name in used)  # a super-category without objects is no class
    return require_some(reading, root, "COCO JSON")


def _split(root: Path, path: Path) -> str:
    """The split that a file's name or folder says (`instances_train2017.json`, `valid/_annotations.coco.json`)."""
    words = [*reversed(path.relative_to(root).parts[:-1]), path.stem.replace("instances", "").strip("_0123456789")]
    found = next((split for word in reversed(words) if (split := split_of(word))), None)
    return found or next((split for split in _WORDS if split in path.stem.casefold()), "train")


def _categories(values: Mapping[str, Any]) -> dict[Any, str]:
    entries = values.get("categories") or []
    return {entry["id"]: str(entry["name"]) for entry in entries if isinstance(entry, Mapping) and "name" in entry}


def _read_file(
    reading: Reading, root: Path, path: Path, values: Mapping[str, Any], index: ImageIndex, split: str
) -> None:
    place = path.relative_to(root).as_posix()
    categories = _categories(values)
    of_image: dict[Any, list[tuple[int, Mapping[str, Any]]]] = {}
    for number, entry in enumerate(values["annotations"]):
        if isinstance(entry, Mapping):
            of_image.setdefault(entry.get("image_id"), []).append((number, entry))
        else:
            reading.fault(f"{place}: annotations[{number}]", "an annotation that is no object, left out")
    known = {entry.get("id") for entry in values["images"] if isinstance(entry, Mapping)}
    for image_id, entries in of_image.items():
        if image_id not in known:
            first = f"{place}: annotations[{entries[0][0]}]"
            reading.fault(first, "annotations of an image that is not listed, left out", f"image_id {image_id!r}")
    for number, entry in enumerate(values["images"]):
        where = f"{place}: images[{number}]"
        image = _image(reading, where, entry, path, index)
        if image is None:
            continue
        try:
            size = upright_size(image)
        except UnreadableImage as error:
            reading.fault(where, "an image that cannot be read, left out", f"{image.name}: {error}")
            continue
        objects = tuple(_annotations(reading, place, of_image.get(entry.get("id"), []), categories, size))
        reading.images.append(AnnotatedImage(image, image.relative_to(root).as_posix(), size, objects, split))


def _image(reading: Reading, where: str, entry: Any, path: Path, index: ImageIndex) -> Path | None:
    name = entry.get("file_name") if isinstance(entry, Mapping) else None
    if not isinstance(name, str):
        reading.fault(where, "an image without a file_name, left out")
        return None
    image = index.find(name, path.parent)
    if image is None:
        reading.fault(where, "an image that is not there, left out", name)
    return image


def _annotations(
    reading: Reading,
    place: str,
    entries: list[tuple[int, Mapping[str, Any]]],
    categories: Mapping[Any, str],
    size: tuple[int, int],
) -> Iterator[Annotation]:
    for number, entry in entries:
        where = f"{place}: annotations[{number}]"
        label = categories.get(entry.get("category_id"))
        box, outline = entry.get("bbox"), entry.get("segmentation") or None
        if label is None:
            reading.fault(where, "a category_id without a category, left out", entry.get("category_id"))
            continue
        if not box and isinstance(outline, list):
            box = _around(outline)
        if not isinstance(box, list) or len(box) != 4:
            reading.fault(where, "an annotation without a box, left out")
            continue
        try:
            x, y, width, height = (float(value) for value in box)
        except (TypeError, ValueError):
            reading.fault(where, "a box that is not four numbers, left out", box)
            continue
        corners = sound_corners(reading, where, (x, y, x + width, y + height), size)
        if corners is not None:
            yield Annotation(label, corners, bool(entry.get("iscrowd")), outline, where)


def _around(outline: list[Any]) -> list[float] | None:
    """The box around polygons, as x, y, width, height."""
    try:
        across = [float(v) for polygon in outline for v in polygon[::2]]
        down = [float(v) for polygon in outline for v in polygon[1::2]]
        return [min(across), min(down), max(across) - min(across), max(down) - min(down)]
    except (TypeError, ValueError, IndexError):
        return None

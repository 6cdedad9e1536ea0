"""YOLO text: a line an object, `class x y width height` as shares of the image; polygons where a line is longer.

Names stand in data.yaml (its own few lines are read here, not all of YAML), `classes.txt` or `obj.names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from headstart.data.sources.annotations.objects import (
    AnnotatedImage,
    Annotation,
    Reading,
    require_some,
    sound_corners,
)
from headstart.data.sources.annotations.places import ImageIndex, upright_size
from headstart.data.sources.split_names import split_of
from headstart.errors import UnreadableImage

_NAME_FILES = ("classes.txt", "obj.names", "names.txt", "_darknet.labels")
_NUMBERED = re.compile(r"^\s*(\d+)\s*:\s*(.+?)\s*$")
_LISTED = re.compile(r"^\s*-\s*(.+?)\s*$")


def is_yolo_line(line: str) -> bool:
    """Whether a line is a whole number and four or more shares of 1.

    >>> is_yolo_line("0 0.5 0.5 0.2 0.1"), is_yolo_line("cat.jpg 3")
    (True, False)
    """
    words = line.split()
    try:
        return len(words) >= 5 and int(words[0]) >= 0 and all(-0.5 <= float(word) <= 1.5 for word in words[1:5])
    except ValueError:
        return False


def read_yolo(root: Path, files: dict[str, Path], index: ImageIndex) -> Reading:
    """The images beside whose names (or in whose `images` folder's `labels`) text files lie.

    files: stem → text file. An image without a file has no objects, as YOLO says; raises `DataError` where none can be
    used.
    """
    names = _class_names(root)
    reading = Reading(classes=tuple(names) if names else None)
    for image in index.paths:
        path = _label_file(image, files)
        split = next((s for part in image.relative_to(root).parts[:-1] if (s := split_of(part))), "")
        try:
            size = upright_size(image)
        except UnreadableImage as error:
            reading.fault(image.relative_to(root).as_posix(), "an image that cannot be read, left out", error)
            continue
        objects = tuple(_annotations(reading, root, path, names, size)) if path is not None else ()
        reading.images.append(AnnotatedImage(image, image.relative_to(root).as_posix(), size, objects, split))
    return require_some(reading, root, "YOLO text")


def _label_file(image: Path, files: dict[str, Path]) -> Path | None:
    """The text file of an image: of its stem, in a folder that differs by 'labels' for 'images' or not at all."""
    places = [image.with_suffix(".txt")]
    for place, part in enumerate(image.parts):
        if part.casefold() == "images":
            places.append(Path(*image.parts[:place], "labels", *image.parts[place + 1 :]).with_suffix(".txt"))
    return next((path for path in places if path.as_posix() in files), None)


def _annotations(
    reading: Reading, root: Path, path: Path, names: list[str], size: tuple[int, int]
) -> Iterator[Annotation]:
    width, height = size
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        place = f"{path.relative_to(root).as_posix()}:{number}"
        if not line.strip():
            continue
        try:
            label, *values = (float(word) for word in line.split())
        except ValueError:
            reading.fault(place, "a line that is not numbers, left out", line.strip()[:40])
            continue
        if len(values) < 4 or label != int(label) or label < 0 or (names and label >= len(names)):
            what = "a class number that has no name, left out" if len(values) >= 4 else "a line too short, left out"
            reading.fault(place, what, line.strip()[:40])
            continue
        name = names[int(label)] if names else f"class {int(label)}"
        outline = None
        if len(values) > 5 and len(values) % 2 == 0:
            outline = [[v * (height if i % 2 else width) for i, v in enumerate(values)]]
            across, down = outline[0][::2], outline[0][1::2]
            box = (min(across), min(down), max(across), max(down))
        else:
            x, y, w, h = values[0] * width, values[1] * height, values[2] * width, values[3] * height
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        corners = sound_corners(reading, place, box, size)
        if corners is not None:
            yield Annotation(name, corners, False, outline, place)


def _class_names(root: Path) -> list[str]:
    """The names in their order; empty where no file says them."""
    for path in sorted(root.glob("*.y*ml")):
        names = _yaml_names(path.read_text("utf-8", "replace"))
        if names:
            return names
    for folder in (root, root / "labels"):
        for file in _NAME_FILES:
            path = folder / file
            if path.is_file():
                return [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    return []


def _yaml_names(text: str) -> list[str]:
    """The value of `names:` in a data.yaml: a list in brackets, dashed lines, or numbered lines.

    >>> _yaml_names("nc: 2\\nnames: ['cat', 'dog']")
    ['cat', 'dog']
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return []
    first = lines[start].removeprefix("names:").strip()
    if first:
        inner = " ".join([first, *lines[start + 1 :]])
        inner = inner[inner.find("[") + 1 : inner.find("]")] if "[" in inner else ""
        return [word.strip().strip("'\"") for word in inner.split(",") if word.strip()]
    names: dict[int, str] = {}
    for line in lines[start + 1 :]:
        if (match := _NUMBERED.match(line)) is not None:
            names[int(match[1])] = match[2].strip("'\"")
        elif (match := _LISTED.match(line)) is not None:
            names[len(names)] = match[1].strip("'\"")
        elif line.strip() and not line.startswith((" ", "#")):
            break
    return [names.get(i, f"class {i}") for i in range(max(names) + 1)] if names else []

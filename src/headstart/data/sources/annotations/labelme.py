"""labelme: a JSON file an image, with named polygons and rectangles in pixels."""

from __future__ import annotations

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
from headstart.errors import UnreadableImage

_KINDS = ("polygon", "rectangle")


def is_labelme(values: Any) -> bool:
    """Whether a JSON value is a labelme file: an object with a list of shapes."""
    return isinstance(values, Mapping) and isinstance(values.get("shapes"), list)


def read_labelme(root: Path, files: Mapping[Path, Any], index: ImageIndex) -> Reading:
    """The images of labelme files, path → value; raises `DataError` where none can be used."""
    reading = Reading()
    for path, values in sorted(files.items()):
        place = path.relative_to(root).as_posix()
        named = values.get("imagePath")
        image = index.find(named, path.parent) if isinstance(named, str) else None
        image = image or index.find(path.stem, path.parent)
        if image is None:
            reading.fault(place, "an annotation without its image, left out", named)
            continue
        try:
            size = upright_size(image)
        except UnreadableImage as error:
            reading.fault(place, "an image that cannot be read, left out", f"{image.name}: {error}")
            continue
        split = next((s for part in path.relative_to(root).parts[:-1] if (s := split_of(part))), "")
        objects = tuple(_annotations(reading, place, values["shapes"], size))
        reading.images.append(AnnotatedImage(image, image.relative_to(root).as_posix(), size, objects, split))
    return require_some(reading, root, "labelme JSON")


def _annotations(reading: Reading, place: str, shapes: list[Any], size: tuple[int, int]) -> Iterator[Annotation]:
    for number, shape in enumerate(shapes):
        where = f"{place}: shapes[{number}]"
        kind = shape.get("shape_type", "polygon") if isinstance(shape, Mapping) else "nothing"
        if kind not in _KINDS or not isinstance(shape.get("label"), str):
            reading.fault(where, "a shape that is no named polygon or rectangle, left out", kind)
            continue
        try:
            points = [(float(x), float(y)) for x, y in shape["points"]]
            across, down = [x for x, _ in points], [y for _, y in points]
            box = (min(across), min(down), max(across), max(down))
        except (KeyError, TypeError, ValueError):
            reading.fault(where, "a shape without points, left out")
            continue
        corners = sound_corners(reading, where, box, size)
        if corners is None:
            continue
        left, top, right, bottom = box
        ring = [v for point in points for v in point]
        square = [left, top, right, top, right, bottom, left, bottom]
        yield Annotation(shape["label"], corners, False, [ring if kind == "polygon" else square], where)

"""Pascal VOC: an XML file an image, with `<object>`s in pixels; lists of splits in `ImageSets/Main`.

CVAT, LabelImg and Roboflow write it too. A document with a DTD is refused (entities are how XML files attack readers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from headstart.data.sources.annotations.objects import (
    AnnotatedImage,
    Annotation,
    Reading,
    require_some,
    sound_corners,
)
from headstart.data.sources.annotations.places import ImageIndex, listed_splits, upright_size
from headstart.data.sources.split_names import split_of
from headstart.errors import UnreadableImage

_BOX = ("xmin", "ymin", "xmax", "ymax")
_LARGEST = 16 << 20


@dataclass
class _Element:
    """The texts of an element's leaves by name, with the line on which it begins."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)


class _Document:
    """Collects `<filename>` and the `<object>`s of one file."""

    def __init__(self) -> None:
        self.root = ""
        self.texts: dict[str, str] = {}
        self.objects: list[_Element] = []
        self._path: list[str] = []
        self._text = ""
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise ValueError("it has a document type, which annotations do not need")

    def _start(self, name: str, _: object) -> None:
        self.root = self.root or name
        self._path.append(name)
        self._text = ""
        if self._path[1:] == ["object"]:
            self.objects.append(_Element(self.parser.CurrentLineNumber))

    def _characters(self, text: str) -> None:
        self._text += text

    def _end(self, name: str) -> None:
        inside = self._path[1:]
        if inside[:1] == ["object"] and "part" not in inside:
            self.objects[-1].texts.setdefault(name, self._text.strip())
        elif len(inside) == 1:
            self.texts.setdefault(name, self._text.strip())
        self._path.pop()
        self._text = ""


def is_voc(path: Path) -> bool:
    """Whether an XML file is an annotation of VOC."""
    try:
        return _parse(path).root == "annotation"
    except (expat.ExpatError, ValueError, OSError):
        return False


def _parse(path: Path) -> _Document:
    document = _Document()
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
    document.parser.Parse(content, True)
    return document


def read_voc(root: Path, files: list[Path], index: ImageIndex) -> Reading:
    """The images of VOC files; raises `DataError` where none can be used."""
    reading = Reading()
    splits = listed_splits(root)
    for path in sorted(files):
        place = path.relative_to(root).as_posix()
        try:
            document = _parse(path)
        except expat.ExpatError as error:
            reading.fault(f"{place}:{error.lineno}", "an XML file that is not well formed, left out with its image")
            continue
        except (ValueError, OSError) as error:
            reading.fault(place, "an XML file that cannot be read, left out with its image", error)
            continue
        if document.root != "annotation":
            reading.fault(place, "an XML file that is no VOC annotation, left out", f"<{document.root}>")
            continue
        _add_image(reading, root, path, document, index, splits.get(path.stem) or _folder_split(root, path))
    return require_some(reading, root, "VOC XML")


def _add_image(reading: Reading, root: Path, path: Path, document: _Document, index: ImageIndex, split: str) -> None:
    place = path.relative_to(root).as_posix()
    named = document.texts.get("filename") or path.stem
    image = index.find(named, path.parent) or index.find(path.stem, path.parent)
    if image is None:
        reading.fault(place, "an annotation without its image, left out", named)
        return
    try:
        size = upright_size(image)
    except UnreadableImage as error:
        reading.fault(image.relative_to(root).as_posix(), "an image that cannot be read, left out", error)
        return
    objects = tuple(_annotations(reading, place, document, size))
    reading.images.append(AnnotatedImage(image, image.relative_to(root).as_posix(), size, objects, split))


def _annotations(reading: Reading, place: str, document: _Document, size: tuple[int, int]) -> Iterator[Annotation]:
    for element in document.objects:
        where = f"{place}:{element.line}"
        label = element.texts.get("name", "")
        if not label:
            reading.fault(where, "an object without a name, left out")
            continue
        corners = sound_corners(reading, where, [element.texts.get(key) for key in _BOX], size)
        if corners is not None:
            yield Annotation(label, corners, element.texts.get("difficult") == "1", None, where)


def _folder_split(root: Path, path: Path) -> str:
    """The split that a folder on the way to a file names; '' where none does."""
    words = [split_of(part) for part in path.relative_to(root).parts[:-1]]
    return next((word for word in words if word), "")

"""Finds the image that an annotation is about, and the size that it has upright."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from headstart.data.images.open import open_image
from headstart.data.sources.files import images_under

_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
"""EXIF orientations that turn an image by a quarter."""


class ImageIndex:
    """The images under a folder, by path, by name and by stem."""

    def __init__(self, root: Path) -> None:
        self.ignored: Counter[str] = Counter()
        self.paths = list(images_under(root, self.ignored))
        self._names: dict[str, list[Path]] = {}
        for path in self.paths:
            for key in {path.name.casefold(), path.stem.casefold()}:
                self._names.setdefault(key, []).append(path)

    def find(self, name: str, near: Path) -> Path | None:
        """The image of this file name (or of this stem) that lies nearest to a folder; None where there is none.

        Folders inside the name say which of several is meant; a path of another machine is read by its name alone.
        """
        words = name.replace("\\", "/").split("/")
        direct = near / name
        if not name.startswith("/") and ".." not in words and direct in self._names.get(words[-1].casefold(), ()):
            return direct
        choices = self._names.get(words[-1].casefold()) or self._names.get(Path(words[-1]).stem.casefold(), [])
        return max(choices, key=lambda path: _closeness(path, near, words), default=None)


def _closeness(path: Path, near: Path, words: list[str]) -> tuple[int, int]:
    """How many folders of the name agree from its end, and how many are shared with `near`."""
    tail = sum(1 for a, b in zip(reversed(path.parts), reversed(words), strict=False) if a == b)
    shared = sum(1 for a, b in zip(path.parts, near.parts, strict=False) if a == b)
    return tail, shared


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of an image as it is shown, from its header; raises `UnreadableImage`."""
    with open_image(path) as image:
        width, height = image.size
        try:
            lying = image.getexif().get(_ORIENTATION, 1) in _LYING
        except Exception:  # a parser may raise anything on damaged bytes
            lying = False
        return (height, width) if lying else (width, height)


def listed_splits(root: Path, folder: str = "Main") -> dict[str, str]:
    """Stem → split, from the lists in `ImageSets/<folder>` or `ImageSets`; one in several lists is held out."""
    splits: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for path in (root / "ImageSets" / folder / f"{split}.txt", root / "ImageSets" / f"{split}.txt"):
            if path.is_file():
                lines = path.read_text("utf-8", "replace").splitlines()
                splits |= {line.split()[0]: split for line in lines if line.strip()}
    return splits

"""Looks through folders for images: what is one, what is passed over, and why.

`list_folder` reads one folder, `images_under` all that is in it. A file counts as an image by its ending, and where the
ending says nothing by its first bytes; whether it can be read, decoding it will say.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from headstart.data.images.lookalikes import RAW, UNSUPPORTED, looks_like_image
from headstart.data.images.open import EXTENSIONS
from headstart.errors import DataError

_LITTER = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})
_IMAGES = EXTENSIONS | UNSUPPORTED | RAW


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
    if ending in _IMAGES or (entry.is_file() and looks_like_image(entry.path)):
        return "image"
    return f"not an image ({ending or 'no ending'})"

"""Finds the file that a table names: as written, with the ending that was left out, or one or two folders down.

`FileLookup.find` takes a file other than the one written only where no other fits; it refuses to choose between two.
The folder is looked through once, and only where a file is not there as written.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from headstart.checks import join_words, quantity
from headstart.data.images.open import EXTENSIONS
from headstart.data.sources.files import list_folder
from headstart.data.sources.split_names import split_of
from headstart.errors import DataError

_DEPTH = 2
"""How many folders down are looked through."""


class FileLookup:
    """The images that lie in a table's folder.

    folder: where relative paths start. split: of the whole table, as its name says (`train.csv`), so that of
    `train/1.jpg` and `test/1.jpg` the first is meant.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.folder = folder
        self._split = split
        self._places: dict[str, list[Path]] | None = None
        self._lookups: list[tuple[str, Path]] = []

    def find(self, path: str, line: str) -> Path:
        """The file that a table's row names; line: where, for the `DataError` where two files may be meant.

        Returns the path as written where there is no such file.
        """
        plain, turned = self.folder / path, self.folder / path.replace("\\", "/")
        if os.path.isfile(plain):
            return plain
        if turned != plain and os.path.isfile(turned):
            return turned
        matches = self._of_split(self._matches(path.replace("\\", "/")))
        if len(matches) > 1:
            shown = join_words([self._relative(match) for match in matches], 3)
            raise DataError(f"{line}: {path!r} may be any of {shown}: write the folder and the ending.")
        if not matches:
            return plain
        self._lookups.append((path, matches[0]))
        return matches[0]

    def notes(self) -> tuple[str, ...]:
        """A sentence on the files that were not named in full."""
        if not self._lookups:
            return ()
        path, file = self._lookups[0]
        return (f"{quantity(len(self._lookups), 'file')} looked up by name: {path!r} is {self._relative(file)}, say.",)

    def contents(self) -> str:
        """What lies in the folder, for messages: its images, and the folders with theirs."""
        images, folders = list_folder(self.folder, Counter())
        parts = [quantity(len(images), "image")] if images else []
        parts += [f"{sub.name}/ with {quantity(len(list_folder(sub, Counter())[0]), 'image')}" for sub in folders[:3]]
        if len(folders) > 3:
            parts.append(f"{len(folders) - 3:,} folders more")
        return f", which holds {', '.join(parts)}" if parts else ", which holds no images"

    def _of_split(self, files: list[Path]) -> list[Path]:
        """The files that lie in a folder of the table's split, where there are such; else all."""
        if self._split is None or len(files) < 2:
            return files
        parts = [Path(os.path.relpath(file.parent, self.folder)).parts for file in files]
        same = [file for file, names in zip(files, parts, strict=True) if self._split in map(split_of, names)]
        return same or files

    def _matches(self, path: str) -> list[Path]:
        if os.path.isabs(path):
            named = [Path(path + ending) for ending in sorted(EXTENSIONS | {end.upper() for end in EXTENSIONS})]
            return [file for file in named if os.path.isfile(file)]
        if self._places is None:
            self._places = self._look()
        return self._places.get(PurePosixPath(path).as_posix(), [])

    def _look(self) -> dict[str, list[Path]]:
        """Every image near by, under what a table may call it: its path and its name, with and without ending."""
        places: dict[str, list[Path]] = defaultdict(list)
        level = [self.folder]
        for _ in range(_DEPTH + 1):
            below: list[Path] = []
            for folder in level:
                images, folders = list_folder(folder, Counter())
                below += folders
                for image in images:
                    relative = PurePosixPath(image.relative_to(self.folder).as_posix())
                    for key in {str(relative.with_suffix("")), relative.name, relative.stem}:
                        places[key].append(image)
            level = below
        return places

    def _relative(self, file: Path) -> str:
        return (
            os.path.relpath(file, self.folder) if not file.is_absolute() or self.folder in file.parents else str(file)
        )

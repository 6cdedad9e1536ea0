"""What earlier runs left in the cache folder: a list, and a way to clear it.

Rows are removed one by one, so that another process which is using them goes on undisturbed. Converted backbones lie
in the same folder and are left alone: making them again may need the network.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from headstart.storage.folders import COMPILED, FILE_CACHES, ROW_CACHES, cache_folder
from headstart.storage.row_cache import companion_files, count_rows, delete_rows


@dataclass(frozen=True)
class CachedFiles:
    """A file or folder: its size, and how many images' rows it holds (None where it holds no rows, or is damaged)."""

    path: Path
    bytes: int
    rows: int | None


def cached_files() -> list[CachedFiles]:
    """The files of rows, then those set aside as damaged, the compiled networks, and the other folders."""
    rows = [CachedFiles(path, _size(companion_files(path)), count_rows(path)) for path in _row_files()]
    single = [CachedFiles(path, path.stat().st_size, None) for path in [*_damaged_files(), *_files(COMPILED)]]
    folders = [CachedFiles(cache_folder(name), _size(_files(name)), None) for name in FILE_CACHES]
    return rows + single + [folder for folder in folders if folder.bytes]


def clear_cache() -> int:
    """Remove all of `cached_files`; return how many bytes that freed."""
    before = sum(file.bytes for file in cached_files())
    for path in _row_files():
        if not delete_rows(path):
            for part in companion_files(path):
                part.unlink(missing_ok=True)
    for path in [*_damaged_files(), *(path for name in (COMPILED, *FILE_CACHES) for path in _files(name))]:
        with contextlib.suppress(PermissionError):  # Windows keeps a file that a process has mapped into its memory
            path.unlink(missing_ok=True)
    return before - sum(file.bytes for file in cached_files())


def _row_files() -> list[Path]:
    return [path for name in ROW_CACHES for path in _files(name, "*.sqlite")]


def _damaged_files() -> list[Path]:
    return [path for name in ROW_CACHES for path in _files(name, "*.damaged")]


def _files(name: str, pattern: str = "*") -> list[Path]:
    folder = cache_folder(name)
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _size(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)

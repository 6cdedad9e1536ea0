"""What earlier runs left in the cache folder: a list, and a way to clear it.

Embeddings are removed row by row, so that another process which is using them goes on undisturbed. Converted backbones
lie in the same folder and are left alone: making them again may need the network.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from headstart.storage import file_cache, migrations
from headstart.storage.folders import cache_folder
from headstart.storage.row_cache import default_folder

_PATIENCE = 5.0


@dataclass(frozen=True)
class CachedFiles:
    """A file or folder: its size, and how many images' rows it holds (None where it holds no rows, or is damaged)."""

    path: Path
    bytes: int
    rows: int | None


def cached_files() -> list[CachedFiles]:
    """The files of embeddings, then the compiled networks, then the other folders."""
    caches = [CachedFiles(path, _size(path), _rows(path)) for path in _files(default_folder(), "*.sqlite")]
    damaged = [CachedFiles(path, path.stat().st_size, None) for path in _files(default_folder(), "*.damaged")]
    networks = [CachedFiles(path, path.stat().st_size, None) for path in _files(file_cache.blob_folder(), "*")]
    return (
        caches
        + damaged
        + networks
        + [CachedFiles(folder, size, None) for folder in _folders() if (size := _total(folder))]
    )


def clear_cache() -> int:
    """Remove all of `everything`; return how many bytes that freed."""
    before = sum(file.bytes for file in cached_files())
    for path in _files(default_folder(), "*.sqlite"):
        if not _emptied(path):
            for part in (path, *_beside(path)):
                part.unlink(missing_ok=True)
    rest = [path for folder in _folders() for path in _files(folder, "*")]
    for path in _files(default_folder(), "*.damaged") + _files(file_cache.blob_folder(), "*") + rest:
        with contextlib.suppress(PermissionError):  # Windows keeps a file that a process has mapped into its memory
            path.unlink(missing_ok=True)
    return before - sum(file.bytes for file in cached_files())


def _folders() -> list[Path]:
    """Where `finetune` keeps activations, checkpoints and timings, `choose.score_cache` scores, `data` thumbnails."""
    return [cache_folder() / name for name in ("activations", "checkpoints", "precision", "scores", "thumbnails")]


def _total(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder, "*"))


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")]


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in (path, *_beside(path)) if part.exists())


def _rows(path: Path) -> int | None:
    try:
        with contextlib.closing(migrations.connect(path, busy_seconds=_PATIENCE)) as db:
            return int(db.execute("SELECT COUNT(*) FROM entries").fetchone()[0])
    except sqlite3.Error:
        return None


def _emptied(path: Path) -> bool:
    try:
        with contextlib.closing(migrations.connect(path, busy_seconds=_PATIENCE)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM entries")
            db.execute("DELETE FROM vectors")
            db.execute("COMMIT")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error:
        return False
    return True

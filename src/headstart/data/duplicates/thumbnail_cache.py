"""Thumbnails kept between runs, by the picture's content: one SQLite file in the cache folder.

`find` and `store` never stop the work: what cannot be read or written is made anew. A damaged file is removed, and so
is one that has outgrown its limit.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates.alignment import SIDE
from headstart.records.arrays import Floats
from headstart.storage.folders import cache_folder

Look: TypeAlias = tuple[NDArray[np.uint8], Floats]
"""A thumbnail, (64, 64), and the facts of its picture, (6,)."""

LIMIT = 1 << 30
_VERSION = 1
"""Raise when `thumbnails.look` makes other numbers of the same picture."""
_AT_ONCE = 500
_PATIENCE = 5.0
_PIXELS = SIDE * SIDE
_BYTES = _PIXELS + 6 * 4


def cache_path() -> Path:
    """The file they lie in."""
    return cache_folder() / "thumbnails" / f"looks-{_VERSION}.sqlite"


def find_thumbnails(content: Sequence[str]) -> dict[str, Look]:
    """The looks that are there, by content."""
    wanted = list(dict.fromkeys(content))
    found: dict[str, Look] = {}
    if cache_path().is_file():
        _attempt(lambda connection: found.update(_found(connection, wanted)))
    return found


def _found(connection: sqlite3.Connection, wanted: list[str]) -> Iterator[tuple[str, Look]]:
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = connection.execute(f"SELECT content, body, checksum FROM looks WHERE content IN ({marks})", some)
        for name, body, check in rows:
            if isinstance(body, bytes) and len(body) == _BYTES and zlib.crc32(body) == check:
                yield name, _unpacked(body)


def store_thumbnails(fresh: Mapping[str, Look]) -> None:
    """Keep looks, all of them or none."""
    if not fresh:
        return
    try:
        cache_path().parent.mkdir(parents=True, exist_ok=True)
        if cache_path().exists() and cache_path().stat().st_size > LIMIT:
            cache_path().unlink()
    except OSError:
        return
    _attempt(lambda connection: _stored(connection, fresh))


def _stored(connection: sqlite3.Connection, fresh: Mapping[str, Look]) -> None:
    bodies = ((name, grey.tobytes() + facts.astype("<f4").tobytes()) for name, (grey, facts) in fresh.items())
    rows = [(name, body, zlib.crc32(body)) for name, body in bodies]
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS looks (content TEXT PRIMARY KEY, body BLOB, checksum INTEGER)")
        connection.executemany("INSERT OR REPLACE INTO looks VALUES (?, ?, ?)", rows)


def _attempt(work: Callable[[sqlite3.Connection], None]) -> None:
    """Do something with the file; go without where SQLite refuses, and remove the file where it is damaged."""
    try:
        with contextlib.closing(sqlite3.connect(cache_path(), timeout=_PATIENCE)) as connection:
            work(connection)
    except sqlite3.OperationalError:  # busy, full, not writable, or of no table yet
        return
    except sqlite3.DatabaseError:
        with contextlib.suppress(OSError):
            cache_path().unlink(missing_ok=True)


def _unpacked(body: bytes) -> Look:
    grey = np.frombuffer(body, np.uint8, _PIXELS).reshape(SIDE, SIDE)
    return grey, np.frombuffer(body, "<f4", offset=_PIXELS).astype(np.float32)

"""The embedding cache: one SQLite file a backbone, so that an image is passed through a network once.

A key names all that a row depends on: the image's content and the engine's recipe (preprocessing, weights, taps,
precision). A row is every tap's pooled vector, side by side, as the float32 numbers that the engine gave: cached and
fresh rows are equal bit for bit. Rows carry a checksum. Writes are whole transactions (write-ahead log), so a killed
run loses at most its last batch; several processes may use a file at once. The least recently used rows go when the
file outgrows its limit.

A cache never stops the work: when the disk is full, the folder cannot be written to or the file is damaged, it says so
once (`logging`, logger `headstart`) and embedding goes on. A damaged file is set aside as `.damaged` and made anew.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from headstart.records.arrays import Floats
from headstart.storage import migrations
from headstart.storage.folders import cache_folder, limit_in_bytes

Key = bytes
_Result = TypeVar("_Result")

DEFAULT_LIMIT_GB = 4.0
_KEYS_A_QUERY = 256
_BUSY_SECONDS = 30.0
_RENEW_AFTER = 3600
_FULLNESS_AFTER_EVICTION = 0.9
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)

_log = logging.getLogger("headstart")


def default_folder() -> Path:
    """Where the caches lie."""
    return cache_folder() / "embeddings"


def default_limit() -> int:
    """Bytes that a backbone's cache may take: HEADSTART_CACHE_GB, or 4 GB. Raises `OptionError` for a wrong value."""
    return limit_in_bytes("HEADSTART_CACHE_GB", DEFAULT_LIMIT_GB)


class EmbeddingCache:
    """Rows by key, in one SQLite file of at most about `limit` bytes.

    Nothing is opened before the first use. `close` lets go of the file; using the cache again opens it again. Safe to
    use from several threads and processes.

    path: the file. limit: bytes. clock: seconds since 1970 (for tests of what is evicted first).
    """

    def __init__(self, path: Path, *, limit: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.limit = default_limit() if limit is None else limit
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._lock = threading.RLock()
        self._readable = self._writable = True

    def find(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Floats]]:
        """The rows that are there, in no particular order; keys that are not there are left out."""
        rest = iter(keys)
        while some := tuple(islice(rest, _KEYS_A_QUERY)):
            yield from self._attempt(partial(self._find, some)) or ()

    def store(self, rows: Iterable[tuple[Key, Floats]]) -> None:
        """Keep rows, all of them or (when the disk is full, say) none."""
        entries = [(name, row.tobytes()) for name, row in rows]
        if entries and self._writable:
            self._attempt(partial(self._store, entries))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def count(self) -> int:
        """How many rows there are."""
        return self._attempt(lambda db: int(db.execute("SELECT COUNT(*) FROM entries").fetchone()[0])) or 0

    def _attempt(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result | None:
        """Work on the database; None when that cannot be done. A damaged file is replaced, and the work redone."""
        with self._lock:
            for _ in range(2):
                if not self._readable:
                    return None
                try:
                    return work(self._database())
                except (sqlite3.Error, OSError) as error:
                    self._abandon_transaction()
                    if not self._recover(error):
                        return None
        return None

    def _database(self) -> sqlite3.Connection:
        """The connection, to the file that bears the name now (another process may have replaced it)."""
        if self._connection is None or self._identity() != self._opened:
            self.close()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._opened = self._identity()
            self._connection = migrations.connect(self.path, busy_seconds=_BUSY_SECONDS)
            self._opened = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _abandon_transaction(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()

    def _recover(self, error: Exception) -> bool:
        """Whether the work is worth another attempt; if not, say once what is the matter."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGE:
            return self._set_aside()
        if code in _PASSING:
            if self._writable:
                self._writable = False
                _log.warning("the embedding cache %s keeps nothing new: %s. Embedding goes on.", self.path, error)
        else:
            self._give_up(error)
        return False

    def _give_up(self, error: Exception) -> None:
        self._readable = self._writable = False
        self.close()
        _log.warning("the embedding cache %s cannot be used: %s. Embedding goes on without.", self.path, error)

    def _set_aside(self) -> bool:
        """Rename the damaged file, unless another process has replaced it already; whether there is a way on."""
        replaced = self._opened is not None and self._identity() != self._opened
        self.close()
        self._opened = None
        if replaced:
            return True
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)
            return False
        _log.warning("the embedding cache %s was damaged: set aside as %s, made anew.", self.path, aside.name)
        return True

    def _find(self, keys: Sequence[Key], db: sqlite3.Connection) -> list[tuple[Key, Floats]]:
        marks = ",".join("?" * len(keys))
        found = db.execute(
            "SELECT e.key, e.used, e.checksum, v.row FROM entries e JOIN vectors v USING (id) "
            f"WHERE e.key IN ({marks})",
            keys,
        ).fetchall()
        whole = [(name, row) for name, _, checksum, row in found if zlib.crc32(row) == checksum]
        now = int(self._clock())
        if self._writable and any(used < now - _RENEW_AFTER for _, used, _, _ in found):
            with contextlib.suppress(sqlite3.OperationalError):  # not worth a row; `store` will say what is wrong
                db.execute(f"UPDATE entries SET used = ? WHERE key IN ({marks})", (now, *keys))
        return [(name, np.frombuffer(row, np.float32)) for name, row in whole]

    def _store(self, entries: Sequence[tuple[Key, bytes]], db: sqlite3.Connection) -> None:
        now = int(self._clock())
        db.execute("BEGIN IMMEDIATE")
        for name, row in entries:
            (identity,) = db.execute(
                "INSERT INTO entries (key, used, checksum) VALUES (?, ?, ?) ON CONFLICT (key) "
                "DO UPDATE SET used = excluded.used, checksum = excluded.checksum RETURNING id",
                (name, now, zlib.crc32(row)),
            ).fetchone()
            db.execute("INSERT OR REPLACE INTO vectors (id, row) VALUES (?, ?)", (identity, row))
        self._evict(db)
        db.execute("COMMIT")
        db.execute("PRAGMA incremental_vacuum").fetchall()

    def _evict(self, db: sqlite3.Connection) -> None:
        """Drop the least recently used rows when the file has outgrown its limit."""
        size = occupied(db)
        if size <= self.limit:
            return
        (rows,) = db.execute("SELECT COUNT(*) FROM entries").fetchone()
        excess = max(1, round(rows * (1 - _FULLNESS_AFTER_EVICTION * self.limit / size)))
        oldest = db.execute("SELECT id FROM entries ORDER BY used, id LIMIT ?", (excess,)).fetchall()
        db.executemany("DELETE FROM entries WHERE id = ?", oldest)
        db.executemany("DELETE FROM vectors WHERE id = ?", oldest)


def occupied(db: sqlite3.Connection) -> int:
    """Bytes of a database that hold something."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)

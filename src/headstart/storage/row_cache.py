"""Rows kept between runs, by key, in one SQLite file.

A key names all that a row depends on; what it and the row mean is the caller's matter. A row comes back bit for bit,
or not at all: it carries a checksum. Writes are whole transactions (write-ahead log), so a killed run loses at most its
last batch; several processes may use a file at once. The least recently used rows go when the file outgrows its limit.

A cache never stops the work: when the disk is full, the folder cannot be written to or the file is damaged, it says so
once (`logging`, logger `headstart`) and the work goes on. A damaged file is set aside as `.damaged` and made anew.
The tables' version stands in the file's name (`SUFFIX`): another version's file is never opened.
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
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Key: TypeAlias = bytes
Row: TypeAlias = NDArray[Any]
_Result = TypeVar("_Result")

SUFFIX = ".v1.sqlite"
"""How a file's name ends. Raise the number with every change of the tables."""
DEFAULT_LIMIT = 4_000_000_000

_TABLES = (
    "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, "
    "used INTEGER NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, row BLOB NOT NULL)",
)
"""Two tables, so that what is evicted is found without reading rows."""
_KEYS_A_QUERY = 500
_BUSY_SECONDS = 30.0
_INVENTORY_SECONDS = 5.0
_RETRY_SECONDS = 0.05
_RENEW_AFTER = 3600
"""Seconds for which a row counts as just used, so that reading seldom writes."""
_FULLNESS_AFTER_EVICTION = 0.9
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)

_log = logging.getLogger("headstart")


class RowCache:
    """Rows by key, in one SQLite file of at most about `limit` bytes.

    Nothing is opened before the first use. `close` lets go of the file; using the cache again opens it again. Safe to
    use from several threads and processes.

    path: the file. dtype: of the rows, which are vectors. limit: bytes. clock: seconds since 1970 (for tests of what is
    evicted first).
    """

    def __init__(
        self,
        path: Path,
        *,
        dtype: DTypeLike = np.float32,
        limit: int = DEFAULT_LIMIT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.limit = path, limit
        self._dtype = np.dtype(dtype)
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._lock = threading.RLock()
        self._readable = self._writable = True

    def find(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Row]]:
        """The rows that are there, by key within each 500 of the keys; keys that are not there are left out."""
        rest = iter(keys)
        while batch := tuple(islice(rest, _KEYS_A_QUERY)):
            yield from self._attempt(partial(self._find, batch)) or ()

    def store(self, rows: Iterable[tuple[Key, Row]]) -> None:
        """Keep rows, all of them or (when the disk is full, say) none."""
        entries = [(key, row.astype(self._dtype, copy=False).tobytes()) for key, row in rows]
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
            self._connection = _connect(self.path)
            self._opened = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return None
        return facts.st_dev, facts.st_ino

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
                _log.warning("the cache %s keeps nothing new: %s. The work goes on.", self.path, error)
        else:
            self._give_up(error)
        return False

    def _give_up(self, error: Exception) -> None:
        self._readable = self._writable = False
        self.close()
        _log.warning("the cache %s cannot be used: %s. The work goes on without.", self.path, error)

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
        _log.warning("the cache %s was damaged: set aside as %s, made anew.", self.path, aside.name)
        return True

    def _find(self, keys: Sequence[Key], db: sqlite3.Connection) -> list[tuple[Key, Row]]:
        marks = ",".join("?" * len(keys))
        rows = db.execute(
            "SELECT e.key, e.used, e.checksum, v.row FROM entries e JOIN vectors v USING (id) "
            f"WHERE e.key IN ({marks}) ORDER BY e.key",
            keys,
        ).fetchall()
        whole = [(key, row) for key, _, checksum, row in rows if zlib.crc32(row) == checksum]
        now = int(self._clock())
        if self._writable and any(used < now - _RENEW_AFTER for _, used, _, _ in rows):
            with contextlib.suppress(sqlite3.OperationalError):  # not worth a row; `store` will say what is wrong
                db.execute(f"UPDATE entries SET used = ? WHERE key IN ({marks})", (now, *keys))
        return [(key, np.frombuffer(row, self._dtype)) for key, row in whole]

    def _store(self, entries: Sequence[tuple[Key, bytes]], db: sqlite3.Connection) -> None:
        now = int(self._clock())
        db.execute("BEGIN IMMEDIATE")
        for key, row in entries:
            (identity,) = db.execute(
                "INSERT INTO entries (key, used, checksum) VALUES (?, ?, ?) ON CONFLICT (key) "
                "DO UPDATE SET used = excluded.used, checksum = excluded.checksum RETURNING id",
                (key, now, zlib.crc32(row)),
            ).fetchone()
            db.execute("INSERT OR REPLACE INTO vectors (id, row) VALUES (?, ?)", (identity, row))
        self._evict(db)
        db.execute("COMMIT")
        db.execute("PRAGMA incremental_vacuum").fetchall()

    def _evict(self, db: sqlite3.Connection) -> None:
        """Drop the least recently used rows when the file has outgrown its limit."""
        size = _occupied(db)
        if size <= self.limit:
            return
        (rows,) = db.execute("SELECT COUNT(*) FROM entries").fetchone()
        excess = max(1, round(rows * (1 - _FULLNESS_AFTER_EVICTION * self.limit / size)))
        oldest = db.execute("SELECT id FROM entries ORDER BY used, id LIMIT ?", (excess,)).fetchall()
        db.executemany("DELETE FROM entries WHERE id = ?", oldest)
        db.executemany("DELETE FROM vectors WHERE id = ?", oldest)


def _occupied(db: sqlite3.Connection) -> int:
    """Bytes of a database that hold something."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a file in autocommit mode, for any thread, making it where needed. Raises `sqlite3.Error`."""
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _set_mode(db)
        if db.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0] < len(_TABLES):
            db.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                db.execute(table)
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _set_mode(db: sqlite3.Connection) -> None:
    """Set the file's mode. Of two processes that do so at the same time SQLite turns one away without waiting."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_RETRY_SECONDS)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 16777216")


def companion_files(path: Path) -> list[Path]:
    """The file and those that SQLite keeps beside it, as far as they are there."""
    return [part for suffix in ("", "-wal", "-shm") if (part := path.with_name(path.name + suffix)).exists()]


def count_rows(path: Path) -> int | None:
    """How many rows a file holds; None where it is damaged, or of another version. It is left as it is."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_INVENTORY_SECONDS)) as db:
            return int(db.execute("SELECT COUNT(*) FROM entries").fetchone()[0])
    except sqlite3.Error:
        return None


def delete_rows(path: Path) -> bool:
    """Remove all rows of a file that other processes may go on using; whether that could be done."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_INVENTORY_SECONDS, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM entries")
            db.execute("DELETE FROM vectors")
            db.execute("COMMIT")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error:
        return False
    return True

"""The cache file's form: numbered steps, only ever appended, and how a file is opened.

`PRAGMA user_version` says how many steps a file has been through.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, "
        "used INTEGER NOT NULL, checksum INTEGER NOT NULL)",
        "CREATE TABLE vectors (id INTEGER PRIMARY KEY, row BLOB NOT NULL)",
    ),
)
_PATIENCE = 0.05


class NewerFile(sqlite3.Error):
    """The file was written by a newer Headstart."""


def connect(path: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """Open a cache file, making it or bringing it up to date where needed; in autocommit mode, for any thread.

    Raises `sqlite3.Error`: `NewerFile` for a file with more steps than this version knows.
    """
    db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, busy_seconds)
        _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, patience: float) -> None:
    """Set the file's mode. Of two processes that do so at the same time SQLite turns one away without waiting."""
    end = time.monotonic() + patience
    while True:
        try:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_PATIENCE)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 16777216")


def _migrate(db: sqlite3.Connection) -> None:
    if _version(db) == len(STEPS):
        return
    db.execute("BEGIN IMMEDIATE")
    done = _version(db)
    if done > len(STEPS):
        raise NewerFile("it was written by a newer Headstart")
    for number, statements in enumerate(STEPS[done:], done + 1):
        for statement in statements:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
    db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])

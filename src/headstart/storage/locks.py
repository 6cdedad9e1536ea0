"""Locks between processes on open files, where the system has them (`flock`; not on Windows).

A lock goes with its file's description: closing the file, or the death of the process, gives it up. Where there are
none (Windows, some network disks) every lock is granted, and what it would keep apart must be safe without.
"""

from __future__ import annotations

from types import ModuleType
from typing import IO, Any

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None


def lock_shared(file: IO[Any]) -> None:
    """Take a lock that others may share, waiting for one who holds it alone."""
    _take(file, "LOCK_SH")


def lock_exclusively(file: IO[Any]) -> None:
    """Take a lock alone, waiting for all others."""
    _take(file, "LOCK_EX")


def try_exclusively(file: IO[Any]) -> bool:
    """Take a lock alone if nobody else holds one; whether it was taken."""
    try:
        _take(file, "LOCK_EX", "LOCK_NB")
    except BlockingIOError:
        return False
    return True


def release(file: IO[Any]) -> None:
    """Give a lock up before the file is closed."""
    _take(file, "LOCK_UN")


def _take(file: IO[Any], *flags: str) -> None:
    if fcntl is None:
        return
    operation = 0
    for flag in flags:
        operation |= getattr(fcntl, flag)
    try:
        fcntl.flock(file.fileno(), operation)
    except BlockingIOError:
        raise
    except OSError:  # this disk has no locks
        return

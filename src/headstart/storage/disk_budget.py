"""How much disk the files of activations may take together, and which go first when that is too little.

At most `default_limit()` bytes, and never more than half of the disk that would be free without them. The least
recently used files are removed first; one that is open in a process is never removed.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import HeadstartError
from headstart.storage import locks
from headstart.storage.folders import ACTIVATIONS, cache_folder, limit_in_bytes

DEFAULT_LIMIT_GB = 8.0
ROWS = ".rows"
_CHECKSUMS = ".sums"
_LOCK = ".lock"


class OverBudget(HeadstartError):
    """A file of activations has no room; the message is the reason alone. Never shown to a user as an error."""


@dataclass(frozen=True)
class _Entry:
    """A file of rows: its size with its checksums, and when it was last used, in seconds since 1970."""

    path: Path
    bytes: int
    used: float


def default_folder() -> Path:
    """Where the files lie."""
    return cache_folder(ACTIVATIONS)


def default_limit() -> int:
    """Bytes that all files may take: HEADSTART_ACTIVATIONS_GB, or 8 GB. Raises `OptionError` for a wrong value."""
    return limit_in_bytes("HEADSTART_ACTIVATIONS_GB", DEFAULT_LIMIT_GB)


def checksum_path(path: Path) -> Path:
    """The file of checksums beside a file of rows."""
    return path.with_suffix(_CHECKSUMS)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from making or removing files in the folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as file:
        locks.lock_exclusively(file)
        yield


def make_room(path: Path, size: int, limit: int) -> None:
    """Remove unused files until one of `size` bytes may lie at `path`. Raises `OverBudget` when that cannot be.

    limit: bytes that all files may take together; afterwards, and also after `OverBudget`, the unused ones keep to it.
    Call it under `lock_folder`.
    """
    files = _files(path.parent)
    disk = (shutil.disk_usage(path.parent).free + sum(file.bytes for file in files)) // 2
    room = min(limit, disk)
    rest = [file for file in files if file.path != path]
    busy = sum(file.bytes for file in rest if not _unused(file.path))
    if size + busy > room:
        _trim(files, room)
        raise OverBudget(_reason(size, busy, limit, disk))
    _trim(rest, room - size)


def _trim(files: Sequence[_Entry], room: int) -> None:
    """Remove unused files, the one used longest ago first, until all take at most `room` bytes."""
    excess = sum(file.bytes for file in files) - room
    for file in sorted(files, key=lambda file: file.used):
        if excess > 0 and _unused(file.path):
            remove_file(file.path)
            excess -= 0 if file.path.exists() else file.bytes


def _reason(size: int, busy: int, limit: int, disk: int) -> str:
    bound = "half of the free disk" if disk < limit else "the limit that HEADSTART_ACTIVATIONS_GB can raise"
    busy_words = f", of which {format_bytes(busy)} are in use," if busy else ""
    return (
        f"the activations would take {format_bytes(size)}, and {format_bytes(min(limit, disk))}{busy_words} are {bound}"
    )


def format_bytes(size: int) -> str:
    """Bytes for a reader.

    >>> format_bytes(1_330_000_000), format_bytes(45_678)
    ('1.33 GB', '0.0457 MB')
    """
    if size >= 1e11:
        return f"{size / 1e9:,.0f} GB"
    return f"{size / 1e9:.3g} GB" if size >= 1e8 else f"{size / 1e6:.3g} MB"


def remove_file(path: Path) -> None:
    """Remove a file of rows with its checksums, where the system lets one."""
    for part in (path, checksum_path(path)):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _files(folder: Path) -> list[_Entry]:
    files = []
    for path in folder.glob(f"*{ROWS}"):
        with contextlib.suppress(OSError):
            facts, sums = path.stat(), checksum_path(path)
            files.append(_Entry(path, facts.st_size + (sums.stat().st_size if sums.exists() else 0), facts.st_mtime))
    return files


def _unused(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return locks.try_exclusively(file)
    return False

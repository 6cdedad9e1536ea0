"""Compiled networks, kept between runs: one checked file each in the user's cache folder.

A file is the fingerprint of its content, then the content; it is written beside its name and renamed, so that a killed
run or a damaged disk costs a compilation and never a wrong number. The newest few are kept. A folder that cannot be
written to is no error: the next run compiles again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from headstart import fingerprint
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

_MOST_FILES = 16
_MARK = 32


def blob_folder() -> Path:
    """Where compiled networks lie."""
    return cache_folder() / "compiled"


def read_blob(name: str) -> bytes | None:
    """The content kept under `name`; None where there is none, or it is damaged."""
    try:
        content = _path(name).read_bytes()
    except OSError:
        return None
    body = memoryview(content)[_MARK:]
    return bytes(body) if content[:_MARK] == fingerprint.hash_bytes(body).encode() else None


def write_blob(name: str, content: bytes) -> None:
    """Keep content under `name`, where the folder can be written to."""
    with contextlib.suppress(OSError):
        write_atomically(_path(name), fingerprint.hash_bytes(content).encode() + content)
        _drop_oldest()


def _path(name: str) -> Path:
    return blob_folder() / f"{name}.blob"


def _drop_oldest() -> None:
    files = sorted(blob_folder().iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[_MOST_FILES:]:
        path.unlink(missing_ok=True)

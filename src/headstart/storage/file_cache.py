"""Contents kept between runs: one checked file each, and the least recently used go when there are too many.

A file is the fingerprint of its content, then the content; it is written beside its name and renamed. So a killed run
or a damaged disk costs the work of making a content again, and never gives a wrong one. A cache never stops the work:
what cannot be read is absent, what cannot be written is not kept. What a content means, and its name, is the caller's
matter: a name must stand for all that the content depends on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart import fingerprint
from headstart.storage.files import write_atomically

SUFFIX = ".blob"
_MARK = 32
"""Bytes of the fingerprint at the head of a file."""


@dataclass(frozen=True)
class FileCache:
    """A folder of contents by name; safe to use from several threads and processes.

    folder: made when something is kept. limit: bytes that all files may take together; the one that was written last
    stays, even alone above the limit. most_files: how many there may be, any number by default. largest: bytes above
    which a content is not kept, any size by default.

    >>> import tempfile
    >>> cache = FileCache(Path(tempfile.mkdtemp()) / "squares", limit=1 << 20)
    >>> cache.put("7", b"49")
    >>> cache.get("7"), cache.get("8")
    (b'49', None)
    """

    folder: Path
    limit: int
    most_files: int | None = None
    largest: int | None = None

    def get(self, name: str) -> bytes | None:
        """The content kept under a name, which counts as used now; None where there is none, or it is damaged."""
        path = self._path(name)
        try:
            file = path.read_bytes()
        except OSError:
            return None
        content = memoryview(file)[_MARK:]
        if file[:_MARK] != fingerprint.hash_bytes(content).encode():
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return bytes(content)

    def put(self, name: str, content: bytes) -> None:
        """Keep a content under a name, where the folder can be written to, in place of an older one."""
        if self.largest is not None and len(content) > self.largest:
            return
        with contextlib.suppress(OSError):
            write_atomically(self._path(name), fingerprint.hash_bytes(content).encode() + content)
            self._trim(self._path(name))

    def remove(self, name: str) -> None:
        """Forget what is kept under a name."""
        with contextlib.suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def _trim(self, latest: Path) -> None:
        """Remove the least recently used files beside the latest until the folder is within its limits."""
        count, total = 1, latest.stat().st_size
        for _, size, path in sorted(self._older(latest), reverse=True):
            count, total = count + 1, total + size
            if total > self.limit or (self.most_files is not None and count > self.most_files):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _older(self, latest: Path) -> Iterator[tuple[float, int, Path]]:
        """Time of use, bytes and path of every other file, those that a killed run left half-written, too."""
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                if path != latest:
                    facts = path.stat()
                    yield facts.st_mtime, facts.st_size, path

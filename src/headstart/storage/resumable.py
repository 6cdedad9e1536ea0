"""A file that grows for hours and survives being killed: what was committed is there once, and nothing else is.

Pieces are appended to a hidden file beside the final name; after each one a small journal, replaced by renaming, says
how many bytes count and where the work stands. Whoever opens it again goes on from there: bytes behind the last commit
are cut off. `finish` gives the file its name and removes the journal. One process at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from headstart.errors import OptionError
from headstart.storage import locks
from headstart.storage.files import write_atomically


class ResumableFile:
    """An open file of committed pieces; made by `open_resumable`.

    state: what the last commit said of the work, JSON-like; empty at the beginning.
    """

    def __init__(self, path: Path, file: IO[bytes], journal: Path, identity: str, saved: Mapping[str, Any]) -> None:
        self.path, self.partial = path, Path(file.name)
        self.state: Mapping[str, Any] = saved.get("state", {})
        self._file, self._journal, self._identity = file, journal, identity
        file.truncate(int(saved.get("bytes", 0)))
        file.seek(0, os.SEEK_END)

    def commit(self, piece: bytes, state: Mapping[str, Any]) -> None:
        """Append a piece, and say where the work stands now; both count, or neither."""
        self._file.write(piece)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.state = state
        journal = {"identity": self._identity, "bytes": self._file.tell(), "state": state}
        write_atomically(self._journal, json.dumps(journal).encode(), sync=True)

    def finish(self) -> None:
        """Give the file its final name."""
        self.partial.replace(self.path)
        self._journal.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what was begun."""
        self.partial.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)


@contextlib.contextmanager
def open_resumable(path: Path, identity: str, *, restart: bool = False) -> Iterator[ResumableFile]:
    """Begin a file, or go on with one that was begun.

    identity: names all that the content depends on. restart: forget what was begun. Raises `OptionError` where it was
    begun with another identity, or another process is writing it.
    """
    partial, journal = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.journal")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a+b") as file:
        if not locks.try_exclusively(file):
            raise OptionError(f"{path} is being written by another process: wait for it, or choose another -o.")
        saved = {} if restart else _read(journal)
        if saved and saved.get("identity") != identity:
            raise OptionError(
                f"{path} was begun with another list, model or options and did not come to its end: say --overwrite to "
                "begin anew, or choose another -o."
            )
        yield ResumableFile(path, file, journal, identity, saved)


def _read(journal: Path) -> Mapping[str, Any]:
    try:
        saved = json.loads(journal.read_bytes())
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) else {}

"""Writing a file whole or not at all: beside its name first, then one rename.

A killed process or a full disk leaves the file that was there before, or none. A device or a pipe (`/dev/stdout`,
`/dev/null`) is written to, never replaced.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

_DEVICES = Path("/dev")


def write_atomically(path: Path, content: bytes | memoryview, *, sync: bool = False) -> None:
    """Write `content` to `path`, making its folder; raises `OSError` and leaves nothing half-written.

    sync: wait until the disk has it, so that it also survives a loss of power.
    """
    if _is_stream(path):
        with path.open("ab") as stream:
            stream.write(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # the name that the user knows
    finally:
        beside.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Whether it is there and no file or folder of a disk: a device, a pipe, or a name of a process's output."""
    if not path.exists():
        return False
    return path.absolute().parent == _DEVICES or not (path.is_file() or path.is_dir())

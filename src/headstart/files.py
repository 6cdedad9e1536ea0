"""Writing a file whole or not at all: beside its name first, then one rename.

A killed process or a full disk leaves the file that was there before, or none.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


def put(path: Path, content: bytes | memoryview, *, sync: bool = False) -> None:
    """Write `content` to `path`, making its folder; raises `OSError` and leaves nothing half-written.

    sync: wait until the disk has it, so that it also survives a loss of power.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

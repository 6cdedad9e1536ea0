"""A fine-tune's state on disk after each epoch, so that a killed run goes on where it was.

A run is named by everything that its outcome depends on; the same command finds it again. A file is written whole or
not at all; a damaged one counts as absent. Finished runs keep only their end. The least recently used files go when the
folder outgrows its limit. A folder that cannot be written to costs the resumption, never the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

if TYPE_CHECKING:
    from torch import Tensor

LIMIT = 4 << 30
_PAUSE = 2.0
"""Seconds between two writes: an epoch may be shorter than that, and losing two seconds costs nothing."""


def default_folder() -> Path:
    """Where the checkpoints lie."""
    return cache_folder() / "checkpoints"


@dataclass(eq=False)
class Checkpoint:
    """One run's file. key: names the run. pause: seconds between two writes."""

    folder: Path
    key: str
    pause: float = field(default_factory=lambda: _PAUSE)
    _written: float = field(default=-float("inf"), init=False)

    @property
    def path(self) -> Path:
        """The file; it need not exist."""
        return self.folder / f"{self.key}.safetensors"

    def read(self, phase: int) -> tuple[int, dict[str, Tensor]] | None:
        """The epochs done of a phase and the state after them; None where nothing of this phase is kept."""
        found = self._load()
        if found is None or found[0].get("phase") != phase:
            return None
        return int(found[0]["epoch"]), found[1]

    def past(self) -> tuple[int, dict[str, Tensor]] | None:
        """The phase that was reached, and the whole state then."""
        found = self._load()
        return None if found is None else (int(found[0]["phase"]), found[1])

    def write(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep the state after so many epochs of a phase, unless the last writing was a moment ago."""
        if time.monotonic() - self._written >= self.pause:
            self.put(phase, epoch, state)

    def put(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep a state now."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        with contextlib.suppress(OSError):
            body = save(tensors, {"phase": str(phase), "epoch": str(epoch)})
            write_atomically(self.path, fingerprint.hash_bytes(body).encode() + body)
            self._written = time.monotonic()
            _trim(self.folder, keep=self.path)

    def remove(self) -> None:
        """Forget the run."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _load(self) -> tuple[dict[str, int], dict[str, Tensor]] | None:
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            content = self.path.read_bytes()
            mark, body = content[:32], content[32:]
            if mark != fingerprint.hash_bytes(body).encode():
                return None
            length = int.from_bytes(body[:8], "little")
            facts = json.loads(body[8 : 8 + length])["__metadata__"]
            tensors = load(body)
            os.utime(self.path)
            return {name: int(facts[name]) for name in ("phase", "epoch")}, tensors
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None


def _trim(folder: Path, keep: Path) -> None:
    """Remove the least recently used files until the folder is within its limit."""
    found = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.safetensors"))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= LIMIT:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            total -= size

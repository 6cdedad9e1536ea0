"""A fine-tune's state on disk after each epoch, so that a killed run goes on where it was.

A run is named by everything that its outcome depends on; the same command finds it again. Finished runs keep only their
end. A folder that cannot be written to costs the resumption, never the run. Needs torch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.storage.arrays import read_facts
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import CHECKPOINTS, cache_folder

if TYPE_CHECKING:
    from torch import Tensor

LIMIT = 4 << 30
_PAUSE = 2.0
"""Seconds between two writes: an epoch may be shorter than that, and losing two seconds costs nothing."""


def default_folder() -> Path:
    """Where the checkpoints lie."""
    return cache_folder(CHECKPOINTS)


@dataclass(eq=False)
class Checkpoint:
    """The state of one run.

    folder: of all checkpoints. key: names the run. pause: seconds between two writes.
    """

    folder: Path
    key: str
    pause: float = field(default_factory=lambda: _PAUSE)
    _written: float = field(default=-float("inf"), init=False)

    def read(self, phase: int) -> tuple[int, dict[str, Tensor]] | None:
        """The epochs done of a phase and the state after them; None where nothing of this phase is kept."""
        checkpoint = self._load()
        if checkpoint is None or checkpoint[0] != phase:
            return None
        return checkpoint[1:]

    def past(self) -> tuple[int, dict[str, Tensor]] | None:
        """The phase that was reached, and the whole state then."""
        checkpoint = self._load()
        return None if checkpoint is None else (checkpoint[0], checkpoint[2])

    def write(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep the state after so many epochs of a phase, unless the last writing was a moment ago."""
        if time.monotonic() - self._written >= self.pause:
            self.put(phase, epoch, state)

    def put(self, phase: int, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep a state now."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        self._files.put(self.key, save(tensors, {"phase": str(phase), "epoch": str(epoch)}))
        self._written = time.monotonic()

    def remove(self) -> None:
        """Forget the run."""
        self._files.remove(self.key)

    @property
    def _files(self) -> FileCache:
        return FileCache(self.folder, limit=LIMIT)

    def _load(self) -> tuple[int, int, dict[str, Tensor]] | None:
        """Phase, epochs done of it, state."""
        from safetensors.torch import load

        content = self._files.get(self.key)
        if content is None:
            return None
        facts = read_facts(content)
        return int(facts["phase"]), int(facts["epoch"]), load(content)

"""Out-of-fold scores kept between runs: the same head on the same rows, labels and folds is not trained twice.

`Remembered` wraps a head; its `path_scores` is read back from the cache folder where everything that the scores depend
on is the same: the rows' bytes, labels, folds, the head with its parameters, and the versions of Headstart, numpy and
scikit-learn. A killed run goes on where it stopped. Like every cache it never stops the work: what cannot be read or
written is computed. The least recently used files go when the folder outgrows its limit.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from headstart import fingerprint
from headstart._version import __version__
from headstart.heads.base import PathScores
from headstart.records.arrays import Floats, Ints
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

LIMIT = 1 << 30
_LARGEST = 128 << 20


def default_folder() -> Path:
    """Where the scores lie."""
    return cache_folder() / "scores"


class Cacheable(Protocol):
    """What can be remembered: a head, or a fine-tune."""

    def get_params(self, deep: bool = True) -> Mapping[str, Any]:
        """All that its scores depend on besides rows, labels and folds."""

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """Out-of-fold scores of each setting tried."""


@dataclass(frozen=True, eq=False)
class CachedStrategy:
    """A head whose out-of-fold scores are kept in `folder`.

    rows: fingerprint of the rows it will be given (taken once for all heads that look at the same rows).
    """

    head: Cacheable
    rows: str
    folder: Path

    def path_scores(self, X: Floats, y: Ints, folds: Ints) -> PathScores:
        """As the head's own, from the folder where they are there."""
        path = self.folder / f"{self._key(y, folds)}.safetensors"
        found = _read(path, (*folds.shape, int(y.max()) + 1))
        if found is None:
            found = self.head.path_scores(X, y, folds)
            _keep(path, found)
        return found

    def _key(self, y: Ints, folds: Ints) -> str:
        import sklearn

        return fingerprint.hash_parts(
            type(self.head).__name__,
            {name: repr(value) for name, value in self.head.get_params(deep=False).items()},
            self.rows,
            fingerprint.hash_array(y),
            fingerprint.hash_array(folds),
            [__version__, np.__version__, sklearn.__version__],
        )


def _read(path: Path, shape: tuple[int, ...]) -> PathScores | None:
    """The scores kept in a file, whole and of the right shape; None where there are none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            facts = file.metadata()
            scores = file.get_tensor("scores")
        settings = json.loads(facts["settings"])
        whole = facts["fingerprint"] == fingerprint.hash_array(scores) and scores.shape == (len(settings), *shape)
        os.utime(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    return PathScores(tuple(settings), scores) if whole else None


def _keep(path: Path, found: PathScores) -> None:
    from safetensors.numpy import save

    if found.scores.nbytes > _LARGEST:
        return
    with contextlib.suppress(OSError, TypeError):
        facts = {"settings": json.dumps(found.configurations), "fingerprint": fingerprint.hash_array(found.scores)}
        write_atomically(path, save({"scores": found.scores}, facts))
        _trim(path.parent)


def _trim(folder: Path) -> None:
    """Remove the least recently used files until the folder is within its limit."""
    files = sorted(_files(folder), key=lambda each: each[1])
    total = sum(size for _, _, size in files)
    for path, _, size in files:
        if total <= LIMIT:
            return
        path.unlink(missing_ok=True)
        total -= size


def _files(folder: Path) -> Iterator[tuple[Path, float, int]]:
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.partial")):
        with contextlib.suppress(OSError):
            facts = path.stat()
            yield path, facts.st_mtime, facts.st_size

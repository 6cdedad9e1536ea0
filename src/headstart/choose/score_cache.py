"""Out-of-fold scores kept between runs: the same strategy on the same rows, labels and folds is not trained twice.

`CachedStrategy` wraps a head or a fine-tune; its `path_scores` is read back where everything that the scores depend on
is the same: the rows' bytes, labels, folds, the strategy with its parameters, and the versions of Headstart, numpy and
scikit-learn. A killed run goes on where it stopped. What cannot be read or written is computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from headstart import fingerprint
from headstart._version import __version__
from headstart.heads.base import PathScores
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import dump_arrays, load_arrays, read_facts
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import SCORES, cache_folder

LIMIT = 1 << 30
_LARGEST = 128 << 20


def default_folder() -> Path:
    """Where the scores lie."""
    return cache_folder(SCORES)


class Cacheable(Protocol):
    """A strategy whose scores can be kept: a head, or a fine-tune."""

    def get_params(self, deep: bool = True) -> Mapping[str, Any]:
        """All that its scores depend on besides rows, labels and folds."""

    def path_scores(self, X: Any, labels: Any, folds: Ints) -> PathScores:
        """Out-of-fold scores of each configuration tried."""


@dataclass(frozen=True, eq=False)
class CachedStrategy:
    """A strategy whose out-of-fold scores are kept in a folder.

    head: the strategy. rows: fingerprint of the rows that it will score (taken once for all heads that look at the same
    rows). folder: of the scores, such as `default_folder()`.
    """

    head: Cacheable
    rows: str
    folder: Path

    def path_scores(self, X: Floats, labels: Ints, folds: Ints) -> PathScores:
        """As the strategy's own, from the folder where they are there.

        X: (n, d) rows. labels: (n,) class numbers. folds: (repeats, n), the fold in which each row is scored.
        """
        cache = FileCache(self.folder, limit=LIMIT, largest=_LARGEST)
        key = self._key(labels, folds)
        if (content := cache.get(key)) is not None:
            return _unpack(content)
        scores = self.head.path_scores(X, labels, folds)
        if (content := _pack(scores)) is not None:
            cache.put(key, content)
        return scores

    def _key(self, labels: Ints, folds: Ints) -> str:
        import sklearn

        return fingerprint.hash_parts(
            type(self.head).__name__,
            {name: repr(value) for name, value in self.head.get_params(deep=False).items()},
            self.rows,
            fingerprint.hash_array(labels),
            fingerprint.hash_array(folds),
            [__version__, np.__version__, sklearn.__version__],
        )


def _pack(path: PathScores) -> bytes | None:
    """None where a configuration holds what JSON cannot."""
    try:
        return dump_arrays({"scores": path.scores}, {"settings": json.dumps(path.configurations)})
    except TypeError:
        return None


def _unpack(content: bytes) -> PathScores:
    configurations = json.loads(read_facts(content)["settings"])
    return PathScores(tuple(configurations), load_arrays("scores", content)["scores"])

"""Finds near duplicates among texts: one text in other case, spacing or punctuation, or with few letters changed.

Two texts are near duplicates when their letters and digits are equal, or when the sets of their runs of five characters
overlap by nine tenths (Jaccard). Candidates share a band of a MinHash (Broder 1997), so that time grows with the texts,
not with their pairs. The first text of a group leads it; every other was compared with it.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates.near import NearDuplicates

ALIKE = 0.9
_RUN, _BANDS, _ROWS = 5, 16, 4
_MOST_CHARACTERS = 4000
_PRIME = np.uint64((1 << 61) - 1)


def search_texts(items: Sequence[str]) -> NearDuplicates:
    """The groups of near duplicates, each with the likeness of its members to its first.

    >>> search_texts(["Where is my card?", "where is my card", "How do I pay?"]).groups
    ((0, 1),)
    """
    letters = [_letters(item) for item in items]
    runs = [_runs(word) for word in letters]
    leader: dict[int, int] = {}
    likeness: dict[int, float] = {}
    leading: set[int] = set()
    for bucket in _buckets(letters, runs):
        for row in bucket[1:]:
            first = bucket[0]
            if row in leader or first in leader or row in leading:
                continue
            alike = 1.0 if letters[row] == letters[first] else _jaccard(runs[row], runs[first])
            if alike >= ALIKE:
                leader[row], likeness[row] = first, alike
                leading.add(first)
    members: dict[int, list[int]] = defaultdict(list)
    for row, first in sorted(leader.items()):
        members[first].append(row)
    groups = tuple((first, *rows) for first, rows in sorted(members.items()))
    return NearDuplicates(groups, tuple((1.0, *(likeness[row] for row in rows[1:])) for rows in groups))


def _letters(item: str) -> str:
    """Letters and digits in lower case, single blanks between words."""
    text = unicodedata.normalize("NFKC", item[:_MOST_CHARACTERS]).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


def _runs(word: str) -> NDArray[np.uint32]:
    """The different runs of five characters, as numbers."""
    content = f" {word} "
    runs = {content[i : i + _RUN] for i in range(max(1, len(content) - _RUN + 1))}
    return np.unique(np.array([zlib.crc32(run.encode("utf-8", "backslashreplace")) for run in runs], np.uint32))


def _jaccard(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def _buckets(letters: Sequence[str], runs: Sequence[NDArray[np.uint32]]) -> list[list[int]]:
    """Rows that may be near duplicates: of equal letters, or of an equal band. Empty texts are alone."""
    rows_of: dict[tuple[int, object], list[int]] = defaultdict(list)
    random = np.random.default_rng(0)
    factors = random.integers(1, 1 << 31, (_BANDS * _ROWS, 1), dtype=np.uint64)
    offsets = random.integers(0, 1 << 31, (_BANDS * _ROWS, 1), dtype=np.uint64)
    for row, (word, numbers) in enumerate(zip(letters, runs, strict=True)):
        if not word:
            continue
        rows_of[-1, word].append(row)
        least = ((factors * numbers[None].astype(np.uint64) + offsets) % _PRIME).min(axis=1).reshape(_BANDS, _ROWS)
        for band, values in enumerate(least):
            rows_of[band, values.tobytes()].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]

"""Thumbnails kept between runs, by the image's content, as rows of one file in the cache folder.

Like every cache it never stops the work: what cannot be read or written is made anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates.alignment import SIDE
from headstart.records.arrays import Floats
from headstart.storage.folders import THUMBNAILS, cache_folder
from headstart.storage.row_cache import SUFFIX, RowCache

Thumbnail: TypeAlias = tuple[NDArray[np.uint8], Floats]
"""A thumbnail, (64, 64), and the facts of its image, (7,)."""

LIMIT = 1 << 30
_VERSION = 2
"""Raise when `thumbnails.make_thumbnail` makes other numbers of the same image."""
_PIXELS = SIDE * SIDE
_BYTES = _PIXELS + 7 * 4  # grey levels, then seven facts as float32


def open_thumbnail_cache() -> RowCache:
    """The cache of all thumbnails: rows of bytes."""
    return RowCache(cache_folder(THUMBNAILS) / f"thumbnails-{_VERSION}{SUFFIX}", dtype=np.uint8, limit=LIMIT)


def find_thumbnails(content: Sequence[str]) -> dict[str, Thumbnail]:
    """The thumbnails that are there, by content."""
    names = {name.encode(): name for name in content}
    with closing(open_thumbnail_cache()) as cache:
        if not os.path.exists(cache.path):  # unlike Path.exists, it takes a folder that is locked for an empty one
            return {}
        rows = {names[key]: row for key, row in cache.find(list(names)) if len(row) == _BYTES}
    return {name: _unpack(row) for name, row in rows.items()}


def store_thumbnails(thumbnails: Mapping[str, Thumbnail]) -> None:
    """Keep thumbnails, all of them or none."""
    with closing(open_thumbnail_cache()) as cache:
        cache.store((name.encode(), _pack(*thumbnail)) for name, thumbnail in thumbnails.items())


def _pack(grey: NDArray[np.uint8], facts: Floats) -> NDArray[np.uint8]:
    return np.concatenate([grey.ravel(), facts.astype("<f4").view(np.uint8)])


def _unpack(row: NDArray[np.uint8]) -> Thumbnail:
    return row[:_PIXELS].reshape(SIDE, SIDE), row[_PIXELS:].view("<f4").astype(np.float32)

"""Finds near duplicates of images that are no longer at hand, by the thumbnails of them that the cache still holds.

`known_duplicates` takes samples and the fingerprints of known images; it returns which known one each sample nearly
repeats. An image whose thumbnail has gone (another machine, an emptied cache) is not found, and that stops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates import thumbnail_cache
from headstart.data.duplicates.near import MOST_COMPARED, find_near_duplicates
from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.records.samples import Samples


def known_duplicates(samples: Samples, trained_on: Sequence[str]) -> NDArray[np.str_]:
    """The fingerprint of a known image that each sample is a near duplicate of, '' for none: (n,)."""
    originals = np.full(len(samples), "", dtype="<U32")
    cached = thumbnail_cache.find_thumbnails(trained_on)
    if not cached or len(cached) + len(samples) > MOST_COMPARED:
        return originals
    old, thumbnails = list(cached), make_thumbnails(samples)
    grey = np.concatenate([np.stack([cached[content][0] for content in old]), thumbnails.grey])
    for group in find_near_duplicates(grey).groups:
        first = next((row for row in group if row < len(old)), None)
        if first is not None:
            originals[[thumbnails.rows[row - len(old)] for row in group if row >= len(old)]] = old[first]
    return originals

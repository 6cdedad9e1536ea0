"""Near copies of pictures that are no longer at hand: by the thumbnails of them that the cache still holds.

`near_known` takes samples and the fingerprints of known pictures; it says which known one each sample nearly repeats.
A picture whose thumbnail has gone (another machine, an emptied cache) is not found, and that stops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates import thumbnail_cache
from headstart.data.duplicates.near import find_near_duplicates
from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.records.samples import Samples

MOST = 100_000
"""Pictures, known and new, among which copies are looked for: the time grows with their square."""


def known_duplicates(samples: Samples, known: Sequence[str]) -> NDArray[np.str_]:
    """The fingerprint of a known picture that each sample is a near copy of, '' for none: (n,)."""
    found = np.full(len(samples), "", dtype="<U32")
    kept = thumbnail_cache.find_thumbnails(known)
    if not kept or len(kept) + len(samples) > MOST:
        return found
    old, seen = list(kept), make_thumbnails(samples)
    grey = np.concatenate([np.stack([kept[content][0] for content in old]), seen.grey])
    for group in find_near_duplicates(grey).groups:
        first = next((row for row in group if row < len(old)), None)
        if first is not None:
            found[[seen.rows[row - len(old)] for row in group if row >= len(old)]] = old[first]
    return found

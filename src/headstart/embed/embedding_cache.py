"""The cache of embeddings, so that an image is passed through a network once: one file a backbone.

A row is every tap's pooled vector, side by side, as the float32 numbers that the engine gave. Its key names all that it
depends on: the image's content and the engine's recipe (preprocessing, weights, taps, precision).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.storage.folders import EMBEDDINGS, cache_folder, limit_in_bytes
from headstart.storage.row_cache import SUFFIX, Key, RowCache

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

DEFAULT_LIMIT_GB = 4.0
_LONGEST_NAME = 80


def default_limit() -> int:
    """Bytes that a backbone's cache may take: HEADSTART_CACHE_GB, or 4 GB. Raises `OptionError` for a wrong value."""
    return limit_in_bytes("HEADSTART_CACHE_GB", DEFAULT_LIMIT_GB)


def row_key(content: str, recipe: str) -> Key:
    """The key of an image's row: 16 bytes, from its content's fingerprint and the engine's recipe."""
    return bytes.fromhex(fingerprint.hash_bytes(f"{content} {recipe}".encode()))


def open_cache(backbone: Backbone, *, folder: Path | None = None, limit: int | None = None) -> RowCache:
    """The cache of a backbone.

    folder: where its file lies, in the user's cache folder by default. limit: bytes, `default_limit()` by default.
    """
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in backbone.name)[:_LONGEST_NAME]
    mark = "" if plain == backbone.name else "-" + fingerprint.hash_bytes(backbone.name.encode())[:8]
    path = (folder or cache_folder(EMBEDDINGS)) / f"{plain}{mark}{SUFFIX}"
    return RowCache(path, limit=default_limit() if limit is None else limit)

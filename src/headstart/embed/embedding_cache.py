"""The cache of embeddings: one file a backbone, keyed by content, preprocessing, weights and precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.storage.row_cache import EmbeddingCache, Key, default_folder

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone


def row_key(content: str, recipe: str) -> Key:
    """The key of an image's row: 16 bytes, from its content's fingerprint and the engine's recipe."""
    return bytes.fromhex(fingerprint.hash_bytes(f"{content} {recipe}".encode()))


def open_cache(backbone: Backbone, *, folder: Path | None = None, limit: int | None = None) -> EmbeddingCache:
    """The cache of a backbone, in the user's cache folder unless another is given."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in backbone.name)[:80]
    mark = "" if plain == backbone.name else "-" + fingerprint.hash_bytes(backbone.name.encode())[:8]
    return EmbeddingCache((folder or default_folder()) / f"{plain}{mark}.sqlite", limit=limit)

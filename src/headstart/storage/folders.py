"""Where Headstart keeps what it can make again, a folder a cache, and how much of it.

The names of all caches stand here, so that the inventory knows those of every room. This module only names folders;
whoever writes there makes them.
"""

from __future__ import annotations

import os
from pathlib import Path

from headstart.errors import OptionError

BACKBONES = "backbones"
"""Converted backbones. No cache: making them again may need the network."""

EMBEDDINGS, THUMBNAILS = "embeddings", "thumbnails"
ROW_CACHES = (EMBEDDINGS, THUMBNAILS)
"""Folders of `RowCache` files."""

COMPILED = "compiled"
ACTIVATIONS, CHECKPOINTS, DUPLICATES = "activations", "checkpoints", "duplicates"
PRECISION, SCORES = "precision", "scores"
FILE_CACHES = (ACTIVATIONS, CHECKPOINTS, DUPLICATES, PRECISION, SCORES)
"""Folders of which only the size is of interest; compiled networks are listed one by one."""


def cache_folder(name: str = "") -> Path:
    """The folder of a cache, or the one of all: HEADSTART_CACHE, else the user's cache folder of this system."""
    root = os.environ.get("HEADSTART_CACHE")
    if root:
        return Path(root).expanduser() / name
    from platformdirs import user_cache_path

    return user_cache_path("headstart", appauthor=False) / name


def limit_in_bytes(variable: str, default: float) -> int:
    """Bytes that the environment variable allows, which holds gigabytes; `default` gigabytes where it is not set.

    Raises `OptionError` for a wrong value.
    """
    text = os.environ.get(variable, "")
    try:
        gigabytes = float(text) if text else default
    except ValueError:
        gigabytes = -1.0
    if not 0 <= gigabytes < 1e6:
        raise OptionError(f"{variable} must be a number of gigabytes; found {text!r}.")
    return int(gigabytes * 1e9)

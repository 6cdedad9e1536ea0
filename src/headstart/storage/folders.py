"""Where Headstart keeps what it can make again (converted backbones, embeddings, compiled graphs), and how much of it.

It only names the folder; whoever writes there makes it.
"""

from __future__ import annotations

import os
from pathlib import Path

from headstart.errors import OptionError


def cache_folder() -> Path:
    """The folder that HEADSTART_CACHE names, else the user's cache folder of this system."""
    named = os.environ.get("HEADSTART_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("headstart", appauthor=False)


def limit_in_bytes(variable: str, usual: float) -> int:
    """Bytes that the environment variable allows, which holds gigabytes; `usual` gigabytes where it is not set.

    Raises `OptionError` for a wrong value.
    """
    text = os.environ.get(variable, "")
    try:
        found = float(text) if text else usual
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e6:
        raise OptionError(f"{variable} must be a number of gigabytes; found {text!r}.")
    return int(found * 1e9)

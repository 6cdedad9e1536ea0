"""Where Headstart keeps what it can make again: converted backbones, embeddings, compiled graphs.

It only names the folder; whoever writes there makes it.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder that HEADSTART_CACHE names, else the user's cache folder of this system."""
    named = os.environ.get("HEADSTART_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("headstart", appauthor=False)

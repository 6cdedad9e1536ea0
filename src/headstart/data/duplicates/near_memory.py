"""Near copies that were found, kept between runs: the same pictures in the same order are not compared twice.

`recalled` and `keep` never stop the work: what cannot be read or written is found again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from headstart import fingerprint
from headstart.storage.files import write_atomically
from headstart.storage.folders import cache_folder

_VERSION = 1
"""Raise when the same pictures would give other groups."""
_MOST_FILES = 200

Groups: TypeAlias = tuple[tuple[int, ...], ...]
Likeness: TypeAlias = tuple[tuple[float, ...], ...]


def read_result(content: Sequence[str]) -> tuple[Groups, Likeness] | None:
    """The groups found among these contents, with each member's likeness; None where they are not known."""
    try:
        found = json.loads(_place(content).read_text())
        groups = tuple(tuple(int(row) for row in group) for group in found["groups"])
        alike = tuple(tuple(float(value) for value in values) for values in found["likeness"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = [len(group) for group in groups] == [len(values) for values in alike]
    inside = all(0 <= row < len(content) for group in groups for row in group)
    return (groups, alike) if whole and inside else None


def store_result(content: Sequence[str], groups: Groups, likeness: Likeness) -> None:
    """Keep what was found."""
    body = json.dumps({"groups": groups, "likeness": likeness})
    with contextlib.suppress(OSError):
        write_atomically(_place(content), body.encode())
        for old in _oldest_first(_place(content).parent)[:-_MOST_FILES]:
            old.unlink(missing_ok=True)


def _oldest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("near-*.json"), key=lambda path: path.stat().st_mtime)


def _place(content: Sequence[str]) -> Path:
    return cache_folder() / "thumbnails" / f"near-{fingerprint.hash_parts(_VERSION, list(content))}.json"

"""Content hashes: 128-bit BLAKE2b, as 32 hexadecimal digits.

A fingerprint names content, never a place or a time: the same bytes have the same fingerprint on every machine.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20


def hash_bytes(content: bytes | memoryview) -> str:
    """Fingerprint of a byte string.

    >>> hash_bytes(b"leaf")
    '1f6069b96b03f6d05dfc3ef47178893f'
    """
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def hash_file(path: Path) -> str:
    """Fingerprint of a file's bytes; equal to `hash_bytes` of its content. Raises `OSError` when it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_array(array: NDArray[Any]) -> str:
    """Fingerprint of an array: its dtype, shape and values (in C order)."""
    digest = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def hash_parts(*parts: object) -> str:
    """Fingerprint of JSON-like values (text, numbers, lists, dicts), whatever the order of dict keys."""
    return hash_bytes(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode())

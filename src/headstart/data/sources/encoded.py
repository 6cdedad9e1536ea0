"""Images that a table or dataset holds itself: encoded bytes, or Hugging Face's record of bytes and path.

`image_source` makes of a cell what the decoder takes; `class_list` reads the class names that Hugging Face writes into
a Parquet file. Nothing is decoded here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import DataError
from headstart.records.samples import ImageSource


def image_source(value: Any, name: str) -> ImageSource:
    """An encoded image's bytes as an array, or its path; name: the row, for the `DataError` of anything else."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return np.frombuffer(value, dtype=np.uint8)
    if isinstance(value, str) and value:
        return Path(value)
    raise DataError(f"{name} has a {type(value).__name__} for an image: an image, its bytes or its path was expected.")


def class_list(metadata: Mapping[bytes, bytes] | None, column: str) -> tuple[str, ...]:
    """The names of a column's classes in the metadata of a Parquet file; empty where it has none.

    >>> class_list({b"huggingface": b'{"info": {"features": {"y": {"names": ["ape", "zebra"]}}}}'}, "y")
    ('ape', 'zebra')
    """
    try:
        feature = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]
        return tuple(map(str, feature["names"]))
    except (KeyError, TypeError, ValueError):
        return ()

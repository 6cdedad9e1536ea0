"""Texts one by one: what counts as one, its plain form, its fingerprint and its name.

A text is a `str`. Its plain form is composed Unicode (NFC) without blanks at its ends; equal plain forms are one text.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart import fingerprint
from headstart.data.images.open import EXTENSIONS
from headstart.data.sources.values import is_frame, is_missing, one_column
from headstart.errors import DataError, OptionError, UnreadableImage

_ENDINGS = tuple(EXTENSIONS)
_LONGEST_PATH = 260


def plain_text(item: object) -> str:
    """A text's plain form; raises `UnreadableImage` where nothing is left.

    >>> plain_text("  caf" + "e" + chr(0x301) + " ")
    'café'
    """
    if not isinstance(item, str):
        raise UnreadableImage(f"a {type(item).__name__} is not a text")
    text = unicodedata.normalize("NFC", item).strip()
    if not text:
        raise UnreadableImage("it is empty")
    return text


def hash_text(item: str) -> str:
    """The fingerprint of a text's plain form; raises `UnreadableImage` for an empty one."""
    return fingerprint.hash_parts("text", plain_text(item).encode("utf-8", "backslashreplace").decode())


def text_name(position: int) -> str:
    """What to call a text that has no place of its own."""
    return f"text {position}"


def text_list(values: Any) -> list[str]:
    """Texts from a list, a tuple, an array, a series or a table of one column; a missing one is an empty text.

    Raises `OptionError` for a single text, `DataError` for an item that is none.

    >>> text_list(("one", None))
    ['one', '']
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        raise OptionError("texts must be a list of texts; found a single one: write [text].")
    if not isinstance(values, Iterable):
        raise OptionError(f"texts must be a list of texts; found a {type(values).__name__}.")
    listed = one_column(values if is_frame(values) or isinstance(values, np.ndarray) else list(values), "text")
    return [_text(value, row) for row, value in enumerate(listed)]


def _text(value: Any, row: int) -> str:
    if isinstance(value, str):
        return str(value)
    if is_missing(value):
        return ""
    raise DataError(f"text {row} is a {type(value).__name__}: a text was expected.")


def are_texts(values: Any) -> bool:
    """Whether a sequence in Python holds texts, and not paths of images.

    >>> are_texts(["is this a text?", "yes"]), are_texts(["a.png", "b.png"])
    (True, False)
    """
    if isinstance(values, (str, bytes, os.PathLike)) or not isinstance(values, Sequence | np.ndarray):
        return is_column(values) and are_texts(list(values))  # type: ignore[arg-type]
    if is_frame(values) or (isinstance(values, np.ndarray) and values.dtype.kind not in "OUS"):
        return False
    if not len(values):
        return False
    strings = [value for value in values if isinstance(value, str)]
    missing = sum(1 for value in values if not isinstance(value, str) and is_missing(value))
    return bool(strings) and len(strings) + missing == len(values) and not any(map(is_path, strings[:50]))


def is_column(values: Any) -> bool:
    """Whether this is a column of a table, as pandas and its kin have it."""
    return hasattr(values, "iloc") and getattr(values, "ndim", 0) == 1


def is_path(word: str) -> bool:
    """Whether a word is an image's path: by its ending or its form, or because something lies there.

    >>> is_path("photos/new"), is_path("red and/or blue")
    (True, False)
    """
    if word.lower().endswith(_ENDINGS) or (("/" in word or "\\" in word) and not re.search(r"\s", word)):
        return True
    return 0 < len(word) < _LONGEST_PATH and "\n" not in word and "\0" not in word and Path(word).exists()

"""Values as users have them: labels and groups from lists, numpy, pandas and tables, with what counts as missing.

`label_text` makes text of a label, `group_text` of a group, `one_column` a flat list of anything that holds one value
a row. pandas and torch are recognised by what they offer and never imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from headstart.checks import join_words
from headstart.errors import DataError

_MISSING_TYPES = frozenset({"NAType", "NaTType", "MaskedConstant"})
_MISSING_WORDS = frozenset({"nan", "NaN", "<NA>", "NaT"})
"""What numpy and pandas make of a missing value where they make text of it; 'None' and 'NA' may be classes."""


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, infinity, pandas' NA and NaT, empty text, or 'nan' as text.

    >>> is_missing(None), is_missing(float("nan")), is_missing(" "), is_missing(np.datetime64("NaT")), is_missing(0)
    (True, True, True, True, False)
    """
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    if isinstance(value, (str, bytes)):
        return not value.strip() or value in _MISSING_WORDS
    if isinstance(value, (float, np.floating)):
        return not np.isfinite(value)
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def label_text(label: Any, what: str) -> str:
    """A label as text: a whole number without a fraction, any other value as it prints.

    what: the label in the message of the `DataError` that is raised where it is missing.

    >>> label_text(3.0, "the label"), label_text(" cat ", "the label")
    ('3', 'cat')
    """
    if isinstance(label, (str, bytes)) and not label.strip():
        raise DataError(f"{what} is empty: give every row a label.")
    if is_missing(label):
        raise DataError(f"{what} is missing: give every row a label.")
    return _text(label)


def check_labels(labels: Iterable[Any]) -> None:
    """Raise `DataError` with the row, counted from 0, of the first label that is missing."""
    for row, label in enumerate(labels):
        label_text(label, f"the label of image {row}")


def group_text(group: Any) -> str:
    """A group as text; empty where it is missing, so that the image is a group of its own."""
    return "" if is_missing(group) else _text(group)


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return (value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)).strip()


def is_frame(values: Any) -> bool:
    """Whether this is a data frame, as pandas and its kin have it."""
    return hasattr(values, "columns") and hasattr(values, "iloc")


def one_column(values: Any, noun: str) -> list[Any]:
    """One value a row of a list, an array (n,) or (n, 1), a series, a tensor or a data frame of one column.

    noun: what the values are, in the `DataError` that is raised where there are several a row.

    >>> one_column([[1], [2]], "label")
    [1, 2]
    """
    if is_frame(values):
        names = [str(name) for name in values.columns]
        if len(names) != 1:
            raise DataError(
                f"one {noun} for each image was expected; found a table with {len(names)} columns, "
                f"{join_words(names)}: give one of them, such as table[{names[0] if names else 'label'!r}]."
            )
        return list(values.iloc[:, 0])
    if hasattr(values, "detach"):
        values = np.asarray(values.detach().cpu())
    if isinstance(values, np.ndarray):
        return _flat(values, noun)
    if not isinstance(values, Iterable):
        raise DataError(f"one {noun} for each image was expected; found a {type(values).__name__}: give a list.")
    return [_single(value) for value in values]


def _flat(values: Any, noun: str) -> list[Any]:
    if values.ndim == 2 and values.shape[1] == 1:
        return list(values[:, 0])
    if values.ndim != 1:
        hint = f" (of one-hot {noun}s: {noun}s.argmax(axis=1))" if values.ndim == 2 else ""
        raise DataError(
            f"one {noun} for each image was expected; found an array of the shape {values.shape}: give one "
            f"column{hint}."
        )
    return list(values)


def _single(value: Any) -> Any:
    """The one thing in a list of one; anything else as it is."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return value[0]
    if isinstance(value, np.ndarray) and value.size == 1:
        return value.reshape(-1)[0]
    return value.item() if hasattr(value, "detach") and value.ndim == 0 else value

"""Loads a Hugging Face `datasets.Dataset`, or a `DatasetDict` with its splits.

Recognised by what it offers (`features`, `column_names`), so the `datasets` package is never imported here.
Images stay encoded in memory, as one-dimensional uint8 arrays of their file's bytes, and are decoded when
they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.sources.columns import Columns, choose_columns
from headstart.data.sources.dataset import Dataset, assemble_dataset, check_splits, split_of
from headstart.data.sources.in_memory import label_text
from headstart.errors import DataError
from headstart.records.samples import ImageSource


@dataclass(frozen=True)
class _Row:
    image: ImageSource
    name: str
    label: str
    group: str
    split: str


def is_hub_dataset(source: Any) -> bool:
    """Whether `source` is a dataset, or a mapping from split names to datasets."""
    return _is_dataset(source) or (
        isinstance(source, Mapping) and bool(source) and all(map(_is_dataset, source.values()))
    )


def _is_dataset(source: Any) -> bool:
    return hasattr(source, "features") and hasattr(source, "column_names")


def load_hub(
    source: Any,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
) -> Dataset:
    """The labelled images of a dataset; class names come from its `ClassLabel` feature where it has one.

    Raises `DataError` for a streaming dataset, a missing label or a split of another name.
    """
    parts = source if isinstance(source, Mapping) else {"": source}
    rows: list[_Row] = []
    for name, part in parts.items():
        columns = _columns(part, path_column, label_column, group_column, split_column)
        rows += _rows(part, str(name), columns)
    if not rows:
        raise DataError("the dataset has no rows: one for each image was expected.")
    labels, splits = [row.label for row in rows], [row.split for row in rows]
    notes = check_splits(labels, splits, "the dataset") if "train" in splits else ()
    samples = assemble_dataset(
        [row.image for row in rows],
        [row.name for row in rows],
        labels,
        groups=[row.group for row in rows] if any(row.group for row in rows) else None,
        splits=splits if "" not in splits else None,
    )
    return Dataset(samples, {}, (columns.note(), *notes))


def _columns(part: Any, path: str | None, label: str | None, group: str | None, split: str | None) -> Columns:
    """The columns by their features (`Image`, `ClassLabel`), then by their names."""
    if not hasattr(part, "__len__"):
        raise DataError("a streaming dataset cannot be counted: load it without streaming=True.")
    kinds = {type(feature).__name__: name for name, feature in reversed(part.features.items())}
    return choose_columns(
        part.column_names,
        "the dataset",
        path=path or kinds.get("Image"),
        label=label or kinds.get("ClassLabel"),
        group=group,
        split=split,
    )


def _rows(part: Any, name: str, columns: Columns) -> list[_Row]:
    wanted = [column for column in (columns.path, columns.label, columns.group, columns.split) if column]
    part = part.with_format(None).select_columns(wanted)
    feature = part.features[columns.path]
    if type(feature).__name__ == "Image":
        part = part.cast_column(columns.path, type(feature)(decode=False))
    classes = getattr(part.features[columns.label], "names", None)
    return [_row(values, f"{name} image {i}".strip(), name, columns, classes) for i, values in enumerate(part)]


def _row(values: Mapping[str, Any], name: str, part: str, columns: Columns, classes: Sequence[str] | None) -> _Row:
    label = values[columns.label]
    if classes is not None:
        label = classes[label] if label is not None and 0 <= label < len(classes) else None
    group = values[columns.group] if columns.group else None
    word = str(values[columns.split]) if columns.split else part
    split = split_of(word)
    if split is None and (word or columns.split):
        raise DataError(f"{name} lies in the split {word!r}: 'train', 'val' or 'test' was expected.")
    return _Row(
        _source(values[columns.path], name),
        name,
        label_text(label, f"the label of {name}"),
        "" if group is None else str(group),
        split or "",
    )


def _source(value: Any, name: str) -> ImageSource:
    """An encoded image's bytes as an array, or its path."""
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return np.frombuffer(value, dtype=np.uint8)
    if isinstance(value, str) and value:
        return Path(value)
    raise DataError(f"{name} of the dataset is a {type(value).__name__}: an image, its bytes or its path was expected.")

"""Loads a Hugging Face `datasets.Dataset`, or a `DatasetDict` with its splits.

Recognised by what it offers (`features`, `column_names`), so the `datasets` package is never imported here.
Images stay encoded in memory, as one-dimensional uint8 arrays of their file's bytes, and are decoded when
they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headstart.data.sources.class_names import unify_classes
from headstart.data.sources.columns import Columns, choose_columns
from headstart.data.sources.dataset import Dataset, assemble_dataset, check_splits
from headstart.data.sources.encoded import image_source
from headstart.data.sources.split_column import read_splits
from headstart.data.sources.split_names import split_of
from headstart.data.sources.values import group_text, is_missing, label_text
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
    notes: tuple[str, ...] = ()
    for name, part in parts.items():
        columns = _columns(part, path_column, label_column, group_column, split_column)
        part_rows, columns, part_notes = _rows(part, str(name), columns, split_by_user=split_column is not None)
        rows += part_rows
        notes += tuple(note for note in part_notes if note not in notes)
    if not rows:
        raise DataError("the dataset has no rows: one for each image was expected.")
    labels, alike = unify_classes([row.label for row in rows])
    splits = [row.split for row in rows]
    notes += check_splits(labels, splits, "the dataset") if "train" in splits else ()
    samples = assemble_dataset(
        [row.image for row in rows],
        [row.name for row in rows],
        labels,
        groups=[row.group for row in rows] if any(row.group for row in rows) else None,
        splits=splits if "" not in splits else None,
    )
    return Dataset(samples, {}, (columns.note(), *alike, *notes))


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


def _rows(
    part: Any, name: str, columns: Columns, *, split_by_user: bool
) -> tuple[list[_Row], Columns, tuple[str, ...]]:
    """The rows of a part, its columns without a split column that is none, and notes on that."""
    wanted = [column for column in (columns.path, columns.label, columns.group, columns.split) if column]
    part = part.with_format(None).select_columns(wanted)
    feature = part.features[columns.path]
    if type(feature).__name__ == "Image":
        part = part.cast_column(columns.path, type(feature)(decode=False))
    names = [f"{name} image {i}".strip() for i in range(len(part))]
    splits: list[str] | None = None
    notes: tuple[str, ...] = ()
    if columns.split:
        words = ["" if is_missing(word) else str(word) for word in part[columns.split]]
        splits, notes = read_splits(columns.split, words, names, by_user=split_by_user)
    if splits is None:
        columns = replace(columns, split=None)
        splits = [_part_split(name)] * len(part)
    classes = getattr(part.features[columns.label], "names", None)
    rows = [
        _row(values, row_name, split, columns, classes)
        for values, row_name, split in zip(part, names, splits, strict=True)
    ]
    return rows, columns, notes


def _part_split(name: str) -> str:
    split = split_of(name)
    if split is None and name:
        raise DataError(f"the dataset has the split {name!r}: 'train', 'val' or 'test' was expected.")
    return split or ""


def _row(values: Mapping[str, Any], name: str, split: str, columns: Columns, classes: Sequence[str] | None) -> _Row:
    label = values[columns.label]
    if classes is not None:
        label = classes[label] if label is not None and 0 <= label < len(classes) else None
    group = values[columns.group] if columns.group else None
    return _Row(
        image_source(values[columns.path], name),
        name,
        label_text(label, f"the label of {name}"),
        group_text(group),
        split,
    )

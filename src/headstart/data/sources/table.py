"""Loads a table of images: CSV, TSV or Parquet with an image and a label a row, and where wanted a group and a split.

`load_table` finds the columns by name, takes relative paths from the table's own folder, and returns a labelled
`Dataset`; `load_frame` does so with a data frame. The image is a path, or in Parquet its file's bytes. A few missing
files are named and left out; more than 5 % of them are an error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.sources.class_names import unify_classes
from headstart.data.sources.columns import Columns, choose_columns
from headstart.data.sources.dataset import Dataset, assemble_dataset, check_splits
from headstart.data.sources.encoded import image_source
from headstart.data.sources.lookup import FileLookup
from headstart.data.sources.places import check_place
from headstart.data.sources.shards import find_shards, read_shards
from headstart.data.sources.split_column import read_splits
from headstart.data.sources.split_names import split_of
from headstart.data.sources.table_text import TableText, read_table
from headstart.data.sources.values import group_text, is_missing, label_text
from headstart.errors import DataError
from headstart.records.samples import ImageSource

MOST_MISSING = 0.05


@dataclass(frozen=True, eq=False)
class _Row:
    """One image of a table: where in the table it stands, its file or bytes, and its words."""

    line: str
    image: ImageSource
    name: str
    label: str
    group: str
    split: str

    @property
    def exists(self) -> bool:
        """Whether there is something to read."""
        return not isinstance(self.image, Path) or os.path.exists(self.image)


def load_table(
    table: Path,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
) -> Dataset:
    """The labelled images that a table lists, or a folder of Parquet shards.

    Raises `DataError` for a table that cannot be read, a missing label, a split column that was named and holds other
    words, or many missing files; `OptionError` for a named column that is not there; `MissingExtra` for Parquet without
    pyarrow.
    """
    text, folder = _read(table)
    columns = choose_columns(
        text.names, str(table), path=path_column, label=label_column, group=group_column, split=split_column
    )
    return _dataset_of_rows(str(table), folder, text, columns, split_by_user=split_column is not None)


def load_frame(
    frame: Any,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
) -> Dataset:
    """The labelled images that a data frame lists; relative paths start at the current folder.

    Raises as `load_table` does.
    """
    names = [str(name) for name in frame.columns]
    values = zip(*(list(frame.iloc[:, i]) for i in range(len(names))), strict=True)
    text = TableText(names, ((f"the table's row {i}", row) for i, row in enumerate(values)))
    columns = choose_columns(
        names, "the table", path=path_column, label=label_column, group=group_column, split=split_column
    )
    return _dataset_of_rows("the table", Path(), text, columns, split_by_user=split_column is not None)


def load_unlabelled_table(table: Path, *, path_column: str | None = None, group_column: str | None = None) -> Dataset:
    """The images that a table lists, with groups where it has them; labels and splits are neither needed nor read.

    Raises as `load_table` does.
    """
    text, folder = _read(table)
    columns = choose_columns(text.names, str(table), path=path_column, group=group_column, labelled=False)
    return _dataset_of_rows(str(table), folder, text, columns)


def list_table_images(table: Path) -> list[tuple[ImageSource, str]]:
    """Each row's image with its name, files that are not there among them; raises `DataError` where none is there."""
    text, folder = _read(table)
    columns = choose_columns(text.names, str(table), labelled=False)
    rows, lookup = _rows(str(table), folder, text, replace(columns, group=None))
    if not any(row.exists for row in rows):
        _drop_missing(rows, str(table), lookup)
    return [(row.image, row.name) for row in rows]


def _read(table: Path) -> tuple[TableText, Path]:
    """The rows of a table or of a folder's shards, and the folder at which relative paths start."""
    if os.path.isdir(table):
        shards = find_shards(table)
        return read_shards(shards), shards[0].parent
    return read_table(table), table.parent


def _dataset_of_rows(
    where: str, folder: Path, text: TableText, columns: Columns, *, split_by_user: bool = False
) -> Dataset:
    rows, lookup = _rows(where, folder, text, columns)
    rows, missing = _drop_missing(rows, where, lookup)
    splits: list[str] | None = None
    split_notes: tuple[str, ...] = ()
    if columns.split:
        words, places = [row.split for row in rows], [row.line for row in rows]
        splits, split_notes = read_splits(columns.split, words, places, by_user=split_by_user)
    if splits is None:
        columns = replace(columns, split=None)
    labels, alike = unify_classes([row.label for row in rows])
    notes = (columns.note(), *split_notes, *lookup.notes(), *missing, *alike)
    if splits and set(splits) <= {"val", "test"} and len(set(splits)) == 1:
        notes += (f"Every row is in the {splits[0]} split: the images are taken as not divided.",)
    if splits and "train" in splits:
        notes += check_splits(labels, splits, where)
    samples = assemble_dataset(
        [row.image for row in rows],
        [row.name for row in rows],
        labels if columns.label else None,
        groups=[row.group for row in rows] if columns.group else None,
        splits=splits,
    )
    return Dataset(samples, {}, notes)


def _rows(where: str, folder: Path, text: TableText, columns: Columns) -> tuple[list[_Row], FileLookup]:
    lookup = FileLookup(folder, split_of(Path(where).stem))
    rows = [_row(line, dict(zip(text.names, values, strict=True)), columns, lookup) for line, values in text.rows]
    if not rows:
        raise DataError(f"{where} has a heading but no rows: give it one row for each image.")
    return rows, lookup


def _row(line: str, values: dict[str, Any], columns: Columns, lookup: FileLookup) -> _Row:
    image, name = _image(line, values[columns.path], columns.path, lookup)
    label = label_text(values[columns.label], f"{line}: the label") if columns.label else ""
    split = _text(values[columns.split]) if columns.split else ""
    group = group_text(values[columns.group]) if columns.group else ""
    return _Row(line, image, name, label, group, split)


def _image(line: str, value: Any, column: str, lookup: FileLookup) -> tuple[ImageSource, str]:
    """A cell's image and its name: a file by its path, or the bytes that the table holds."""
    if isinstance(value, (dict, bytes)):
        source = image_source(value, line)
        name = value.get("path") if isinstance(value, dict) else None
        return (
            (source, str(name or line))
            if isinstance(source, np.ndarray)
            else (lookup.find(str(source), line), str(source))
        )
    path = _text(value)
    if not path:
        raise DataError(f"{line} has no path in the column {column!r}: fill it in or take it out.")
    check_place(path, line)
    return lookup.find(path, line), path


def _text(value: Any) -> str:
    return "" if is_missing(value) else str(value).strip()


def _drop_missing(rows: Sequence[_Row], where: str, lookup: FileLookup) -> tuple[list[_Row], tuple[str, ...]]:
    """The rows whose file is there, with a note on the others."""
    existing = [row for row in rows if row.exists]
    present = set(map(id, existing))
    missing = [f"{row.image} ({row.line})" for row in rows if id(row) not in present]
    if len(missing) > MOST_MISSING * len(rows):
        raise DataError(
            f"{quantity(len(missing), 'file')} of the {len(rows):,} that {where} lists are not there, the first "
            f"{join_words(missing[:3])}: relative paths start at the table's folder {lookup.folder}{lookup.contents()}."
        )
    if not missing:
        return existing, ()
    return existing, (f"Left out: {quantity(len(missing), 'listed file')} not there, {join_words(missing, 5)}.",)

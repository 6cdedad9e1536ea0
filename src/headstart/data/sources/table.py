"""Loads a table of images: CSV, TSV or Parquet with a path and a label a row, and where wanted a group and a split.

`load_table` finds the columns by name, takes relative paths from the table's own folder, and returns a
labelled `Dataset`. A few missing files are named and left out; more than 5 % of them are an error.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.checks import join_words, quantity
from headstart.data.sources.columns import Columns, choose_columns
from headstart.data.sources.dataset import Dataset, assemble_dataset, check_splits, split_of
from headstart.data.sources.in_memory import label_text
from headstart.errors import DataError, MissingExtra

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq")
MOST_MISSING = 0.05
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class _Row:
    """One image of a table: where in the table it stands, its file, and its words."""

    line: str
    image: Path
    name: str
    label: str
    group: str
    split: str


def load_table(
    table: Path,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
) -> Dataset:
    """The labelled images that a table lists.

    Raises `DataError` for a table that cannot be read, an empty label, an unknown split word or many
    missing files; `OptionError` for a named column that is not there; `MissingExtra` for Parquet without
    pyarrow.
    """
    names, lines = _read(table)
    columns = choose_columns(
        names, str(table), path=path_column, label=label_column, group=group_column, split=split_column
    )
    return _dataset_of_rows(table, names, lines, columns)


def load_unlabelled_table(table: Path, *, path_column: str | None = None, group_column: str | None = None) -> Dataset:
    """The images that a table lists, with groups where it has them; labels and splits are neither needed nor read.

    Raises as `load_table` does.
    """
    names, lines = _read(table)
    columns = choose_columns(names, str(table), path=path_column, group=group_column, labelled=False)
    return _dataset_of_rows(table, names, lines, columns)


def _dataset_of_rows(
    table: Path, names: Sequence[str], lines: Iterator[tuple[str, Sequence[Any]]], columns: Columns
) -> Dataset:
    folder = table.parent
    rows = [_row(line, dict(zip(names, values, strict=True)), columns, folder) for line, values in lines]
    if not rows:
        raise DataError(f"{table} has a heading but no rows: give it one row for each image.")
    rows, notes = _drop_missing(rows, table)
    splits = [row.split for row in rows] if columns.split else None
    labels = [row.label for row in rows]
    if splits and set(splits) <= {"val", "test"} and len(set(splits)) == 1:
        notes += (f"Every row is in the {splits[0]} split: the images are taken as not divided.",)
    if splits and "train" in splits:
        notes += check_splits(labels, splits, str(table))
    samples = assemble_dataset(
        [row.image for row in rows],
        [row.name for row in rows],
        labels if columns.label else None,
        groups=[row.group for row in rows] if columns.group else None,
        splits=splits,
    )
    return Dataset(samples, {}, (columns.note(), *notes))


def _row(line: str, values: dict[str, Any], columns: Columns, folder: Path) -> _Row:
    path = _text(values[columns.path])
    if not path:
        raise DataError(f"{line} has no path in the column {columns.path!r}: fill it in or take it out.")
    label = label_text(values[columns.label], f"{line}: the label") if columns.label else ""
    split = _split_word(line, _text(values[columns.split])) if columns.split else ""
    group = _text(values[columns.group]) if columns.group else ""
    return _Row(line, _file(folder, path), path, label, group, split)


def _file(folder: Path, path: str) -> Path:
    """The file that a table names, also where it was written on Windows."""
    plain, turned = folder / path, folder / path.replace("\\", "/")
    return turned if turned != plain and os.path.exists(turned) else plain


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _split_word(line: str, word: str) -> str:
    split = split_of(word)
    if split is None:
        raise DataError(f"{line} has the split {word!r}: 'train', 'val' or 'test' was expected.")
    return split


def _drop_missing(rows: Sequence[_Row], table: Path) -> tuple[list[_Row], tuple[str, ...]]:
    """The rows whose file is there, with a note on the others."""
    existing = [row for row in rows if os.path.exists(row.image)]
    kept = set(map(id, existing))
    missing = [f"{row.image} ({row.line})" for row in rows if id(row) not in kept]
    if len(missing) > MOST_MISSING * len(rows):
        raise DataError(
            f"{quantity(len(missing), 'file')} of the {len(rows):,} that {table} lists are not there, the "
            f"first {join_words(missing[:3])}: relative paths start at the table's folder {table.parent}."
        )
    if not missing:
        return existing, ()
    return existing, (f"Left out: {quantity(len(missing), 'listed file')} not there, {join_words(missing, 5)}.",)


def _read(table: Path) -> tuple[list[str], Iterator[tuple[str, Sequence[Any]]]]:
    """The names of the columns, and each row with the words that say where it stands."""
    if table.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(table)
    return _read_text(table)


def _read_text(table: Path) -> tuple[list[str], Iterator[tuple[str, Sequence[Any]]]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table} is not UTF-8 text (byte {error.start}): save it again as CSV in UTF-8.") from error
    except OSError as error:
        raise DataError(f"{table} cannot be read ({error.strerror}).") from error
    if not text.strip():
        raise DataError(f"{table} is empty: a heading and one row for each image were expected.")
    heading = text.lstrip().partition("\n")[0]
    delimiter = max(_DELIMITERS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = _lines(reader, table)
    _, names = next(rows)
    names = [name.strip() for name in names]
    if len(set(names)) < len(names):
        raise DataError(f"{table} has two columns of one name among {join_words(names)}: rename one.")
    return names, _check_widths(rows, len(names))


def _lines(reader: Any, table: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows that are not blank, each with its place."""
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield f"{table} line {reader.line_num}", values
    except csv.Error as error:
        raise DataError(f"{table} line {reader.line_num} is not valid CSV ({error}).") from error


def _check_widths(rows: Iterator[tuple[str, list[str]]], width: int) -> Iterator[tuple[str, Sequence[Any]]]:
    for line, values in rows:
        if len(values) != width:
            raise DataError(
                f"{line} has {len(values)} fields where the heading has {width}: check its quotes and separators."
            )
        yield line, values


def _read_parquet(table: Path) -> tuple[list[str], Iterator[tuple[str, Sequence[Any]]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("Reading a Parquet table", "parquet", "pyarrow") from error
    try:
        content = pyarrow.parquet.read_table(table)
    except (OSError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{table} cannot be read as Parquet ({reason}).") from error
    values = zip(*(column.to_pylist() for column in content.columns), strict=True)
    return list(content.column_names), ((f"{table} row {i}", row) for i, row in enumerate(values, 1))

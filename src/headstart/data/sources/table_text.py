"""Reads the text of a table: CSV in its usual forms, or Parquet; the names of its columns and one row after another.

`read_table` finds the separator, names columns that have no name by their position, and says of each row where it
stands. What the columns mean is not asked here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.checks import join_words
from headstart.data.images.open import EXTENSIONS
from headstart.data.sources.encoded import class_list
from headstart.errors import DataError, MissingExtra

PARQUET = (".parquet", ".pq")
ENDINGS = (".csv", ".tsv", ".txt", *PARQUET)
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, eq=False)
class TableText:
    """names: of the columns. rows: each with the words that say where it stands, and its values."""

    names: list[str]
    rows: Iterable[tuple[str, Sequence[Any]]]


def read_table(table: Path) -> TableText:
    """The rows of a table; raises `DataError` where it cannot be read, `MissingExtra` for Parquet without pyarrow."""
    if table.suffix.lower() in PARQUET:
        return _read_parquet(table)
    return _read_text(table)


def _read_text(table: Path) -> TableText:
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
    names = [name.strip() or f"column {number}" for number, name in enumerate(names, 1)]
    _check_heading(names, table)
    if len(set(names)) < len(names):
        raise DataError(f"{table} has two columns of one name among {join_words(names)}: rename one.")
    return TableText(names, _check_widths(rows, len(names)))


def _check_heading(names: Sequence[str], table: Path) -> None:
    if any(Path(name).suffix.lower() in EXTENSIONS for name in names):
        raise DataError(
            f"{table} has no heading: its first line is {join_words(names, 4)}; write one above it, such as path,label."
        )


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


def _read_parquet(table: Path) -> TableText:
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
    columns = [_column(name, content) for name in content.column_names]
    rows = ((f"{table} row {i}", row) for i, row in enumerate(zip(*columns, strict=True), 1))
    return TableText(list(content.column_names), rows)


def _column(name: str, content: Any) -> list[Any]:
    """The values of a column; class numbers as names where the file says which they are."""
    values: list[Any] = content.column(name).to_pylist()
    classes = class_list(content.schema.metadata, name)
    if not classes:
        return values
    return [classes[v] if isinstance(v, int) and 0 <= v < len(classes) else None for v in values]

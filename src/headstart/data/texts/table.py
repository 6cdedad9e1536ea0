"""Reads tables of texts: CSV and TSV in their usual forms, JSON lines, fastText's format, Parquet.

`read_texts` returns the columns' names and the rows. Bytes that are not UTF-8 are read as Windows-1252, with a note. A
table of two columns without a heading is recognised, as is a separator, and quotes of either kind.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.checks import join_words, suggest
from headstart.data.sources.columns import NO_COLUMN
from headstart.data.sources.table_text import read_table
from headstart.errors import DataError, OptionError

ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet", ".pq")
_PARQUET, _LINES = (".parquet", ".pq"), (".jsonl", ".ndjson")
_DELIMITERS = "\t,;|"
_FASTTEXT = re.compile(r"^((?:__label__\S+\s+)+)(.*)$")
_KNOWN_NAMES = {
    "text": "text sentence utterance content message query question review body comment tweet post document "
    "description headline title abstract summary input prompt sms mail email email_text news article",
    "label": "label class category intent target label_text label_name class_name category_name sentiment topic "
    "subject tag y labels classes type language lang spam",
    "group": "group group_id author author_id user user_id customer customer_id thread thread_id ticket ticket_id",
    "split": "split set subset partition",
    "image": "path image_path file_path filename file image img picture photo img_path image_file",
}
"""The names that are understood, best first."""
TEXT_NAMES, LABEL_NAMES, GROUP_NAMES, SPLIT_NAMES, _IMAGE_NAMES = (tuple(v.split()) for v in _KNOWN_NAMES.values())


@dataclass(frozen=True, eq=False)
class TextTable:
    """names: of the columns. rows: each with its place and values. notes: for the user. heading: whether it has one."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, Sequence[Any]], ...]
    notes: tuple[str, ...] = ()
    heading: bool = True

    def column(self, name: str) -> list[Any]:
        """The values of a column."""
        position = self.names.index(name)
        return [values[position] for _, values in self.rows]


def read_texts(path: Path, named: Sequence[str] = ()) -> TextTable:
    """The table in a file; raises `DataError` where it is none, `MissingExtra` for Parquet without pyarrow.

    named: columns that the user named; one of them in the first line makes a heading of it.
    """
    if path.suffix.lower() in _PARQUET:
        table = read_table(path)
        return TextTable(tuple(table.names), tuple((f"row {i}", row) for i, (_, row) in enumerate(table.rows, 1)))
    text, notes = decode_text(path)
    if not text.strip():
        raise DataError(f"{path} is empty: one text and one label a line were expected.")
    if path.suffix.lower() in _LINES:
        return _json_lines(path, text, notes)
    first = text.lstrip().partition("\n")[0]
    if _FASTTEXT.match(first):
        return _fasttext(path, text, notes)
    return _separated(path, text, notes, named)


def decode_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """What a file says, and a note where it is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        note = f"{path.name} is not UTF-8 (byte {error.start}); it was read as Windows-1252."
        return content.decode("cp1252", "replace"), (note,)


def _json_lines(path: Path, text: str, notes: tuple[str, ...]) -> TextTable:
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not JSON ({error}): one object a line was expected.") from error
        if not isinstance(record, dict):
            raise DataError(f"{path} line {number} is a {type(record).__name__}: one object a line was expected.")
        records.append((f"line {number}", record))
    names = tuple(dict.fromkeys(name for _, record in records for name in record))
    return TextTable(names, tuple((place, [record.get(name) for name in names]) for place, record in records), notes)


def _fasttext(path: Path, text: str, notes: tuple[str, ...]) -> TextTable:
    rows: list[tuple[str, Sequence[Any]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _FASTTEXT.match(line.strip())
        if match is None:
            raise DataError(f"{path} line {number} has no __label__, and its first line has: mend it.")
        labels = match.group(1).split()
        if len(labels) > 1:
            raise DataError(f"{path} line {number} has {len(labels)} labels: one a text was expected.")
        rows.append((f"line {number}", [match.group(2), labels[0].removeprefix("__label__")]))
    return TextTable(("text", "label"), tuple(rows), notes)


def _separated(path: Path, text: str, notes: tuple[str, ...], named: Sequence[str]) -> TextTable:
    options = _dialect(text)
    try:
        lines = [(number, row) for number, row in _numbered(text, options) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path} is not valid CSV ({error}).") from error
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise DataError(
                f"{path} line {number} has {len(row)} fields where the first line has {width}: check its quotes and "
                "separators."
            )
    names = tuple(cell.strip() or f"column {i}" for i, cell in enumerate(lines[0][1], 1))
    if len(set(names)) == width and (_is_heading(names) or not set(named).isdisjoint(names)):
        return TextTable(names, tuple((f"line {number}", row) for number, row in lines[1:]), notes)
    if width != 2:
        return TextTable(names, tuple((f"line {number}", row) for number, row in lines[1:]), notes)
    label = _label_column([row for _, row in lines])
    heading = ("text", "label") if label == 1 else ("label", "text")
    note = f"{path.name} has no heading: column {2 - label} was taken for the text, column {1 + label} for the label."
    return TextTable(heading, tuple((f"line {number}", row) for number, row in lines), (*notes, note), heading=False)


def _dialect(text: str) -> dict[str, Any]:
    """The separator that most lines agree on, and the quote that stands after it."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]

    def agreement(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        return sum(1 for count in counts if count), -max(counts)

    # A tab is no part of a sentence; a comma, a semicolon or a bar may be: the one that nearly every line has.
    present = [d for d in _DELIMITERS if agreement(d)[0] >= 0.9 * len(lines)] or list(_DELIMITERS)
    delimiter = present[0] if present[0] == "\t" else max(present, key=lambda d: (lines[0].count(d) == 1, agreement(d)))
    if delimiter == "\t" and not any(line.split("\t", 1)[0].startswith('"') for line in lines):
        return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE}
    single = sum(f"{delimiter}'" in line or line.startswith("'") for line in lines) > len(lines) / 2
    return {"delimiter": delimiter, "quotechar": "'" if single and '"' + delimiter not in text else '"'}


def _numbered(text: str, options: dict[str, Any]) -> list[tuple[int, list[str]]]:
    csv.field_size_limit(1 << 24)
    reader = csv.reader(io.StringIO(text, newline=""), **options)
    return [(reader.line_num, row) for row in reader]


def _is_heading(names: Sequence[str]) -> bool:
    """Whether one of the names is a known one."""
    return any(_plain(name) in _KNOWN for name in names)


def _label_column(rows: Sequence[Sequence[str]]) -> int:
    """Of two columns the one with fewer different words, of equals the shorter one."""
    kinds = [len({row[i] for row in rows}) for i in (0, 1)]
    lengths = [float(np.mean([len(row[i]) for row in rows])) for i in (0, 1)]
    return min((0, 1), key=lambda i: (kinds[i], lengths[i]))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_KNOWN = frozenset(map(_plain, (*TEXT_NAMES, *LABEL_NAMES, *SPLIT_NAMES)))


def holds_images(names: Sequence[str]) -> bool:
    """Whether a column of a table is named as those of images are."""
    return any(name.lower().replace(" ", "_") in _IMAGE_NAMES for name in names)


def find_column(known: Sequence[str], names: Sequence[str]) -> str | None:
    """The column whose name is known, the best known first."""
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[_plain(word)] for word in known if _plain(word) in plain), None)


def choose_column(wanted: str | None, role: str, known: Sequence[str], names: Sequence[str], where: str) -> str | None:
    """The column that the user named, else the one that is found; 'none' takes none."""
    if wanted is not None and wanted.lower() == NO_COLUMN and wanted not in names:
        return None
    if wanted is None or wanted in names:
        return wanted or find_column(known, names)
    hint = suggest(wanted, names, 1)
    also = f" Did you mean {hint[0]!r}?" if hint else ""
    raise OptionError(
        f"the {role} column {wanted!r} was asked for, but {where} has the columns {join_words(names)}.{also}"
    )

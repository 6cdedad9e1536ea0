"""Loads labelled texts: a table, a folder of .txt files by class, lists in Python, a frame, a `datasets.Dataset`.

`recognise` says whether a source holds texts, `load_texts` returns a `Dataset` of them, `find_texts` unlabelled samples
for prediction. Labels stay as they are written: '1' is a word. Empty texts stay here, and count as
unreadable later.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.checks import join_words, quantity
from headstart.data.sources.class_names import unify_classes
from headstart.data.sources.dataset import Dataset, assemble_dataset, check_splits
from headstart.data.sources.split_column import read_splits
from headstart.data.sources.split_names import split_of
from headstart.data.sources.values import group_text, is_frame, is_missing, label_text, one_column
from headstart.data.texts.items import are_texts, is_path, text_list, text_name
from headstart.data.texts.table import (
    ENDINGS,
    GROUP_NAMES,
    LABEL_NAMES,
    SPLIT_NAMES,
    TEXT_NAMES,
    TextTable,
    choose_column,
    decode_text,
    find_column,
    holds_images,
    read_texts,
)
from headstart.errors import DataError, OptionError
from headstart.records.samples import Samples

_TEXT_FILE = ".txt"
_FEWEST_FILES = 4
"""Of a folder of texts: fewer .txt files are notes beside something else."""
_SIGNS = 20
"""Values of a column that are looked at to see what it holds."""


@dataclass(frozen=True)
class TextColumns:
    """The columns that the user named; None where they are found by their names."""

    text: str | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None


def recognise(source: Any, labels: Any = None) -> bool:
    """Whether a source holds texts: by its columns, its files, or what is in the list."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _folder_of_texts(path) if path.is_dir() else path.is_file() and _file_of_texts(path)
    if _is_hub(source):
        return _hub_of_texts(source)
    if is_frame(source) and labels is None:
        names = [str(name) for name in source.columns]
        return _names_texts(names, lambda name: list(source[name][:_SIGNS]), "the table")
    return labels is not None and are_texts(source)


def find_unlabelled(source: Any) -> Samples | None:
    """The texts in a source whose labels do not matter; None where it holds none."""
    if isinstance(source, Samples | bytes) or not isinstance(source, str | os.PathLike | Sequence):
        return None
    items = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    paths = [Path(item) for item in items if isinstance(item, os.PathLike) or (isinstance(item, str) and is_path(item))]
    if len(paths) < len(items):
        return find_texts(items) if are_texts(items) and isinstance(source, Sequence) else None
    texts = [_folder_of_texts(path) if path.is_dir() else _file_of_texts(path, labelled=False) for path in paths]
    return find_texts(items) if texts and all(texts) else None


def _file_of_texts(path: Path, *, labelled: bool = True) -> bool:
    if path.suffix.lower() not in ENDINGS:
        return False
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    try:
        table = read_texts(path)
    except DataError:
        return False  # the images' reader says what is wrong with it
    if not table.heading and not _are_sentences(table.column("text")[:_SIGNS]):
        return False
    return _names_texts(table.names, lambda name: table.column(name)[:_SIGNS], str(path), labelled=labelled)


def _are_sentences(cells: Sequence[str]) -> bool:
    """Whether most of these have several words."""
    return sum(" " in cell.strip() for cell in cells) > len(cells) / 2


def _names_texts(names: Sequence[str], values: Any, where: str, *, labelled: bool = True) -> bool:
    """Whether a column of texts is among these, and none of images; `DataError` where both are."""
    column = find_column(TEXT_NAMES, names)
    if column is None or (labelled and find_column(LABEL_NAMES, names) is None):
        return False
    cells = [cell for cell in values(column) if not is_missing(cell)]
    if not cells or not all(isinstance(cell, str) for cell in cells) or sum(map(is_path, cells)) > len(cells) / 2:
        return False
    images = [name for name in names if holds_images([name])]
    images = [
        name for name in images if any(isinstance(cell, (dict, bytes)) or is_path(str(cell)) for cell in values(name))
    ]
    if images:
        raise DataError(
            f"{where} has images in {images[0]!r} and texts in {column!r}: say which with --modality image or "
            "--modality text."
        )
    return True


def _folder_of_texts(folder: Path) -> bool:
    """Whether the first files at one or two levels down are .txt files."""
    for pattern in ("*/*", "*/*/*"):
        files = [path for path in sorted(folder.glob(pattern))[:_SIGNS] if path.is_file()]
        if len(files) >= _FEWEST_FILES:
            return all(path.suffix.lower() == _TEXT_FILE for path in files)
    return False


def _is_hub(source: Any) -> bool:
    parts = list(source.values()) if isinstance(source, Mapping) and source else [source]
    return all(hasattr(part, "features") and hasattr(part, "column_names") for part in parts)


def _hub_of_texts(source: Any) -> bool:
    part = next(iter(source.values())) if isinstance(source, Mapping) else source
    if not hasattr(part, "__len__") or any(type(feature).__name__ == "Image" for feature in part.features.values()):
        return False
    return _names_texts(part.column_names, lambda name: part[:_SIGNS][name], "the dataset")


def load_texts(
    source: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    columns: TextColumns = TextColumns(),
) -> Dataset:
    """The labelled texts of a source that `recognise` takes for texts; raises `DataError` where they cannot be used."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            return _from_folder(path)
        named = [name for name in (columns.text, columns.label, columns.group, columns.split) if name]
        return _from_table(read_texts(path, named), str(path), columns)
    if _is_hub(source):
        return _from_table(_hub_table(source), "the dataset", columns)
    if is_frame(source) and labels is None:
        names = tuple(str(name) for name in source.columns)
        cells = zip(*(list(source.iloc[:, i]) for i in range(len(names))), strict=True)
        return _from_table(
            TextTable(names, tuple((f"row {i}", row) for i, row in enumerate(cells))), "the table", columns
        )
    return _from_lists(source, labels, groups)


def _from_lists(source: Any, labels: Any, groups: Any) -> Dataset:
    if labels is None:
        raise OptionError("labels must be given with a sequence of texts, one for each; found none.")
    texts = text_list(source)
    names = [text_name(row) for row in range(len(texts))]
    values = _one_each(labels, len(texts), "label")
    words, notes = unify_classes([label_text(value, f"the label of {names[row]}") for row, value in enumerate(values)])
    together = None if groups is None else [group_text(group) for group in _one_each(groups, len(texts), "group")]
    return Dataset(assemble_dataset(texts, names, words, groups=together), {}, notes)


def _one_each(values: Any, count: int, noun: str) -> list[Any]:
    listed = one_column(values, noun)
    if len(listed) != count:
        raise DataError(f"one {noun} for each text was expected; found {len(listed):,} {noun}s for {count:,} texts.")
    return listed


def _from_table(table: TextTable, where: str, wanted: TextColumns) -> Dataset:
    text = _required(wanted.text, "text", TEXT_NAMES, table, where)
    label = _required(wanted.label, "label", LABEL_NAMES, table, where)
    group = choose_column(wanted.group, "group", GROUP_NAMES, table.names, where)
    split = choose_column(wanted.split, "split", SPLIT_NAMES, table.names, where)
    if not table.rows:
        raise DataError(f"{where} has a heading but no rows: give it one row for each text.")
    places = [place for place, _ in table.rows]
    items = [_cell(value) for value in table.column(text)]
    words = [label_text(v, f"{where} {p}: the label") for p, v in zip(places, table.column(label), strict=True)]
    labels, alike = unify_classes(words)
    splits: list[str] | None = None
    split_notes: tuple[str, ...] = ()
    if split:
        parts = ["" if is_missing(word) else str(word).strip() for word in table.column(split)]
        splits, split_notes = read_splits(split, parts, places, by_user=wanted.split is not None)
    if splits and "train" in splits:
        split_notes += check_splits(labels, splits, where)
    pairs = (("texts", text), ("labels", label), ("groups", group), ("splits", split if splits else None))
    used = "Columns used: " + ", ".join(f"{role} from {name!r}" for role, name in pairs if name) + "."
    samples = assemble_dataset(
        items,
        places,
        labels,
        groups=[group_text(value) for value in table.column(group)] if group else None,
        splits=splits,
    )
    return Dataset(samples, {}, (*table.notes, used, *split_notes, *alike))


def _required(wanted: str | None, role: str, known: Sequence[str], table: TextTable, where: str) -> str:
    column = choose_column(wanted, role, known, table.names, where)
    if column is None:
        raise DataError(
            f"{where} has no column that looks like a {role} (such as {join_words(list(known[:4]))}); it has "
            f"{join_words(table.names)}: name the right one with --{role}-column."
        )
    return column


def _cell(value: Any) -> str:
    return "" if is_missing(value) else str(value)


def _hub_table(source: Any) -> TextTable:
    """The rows of a dataset, or of the parts of a `DatasetDict` with a column for the split; labels as their names."""
    parts = source if isinstance(source, Mapping) else {"": source}
    names = tuple(next(iter(parts.values())).column_names)
    rows: list[tuple[str, Sequence[Any]]] = []
    for word, part in parts.items():
        if word and split_of(word) is None:
            raise DataError(f"the dataset has the split {word!r}: 'train', 'val' or 'test' was expected.")
        columns = [_named(part, name) for name in names]
        cells = zip(*columns, strict=True)
        rows += [(f"{word} text {i}".strip(), (*row, word)) for i, row in enumerate(cells)]
    if "" in parts:
        return TextTable(names, tuple((place, row[:-1]) for place, row in rows))
    return TextTable((*names, "split"), tuple(rows))


def _named(part: Any, name: str) -> list[Any]:
    """The values of a column, class numbers as names."""
    values = list(part.with_format(None)[name])
    classes = getattr(part.features[name], "names", None)
    return values if classes is None else [classes[v] if v is not None and v >= 0 else None for v in values]


def _from_folder(root: Path) -> Dataset:
    """A folder a class, with or without split folders around them."""
    files = sorted(path for path in root.rglob(f"*{_TEXT_FILE}") if not any(p.startswith(".") for p in path.parts))
    places = [path.relative_to(root).parts for path in files]
    split_first = all(len(parts) > 2 and split_of(parts[0]) for parts in places)
    labels = [parts[1] if split_first else parts[0] for parts, _ in zip(places, files, strict=True)]
    if not files or any(len(parts) < 2 for parts in places):
        raise DataError(f"{root} must hold a folder of .txt files for each class: move the files into folders.")
    texts, notes = [], list[str]()
    for path in files:
        text, note = decode_text(path)
        texts.append(text)
        notes += note
    first = notes[0].split()[0] if notes else ""
    said = (f"{quantity(len(notes), 'file')} not in UTF-8 read as Windows-1252 (the first: {first}).",)
    words, alike = unify_classes(labels)
    splits = [str(split_of(parts[0])) for parts in places] if split_first else None
    names = ["/".join(parts) for parts in places]
    checked = check_splits(words, splits, str(root)) if splits and "train" in splits else ()
    samples = assemble_dataset(texts, names, words, splits=splits)
    return Dataset(samples, {}, (*(said if notes else ()), *alike, *checked))


def find_texts(places: Any) -> Samples:
    """Unlabelled texts: of tables every row, of .txt files and folders of them every file, or a list in Python."""
    items = [places] if isinstance(places, (str, os.PathLike)) else list(places)
    for item in items:
        if str(item).lower().endswith(ENDINGS) and not Path(str(item)).exists():
            raise DataError(f"{item} does not exist: check its spelling.")
    if items and all(isinstance(item, os.PathLike) or Path(str(item)[:200]).exists() for item in items):
        pairs = [pair for item in items for pair in _texts_at(Path(item))]
    else:
        pairs = [(text, text_name(row)) for row, text in enumerate(text_list(items))]
    if not pairs:
        raise DataError("no texts were found: give a table, .txt files or folders of them, or texts.")
    return assemble_dataset([text for text, _ in pairs], [name for _, name in pairs], None)


def _texts_at(place: Path) -> Iterable[tuple[str, str]]:
    if place.is_dir():
        for path in sorted(place.rglob(f"*{_TEXT_FILE}")):
            yield decode_text(path)[0], path.as_posix()
        return
    if not place.exists():
        raise DataError(f"{place} does not exist: check its spelling.")
    if place.suffix.lower() == _TEXT_FILE:
        yield decode_text(place)[0], place.as_posix()
        return
    table = read_texts(place)
    column = find_column(TEXT_NAMES, table.names) or (table.names[0] if len(table.names) == 1 else None)
    if column is None:
        raise DataError(f"{place} has no column that looks like a text; it has {join_words(table.names)}: rename it.")
    for name, value in zip((p for p, _ in table.rows), table.column(column), strict=True):
        yield _cell(value), name

"""A table in pieces: a folder of Parquet shards, such as `data/train-00000-of-00002.parquet` of the Hub.

`find_shards` says which files of a folder are such pieces, `read_shards` reads them as one table. Where every shard's
name begins with a split, that is the rows' split unless a column says one. Nothing is decoded here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.checks import join_words
from headstart.data.sources.files import list_folder
from headstart.data.sources.split_names import split_of
from headstart.data.sources.table_text import ENDINGS, PARQUET, TableText, read_table
from headstart.errors import DataError

SPLIT_COLUMN = "split"
_TABLES = frozenset(ENDINGS) - {".txt"}


def find_shards(folder: Path) -> list[Path]:
    """The Parquet files in a folder that holds neither images, folders nor other tables, or in its only folder."""
    visible = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    tables = [entry for entry in visible if entry.suffix.lower() in _TABLES and entry.is_file()]
    folders = [entry for entry in visible if entry.is_dir()]
    one_folder = not tables and len(folders) == 1 and any(e.suffix.lower() in PARQUET for e in folders[0].iterdir())
    if not one_folder and (folders or any(table.suffix.lower() not in PARQUET for table in tables)):
        return []
    if not (one_folder or tables) or list_folder(folder, Counter())[0]:
        return []
    return find_shards(folders[0]) if one_folder else tables


def read_shards(shards: Sequence[Path]) -> TableText:
    """The rows of the shards, one after another; raises `DataError` where they have other columns than the first."""
    tables = [read_table(shard) for shard in shards]
    names = tables[0].names
    for shard, table in zip(shards, tables, strict=True):
        if table.names != names:
            raise DataError(
                f"{shard} has the columns {join_words(table.names)}, and {shards[0]} {join_words(names)}: pieces of "
                "one table have the same; give one file, or move the others elsewhere."
            )
    splits = [split_of(shard.stem.split("-")[0]) for shard in shards]
    if SPLIT_COLUMN in names or None in splits or len(shards) < 2:
        return TableText(names, itertools.chain.from_iterable(table.rows for table in tables))
    return TableText([*names, SPLIT_COLUMN], _with_splits(tables, splits))


def _with_splits(tables: Sequence[TableText], splits: Sequence[str | None]) -> Iterator[tuple[str, Sequence[Any]]]:
    for table, split in zip(tables, splits, strict=True):
        for place, values in table.rows:
            yield place, (*values, split)

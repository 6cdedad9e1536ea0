"""Loads a batch of new images without labels: a folder, files, globs, a table, or images in memory.

`load_unlabelled` returns a `Dataset` of unlabelled samples, each image once, with groups where a table names them. It
is `data.sources.load.find_images` with tables beside; labels that a table or folders may hold are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.checks import quantity
from headstart.data.modality import TEXTS
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import existing_path, find_images
from headstart.data.sources.table import load_unlabelled_table
from headstart.data.sources.table_text import ENDINGS
from headstart.data.texts.load import find_unlabelled
from headstart.errors import OptionError
from headstart.records.samples import UNLABELLED, Samples
from headstart.records.targets import Classes


def load_unlabelled(source: Any, *, path_column: str | None = None, group_column: str | None = None) -> Dataset:
    """The images of a batch.

    source: what `find_images` takes, or one CSV, TSV or Parquet table, or a `Dataset`, whose labels are ignored.
    Exact duplicates (equal bytes) are left out with a note: they would count as more than they are.
    Raises `DataError` where no image is found, `OptionError` for a column where there is no table.
    """
    texts = None if path_column else find_unlabelled(source)
    if texts is not None:
        samples, notes = _drop_duplicates(texts)
        return Dataset(samples, {}, tuple(TEXTS.say(note) for note in notes))
    table = _table(source)
    if table is not None:
        dataset = load_unlabelled_table(table, path_column=path_column, group_column=group_column)
    elif path_column is not None or group_column is not None:
        raise OptionError("--path-column and --group-column are for a table; give one, or leave them out.")
    else:
        dataset = source if isinstance(source, Dataset) else Dataset(find_images(source))
    samples, notes = _drop_duplicates(_without_labels(dataset.samples))
    return Dataset(samples, dataset.ignored, (*dataset.notes, *notes))


def _table(source: Any) -> Path | None:
    """The table that is the whole source; None where it is something else."""
    items = [source] if isinstance(source, (str, os.PathLike)) else source
    if not isinstance(items, Sequence) or len(items) != 1 or not isinstance(items[0], (str, os.PathLike)):
        return None
    path = Path(items[0])
    if path.suffix.lower() not in ENDINGS or os.path.isdir(path):
        return None
    return existing_path(path)


def _without_labels(samples: Samples) -> Samples:
    return replace(samples, target=Classes(np.full(len(samples), UNLABELLED, np.int64), ()), splits=None)


def _drop_duplicates(samples: Samples) -> tuple[Samples, tuple[str, ...]]:
    rows = sorted({content: row for row, content in reversed(list(enumerate(samples.content)))}.values())
    duplicates = len(samples) - len(rows)
    if not duplicates:
        return samples, ()
    return samples.take(rows), (f"Left out: {quantity(duplicates, 'exact duplicate')} of other images.",)

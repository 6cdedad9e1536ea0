"""Embeddings as a file for other programs: Parquet, npz or CSV, by the file's ending.

A row an image: `path`, `label` and `split` where there are any, `unreadable`, then the numbers. Parquet holds each
embedding as one column of fixed-size lists (polars reads an Array, pandas an object column for
`numpy.stack`), npz as a matrix, CSV as one column a number. The file is written beside its name and renamed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from headstart.checks import join_words
from headstart.errors import MissingExtra, OptionError
from headstart.records.arrays import Floats

Words = Mapping[str, Sequence[str]]
Matrices = Mapping[str, Floats]


def check_format(path: Path) -> None:
    """Raise `OptionError` or `MissingExtra` now if `write_embeddings` could not write to `path` later."""
    if path.suffix.lower() not in _WRITERS:
        raise OptionError(
            f"embeddings are written to files ending in {join_words(list(_WRITERS))}; found {str(path)!r}."
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        fault = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise OptionError(f"the embeddings cannot be written to {path}: it {fault}. Choose another file with -o.")
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtra("writing Parquet", "parquet", "pyarrow")


def write_embeddings(path: Path, words: Words, matrices: Matrices) -> None:
    """Write columns of words, then matrices (n, width) of numbers, all with the same rows."""
    check_format(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        _WRITERS[path.suffix.lower()](beside, words, matrices)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _parquet(path: Path, words: Words, matrices: Matrices) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: pa.array(list(values), pa.string()) for name, values in words.items()}
    for name, matrix in matrices.items():
        flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    parquet.write_table(pa.table(columns), path)


def _npz(path: Path, words: Words, matrices: Matrices) -> None:
    arrays: dict[str, Any] = {**{name: np.array(v, np.str_) for name, v in words.items()}, **matrices}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _csv(path: Path, words: Words, matrices: Matrices) -> None:
    headers = [f"{name}_{i}" for name, matrix in matrices.items() for i in range(matrix.shape[1])]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*words, *headers])
        for row in zip(*words.values(), *matrices.values(), strict=True):
            texts, numbers = row[: len(words)], row[len(words) :]
            writer.writerow([*texts, *(f"{x:.8g}" for part in numbers for x in part)])


_WRITERS: Mapping[str, Callable[[Path, Words, Matrices], None]] = {".parquet": _parquet, ".npz": _npz, ".csv": _csv}

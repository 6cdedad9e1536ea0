"""Loads labelled images from a folder, a table, a sequence in Python, or a Hugging Face dataset.

`load_dataset` tells the sources apart and returns a `Dataset`: samples, what was passed over, and notes for the user.
`find_images` returns unlabelled samples for prediction. Neither decodes an image; both read each file once, for its
fingerprint.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headstart.checks import join_words, suggest
from headstart.data.sources.dataset import Dataset, assemble_dataset
from headstart.data.sources.files import images_under
from headstart.data.sources.folder import load_folder
from headstart.data.sources.hub import is_hub_dataset, load_hub
from headstart.data.sources.in_memory import load_images, unlabelled_samples
from headstart.data.sources.places import check_place
from headstart.data.sources.shards import find_shards
from headstart.data.sources.table import list_table_images, load_frame, load_table
from headstart.data.sources.table_text import ENDINGS
from headstart.data.sources.values import is_frame
from headstart.data.texts.load import TextColumns, load_texts, recognise
from headstart.errors import DataError, OptionError
from headstart.records.samples import ImageSource, Samples

_TABLES = frozenset(ENDINGS) - {".txt"}


def load_dataset(
    source: Any,
    *,
    labels: Any = None,
    groups: Any = None,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    split_column: str | None = None,
    text_column: str | None = None,
    modality: str | None = None,
) -> Dataset:
    """The labelled images, or texts, of a source.

    source: a folder of class folders (with or without train/val/test); a CSV, TSV or Parquet table, a folder of Parquet
        shards, or a data frame; a `datasets.Dataset` or `DatasetDict`; a sequence of paths, PIL images or arrays; or a
        `Dataset`, which is returned as it is.
    labels: of a sequence, one for each image: names or whole numbers.
    groups: of a sequence, one for each image; images of one group are never split between folds.
    modality: 'image' or 'text', where a source holds both. text_column: a table's column of texts.
    path_column, label_column, group_column, split_column: a table's or dataset's columns, where their names do not
        tell; 'none' takes no column for groups or splits.

    Raises `DataError` when the data cannot be used, `OptionError` for an option that does not fit the source,
    `MissingExtra` for Parquet without pyarrow.
    """
    columns = {
        "path_column": path_column,
        "label_column": label_column,
        "group_column": group_column,
        "split_column": split_column,
    }
    if isinstance(source, Dataset):
        _refuse({"labels": labels, "groups": groups, **columns}, "a Dataset, which is loaded already")
        return source
    if modality == "text" or text_column or (modality is None and path_column is None and recognise(source, labels)):
        wanted = TextColumns(text_column, label_column, group_column, split_column)
        return load_texts(source, labels, groups=groups, columns=wanted)
    if is_hub_dataset(source):
        _refuse({"labels": labels, "groups": groups}, "a dataset, which has them as columns")
        return load_hub(source, **columns)
    if is_frame(source) and labels is None:
        _refuse({"groups": groups}, "a table, which has them in a column")
        return load_frame(source, **columns)
    if not isinstance(source, (str, os.PathLike)):
        _refuse(columns, "a sequence of images, which has no columns")
        return load_images(source, labels, groups=groups)
    path = existing_path(Path(source))
    _refuse({"labels": labels, "groups": groups}, "a folder or table, which has its own")
    if os.path.isdir(path):
        if find_shards(path):
            return load_table(path, **columns)
        _refuse(columns, "a folder, which has no columns")
        return load_folder(path)
    if path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"{path} is a file: a folder of class folders, or a table ({', '.join(ENDINGS)}), was expected."
        )
    return load_table(path, **columns)


def _refuse(options: dict[str, Any], what: str) -> None:
    misplaced = [name for name, value in options.items() if value is not None]
    if misplaced:
        raise OptionError(f"{join_words(misplaced)} cannot be given with {what}: leave it out.")


def find_images(paths: str | os.PathLike[str] | Iterable[Any]) -> Samples:
    """Unlabelled images: files, folders (looked through at any depth), globs and tables, or images in memory.

    Each file comes once, in the order of `paths`; of a table each row comes, a file that is not there among them. A
    file that is named itself is taken whatever its ending, unless it is a CSV, TSV or Parquet table; one that is no
    image is reported when it is decoded. Raises `DataError` when a path is not there or no image is found.
    """
    items = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if items and not all(isinstance(item, (str, os.PathLike)) for item in items):
        return unlabelled_samples(items)
    ignored: Counter[str] = Counter()
    places = dict.fromkeys(place for item in items for place in _expand(Path(item), ignored))
    images = [image for place in places for image in _images_at(place)]
    if not images:
        others = f" ({', '.join(f'{count:,} {kind}' for kind, count in ignored.items())})" if ignored else ""
        raise DataError(f"no images were found in {join_words([str(item) for item in items], 3)}{others}.")
    return assemble_dataset([image for image, _ in images], [name for _, name in images], None)


def _images_at(place: Path) -> list[tuple[ImageSource, str]]:
    """The image in a file, or those that a table (a folder where it is in shards) lists, with their names."""
    if os.path.isdir(place) or place.suffix.lower() in _TABLES:
        return list_table_images(place)
    return [(place, place.as_posix())]


def _expand(path: Path, ignored: Counter[str]) -> list[Path]:
    if os.path.isdir(path):
        return [path] if find_shards(path) else list(images_under(path, ignored))
    if not os.path.exists(path) and glob.has_magic(str(path)):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
        return [image for match in matches for image in _expand(match, ignored)]
    return [existing_path(path)]


def existing_path(path: Path) -> Path:
    """The path itself; raises `DataError` with the nearest right spelling where there is nothing at it."""
    if os.path.exists(path):
        return path
    check_place(str(path))
    missing = next((part for part in (*reversed(path.parents), path) if not os.path.exists(part)), path)
    try:
        hint = suggest(missing.name, os.listdir(missing.parent), 1)
    except OSError:
        hint = []
    if os.path.islink(missing):
        raise DataError(f"{path} leads nowhere: {missing} is a broken link to {os.readlink(missing)}.")
    suggestion = f" Did you mean {missing.parent / hint[0]}?" if hint else " Check its spelling."
    also = "" if missing == path else f" ({missing} is not there)"
    raise DataError(f"{path} does not exist{also}.{suggestion}")

"""The inventory lists and clears every cache, wherever it was filled, and leaves converted backbones alone."""

from pathlib import Path

import numpy as np
import pytest

from headstart.storage.disk_budget import default_folder as activations_folder
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import (
    BACKBONES,
    COMPILED,
    EMBEDDINGS,
    FILE_CACHES,
    ROW_CACHES,
    THUMBNAILS,
    cache_folder,
)
from headstart.storage.inventory import cached_files, clear_cache
from headstart.storage.row_cache import SUFFIX, RowCache


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    return tmp_path


def fill_everything() -> None:
    for name in ROW_CACHES:
        cache = RowCache(cache_folder(name) / f"a{SUFFIX}")
        cache.store([(bytes([i]), np.zeros(8, np.float32)) for i in range(3)])
        cache.close()
    for name in (COMPILED, *FILE_CACHES):
        FileCache(cache_folder(name), limit=1 << 20).put("a", bytes(100))


def test_every_cache_has_a_folder_of_its_own() -> None:
    names = (BACKBONES, COMPILED, *ROW_CACHES, *FILE_CACHES)
    assert len(set(names)) == len(names)
    assert activations_folder().name in FILE_CACHES


def test_nothing_is_listed_and_made_where_nothing_is_kept(root: Path) -> None:
    assert cached_files() == []
    assert clear_cache() == 0
    assert list(root.iterdir()) == []


def test_all_caches_are_listed_and_cleared(root: Path) -> None:
    fill_everything()
    (root / BACKBONES).mkdir()
    (root / BACKBONES / "mine.onnx").write_bytes(b"graph")
    listed = {str(file.path.relative_to(root)): (file.rows, file.bytes) for file in cached_files()}
    assert {name: rows for name, (rows, _) in listed.items()} == {
        f"{EMBEDDINGS}/a{SUFFIX}": 3,
        f"{THUMBNAILS}/a{SUFFIX}": 3,
        f"{COMPILED}/a.blob": None,
        **dict.fromkeys(FILE_CACHES),
    }
    assert all(listed[name][1] == 132 for name in (f"{COMPILED}/a.blob", *FILE_CACHES))
    assert clear_cache() >= 132 * (1 + len(FILE_CACHES))
    assert [(file.path.parent.name, file.rows) for file in cached_files()] == [(EMBEDDINGS, 0), (THUMBNAILS, 0)]
    assert (root / BACKBONES / "mine.onnx").exists()


def test_a_cache_in_use_goes_on_after_it_was_cleared(root: Path) -> None:
    cache = RowCache(root / EMBEDDINGS / f"a{SUFFIX}")
    cache.store([(b"1", np.ones(8, np.float32))])
    clear_cache()
    assert list(cache.find([b"1"])) == []
    cache.store([(b"2", np.ones(8, np.float32))])
    assert cache.count() == 1
    cache.close()


def test_files_of_rows_that_cannot_be_read_are_listed_as_they_are_and_removed(root: Path) -> None:
    folder = root / THUMBNAILS
    folder.mkdir()
    (folder / f"damaged{SUFFIX}").write_bytes(b"no database " * 1000)
    (folder / "foreign.v99.sqlite").write_bytes(b"")
    (folder / f"a{SUFFIX}.damaged").write_bytes(b"old")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [file.rows for file in cached_files()] == [None, None, None]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert clear_cache() == 12_003
    assert list(folder.iterdir()) == []

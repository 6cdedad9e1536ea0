import sqlite3
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.graph import Backbone
from headstart.embed.embedding_cache import default_limit, open_cache, row_key
from headstart.errors import OptionError
from headstart.storage.row_cache import RowCache


def row(number: int, width: int = 2096) -> np.ndarray:
    return np.random.default_rng(number).normal(size=width).astype(np.float32)


def rows(numbers: range, width: int = 2096) -> list[tuple[bytes, np.ndarray]]:
    return [(row_key(str(i), "recipe"), row(i, width)) for i in numbers]


def keys(numbers: range) -> list[bytes]:
    return [row_key(str(i), "recipe") for i in numbers]


def test_a_row_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    special = np.array([np.nan, np.inf, -0.0, 1e-42, 3.4e38], np.float32)
    cache.store([(row_key("leaf", "recipe"), special)])
    cache.close()
    ((found, back),) = cache.find([row_key("leaf", "recipe")])
    assert found == row_key("leaf", "recipe")
    assert back.tobytes() == special.tobytes()
    cache.close()


def test_keys_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    cache.store(rows(range(600)))
    found = dict(cache.find(keys(range(300, 900))))
    assert set(found) == set(keys(range(300, 600)))
    assert np.array_equal(found[keys(range(450, 451))[0]], row(450))
    cache.close()


def test_a_row_stored_again_is_replaced(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    cache.store(rows(range(3)))
    cache.store([(keys(range(1))[0], row(7))])
    assert cache.count() == 3
    assert np.array_equal(dict(cache.find(keys(range(1))))[keys(range(1))[0]], row(7))
    cache.close()


def test_the_key_names_content_and_recipe() -> None:
    assert len({row_key("a", "x"), row_key("b", "x"), row_key("a", "y"), row_key("a x", "")}) == 4
    assert len(row_key("a", "x")) == 16


def test_the_least_recently_used_rows_are_evicted(tmp_path: Path) -> None:
    now = 1_000_000.0
    cache = RowCache(tmp_path / "a.sqlite", limit=1_000_000, clock=lambda: now)
    cache.store(rows(range(50)))
    now += 10_000
    cache.store(rows(range(50, 100)))
    now += 10_000
    list(cache.find(keys(range(25))))  # the oldest half of the first fifty is used again
    cache.store(rows(range(100, 110)))
    now += 10_000
    cache.store(rows(range(110, 120)))
    kept = set(dict(cache.find(keys(range(120)))))
    assert set(keys(range(25))) | set(keys(range(100, 120))) <= kept
    assert not set(keys(range(25, 40))) & kept
    cache.close()


def test_the_file_stays_near_its_limit(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite", limit=1_000_000)
    for start in range(0, 1000, 50):
        cache.store(rows(range(start, start + 50)))
    cache.close()
    assert 500_000 < (tmp_path / "a.sqlite").stat().st_size < 1_500_000
    cache.close()


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite", limit=0)
    cache.store(rows(range(10)))
    assert cache.count() == 0
    cache.close()


def test_the_limit_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_limit() == 4_000_000_000
    monkeypatch.setenv("HEADSTART_CACHE_GB", "0.5")
    assert default_limit() == 500_000_000
    monkeypatch.setenv("HEADSTART_CACHE_GB", "much")
    with pytest.raises(OptionError, match="HEADSTART_CACHE_GB must be a number of gigabytes; found 'much'"):
        default_limit()


def test_every_backbone_has_its_own_file(lite0: Backbone, own_cache: Path) -> None:
    from dataclasses import replace

    assert open_cache(lite0).path == own_cache / "embeddings" / "efficientnet_lite0.v1.sqlite"
    one = open_cache(replace(lite0, name="hf-hub:a/b")).path
    other = open_cache(replace(lite0, name="hf-hub_a_b")).path
    assert one.name.startswith("hf-hub_a_b-")
    assert one != other


def test_a_file_of_another_version_is_left_alone(lite0: Backbone, tmp_path: Path) -> None:
    newer = tmp_path / "efficientnet_lite0.v99.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("CREATE TABLE entries (other TEXT)")
    db.close()
    before = newer.read_bytes()
    cache = open_cache(lite0, folder=tmp_path)
    cache.store(rows(range(3)))
    assert set(dict(cache.find(keys(range(3))))) == set(keys(range(3)))
    cache.close()
    assert newer.read_bytes() == before

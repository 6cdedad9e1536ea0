"""Every backbone has a cache of its own, whose rows are named by all that they depend on."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.graph import Backbone
from headstart.embed.embedding_cache import default_limit, open_cache, row_key
from headstart.errors import OptionError


def test_the_key_names_content_and_recipe() -> None:
    assert len({row_key("a", "x"), row_key("b", "x"), row_key("a", "y"), row_key("a x", "")}) == 4
    assert len(row_key("a", "x")) == 16


def test_the_limit_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_limit() == 4_000_000_000
    monkeypatch.setenv("HEADSTART_CACHE_GB", "0.5")
    assert default_limit() == 500_000_000
    monkeypatch.setenv("HEADSTART_CACHE_GB", "much")
    with pytest.raises(OptionError, match="HEADSTART_CACHE_GB must be a number of gigabytes; found 'much'"):
        default_limit()


def test_every_backbone_has_its_own_file(lite0: Backbone, own_cache: Path) -> None:
    assert open_cache(lite0).path == own_cache / "embeddings" / "efficientnet_lite0.v1.sqlite"
    first = open_cache(replace(lite0, name="hf-hub:a/b")).path
    second = open_cache(replace(lite0, name="hf-hub_a_b")).path
    assert first.name.startswith("hf-hub_a_b-")
    assert first != second


def test_a_file_of_another_version_is_left_alone(lite0: Backbone, tmp_path: Path) -> None:
    newer = tmp_path / "efficientnet_lite0.v99.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("CREATE TABLE entries (other TEXT)")
    db.close()
    before = newer.read_bytes()
    cache = open_cache(lite0, folder=tmp_path)
    cache.store([(row_key("1", "recipe"), np.ones(8, np.float32))])
    assert cache.count() == 1
    cache.close()
    assert newer.read_bytes() == before

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.backbones.graph import Backbone
from headstart.device import Device
from headstart.embed import batching, extract
from headstart.embed.engine import Engine
from headstart.embed.extract import embed
from headstart.errors import BackboneError, InternalError
from headstart.records.arrays import Floats
from headstart.records.samples import Failure
from headstart.storage.row_cache import RowCache


def test_every_tap_has_one_row_an_image(pictures: list[Path], lite0: Backbone, cpu: Device) -> None:
    found = embed(pictures[:3], lite0, device=cpu)
    assert found.backbone == "efficientnet_lite0"
    assert list(found.taps) == [tap.name for tap in lite0.taps]
    assert {name: rows.shape for name, rows in found.taps.items()} == {t.name: (3, t.width) for t in lite0.taps}
    assert all(rows.dtype == np.float32 and np.isfinite(rows).all() for rows in found.taps.values())
    assert found.rows.tolist() == [0, 1, 2]
    assert (found.failures, found.cached) == ((), 0)


def test_a_path_a_picture_and_an_array_of_the_same_pixels_give_the_same_row(
    pictures: list[Path], lite0: Backbone, cpu: Device
) -> None:
    with Image.open(pictures[0]) as image:
        image.load()
    found = embed([pictures[0], image, np.asarray(image)], lite0, device=cpu).last
    assert np.array_equal(found[1], found[2])
    assert np.allclose(found[0], found[1], rtol=1e-5, atol=1e-5)


def test_wanted_taps_come_in_the_order_of_the_network(pictures: list[Path], lite0: Backbone, cpu: Device) -> None:
    every = embed(pictures[:2], lite0, device=cpu)
    some = embed(pictures[:2], lite0, device=cpu, taps=["conv_head", "blocks.2"])
    assert list(some.taps) == ["blocks.2", "conv_head"]
    assert all(np.array_equal(some.taps[name], every.taps[name]) for name in some.taps)


def test_an_unknown_tap_is_answered_with_the_right_ones(pictures: list[Path], lite0: Backbone, cpu: Device) -> None:
    with pytest.raises(BackboneError, match="tap 'layer4' was asked of efficientnet_lite0, which has 'stem'"):
        embed(pictures, lite0, device=cpu, taps=["layer4"])


def test_no_images_give_no_rows(lite0: Backbone, cpu: Device, tmp_path: Path) -> None:
    found = embed([], lite0, device=cpu, cache=RowCache(tmp_path / "a.sqlite"))
    assert found.last.shape == (0, 1280)


def test_a_row_does_not_depend_on_what_came_along(pictures: list[Path], lite0: Backbone, cpu: Device) -> None:
    together = embed(pictures, lite0, device=cpu)
    for i in (0, 3, 5):
        alone = embed([pictures[i]], lite0, device=cpu)
        assert all(np.array_equal(alone.taps[name][0], together.taps[name][i]) for name in alone.taps)
    backwards = embed(pictures[::-1], lite0, device=cpu)
    assert np.array_equal(backwards.last[::-1], together.last)


def test_unreadable_images_are_left_out_with_their_reason(
    pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(pictures[0].read_bytes()[:900])
    absent = tmp_path / "absent.jpg"
    images = [pictures[0], cut, pictures[1], absent, pictures[2], cut]
    for cache in (None, RowCache(tmp_path / "a.sqlite")):
        found = embed(images, lite0, device=cpu, cache=cache, names=list("abcdef"))
        assert found.rows.tolist() == [0, 2, 4]
        assert np.array_equal(found.last, embed(pictures[:3], lite0, device=cpu).last)
        assert [(f.row, f.name) for f in found.failures] == [(1, "b"), (3, "d"), (5, "f")]
        assert found.failures[0].reason == found.failures[2].reason != ""
    assert isinstance(found.failures[0], Failure)


def test_nothing_but_unreadable_images_gives_no_rows(lite0: Backbone, cpu: Device, tmp_path: Path) -> None:
    found = embed([tmp_path / "a.jpg", tmp_path / "b.jpg"], lite0, device=cpu)
    assert len(found) == 0
    assert found.last.shape == (0, 1280)
    assert [f.name for f in found.failures] == [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]


def test_equal_images_are_computed_once(pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    images = [pictures[0], pictures[1], pictures[0], pictures[0]]
    found = embed(images, lite0, device=cpu, cache=cache)
    assert cache.count() == 2
    cache.close()
    assert np.array_equal(found.last[0], found.last[2])
    assert embed(images, lite0, device=cpu, cache=cache).cached == 4


def test_the_second_time_comes_from_the_cache_without_an_engine(
    pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    first = embed(pictures, lite0, device=cpu, cache=cache)
    monkeypatch.setattr(extract, "open_engine", None)
    second = embed(pictures, lite0, device=cpu, cache=cache)
    assert (first.cached, second.cached) == (0, 6)
    assert all(np.array_equal(first.taps[name], second.taps[name]) for name in first.taps)


def test_a_row_of_another_spec_or_precision_is_not_taken(
    pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path
) -> None:
    from dataclasses import replace

    from headstart.embed.engines import engine_key

    cache = RowCache(tmp_path / "a.sqlite")
    embed(pictures, lite0, device=cpu, cache=cache)
    other = replace(lite0, spec=replace(lite0.spec, resize=300))
    assert embed(pictures, other, device=cpu, cache=cache).cached == 0
    recipes = [
        engine_key(lite0, cpu),
        engine_key(lite0, Device("cpu", "bf16", "")),
        engine_key(lite0, Device("cuda", "bf16", "")),
        engine_key(other, cpu),
        engine_key(replace(lite0, weights="other"), cpu),
        engine_key(replace(lite0, taps=lite0.taps[1:]), cpu),
    ]
    assert len(set(recipes)) == 6


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.integers(0, 6), max_size=4), asked=st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_cache_on_equals_cache_off(
    pictures: list[Path],
    lite0: Backbone,
    cpu: Device,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[int],
    asked: list[int],
) -> None:
    cache = RowCache(tmp_path_factory.mktemp("law") / "a.sqlite")
    images = [*pictures, Path("absent.jpg")]
    embed([images[i] for i in before], lite0, device=cpu, cache=cache)
    on = embed([images[i] for i in asked], lite0, device=cpu, cache=cache)
    off = embed([images[i] for i in asked], lite0, device=cpu)
    assert all(np.array_equal(on.taps[name], off.taps[name]) for name in off.taps)
    assert on.rows.tolist() == off.rows.tolist()
    assert on.failures == off.failures
    assert on.cached == sum(i in before for i in asked if i < 6)


def test_a_cache_that_fails_midway_changes_no_number(
    pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = RowCache(tmp_path / "file" / "a.sqlite")
    found = embed(pictures, lite0, device=cpu, cache=cache)
    assert np.array_equal(found.last, embed(pictures, lite0, device=cpu).last)


def test_an_interrupt_keeps_what_was_done_and_stops_the_workers(
    pictures: list[Path], lite0: Backbone, cpu: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def interrupted(label: str, total: int) -> Iterator[object]:
        done = []

        def advance(count: int) -> None:
            done.append(count)
            if len(done) == 4:
                raise KeyboardInterrupt

        yield advance

    cache = RowCache(tmp_path / "a.sqlite")
    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(extract, "bar", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embed(pictures, lite0, device=cpu, cache=cache)
    assert threading.active_count() == before
    with sqlite3.connect(cache.path) as db:
        assert db.execute("SELECT COUNT(*) FROM entries").fetchone()[0] in (3, 4)
    db.close()
    again = embed(pictures, lite0, device=cpu, cache=cache)
    assert again.cached in (3, 4)
    assert np.array_equal(again.last, embed(pictures, lite0, device=cpu).last)


def test_as_many_fingerprints_and_names_as_images_are_needed(pictures: list[Path], lite0: Backbone) -> None:
    with pytest.raises(InternalError, match="given 6 images, but not one fingerprint and one name for each"):
        embed(pictures, lite0, names=["a"])


class Counting(Engine):
    """An engine that gives each image's mean brightness."""

    batch, requests = 4, 2

    def run(self, images: np.ndarray, count: int) -> Floats:
        return images[:count].mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32)[:, None]


class Failing(Counting):
    def run(self, images: np.ndarray, count: int) -> Floats:
        raise RuntimeError("the engine broke")


class Lazy(Sequence[np.ndarray]):
    """Pictures made when they are asked for, and how many have been."""

    def __init__(self, n: int) -> None:
        self.n, self.made = n, 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> np.ndarray:  # type: ignore[override]
        self.made += 1
        return np.full((8, 8, 3), i % 251, np.uint8)


def decoded(images: Lazy, backbone: Backbone) -> batching.Load:
    return lambda i: backbone.spec.load(images[i])


def test_decoding_runs_only_a_bounded_way_ahead(lite0: Backbone) -> None:
    images = Lazy(5000)
    done = batching.run_batches(decoded(images, lite0), range(5000), lite0.spec, Counting())
    next(done)
    time.sleep(0.5)
    assert images.made < 5000 / 4
    done.close()
    assert images.made < 5000 / 4


def test_the_pipeline_gives_every_image_its_own_row(lite0: Backbone) -> None:
    wanted = list(range(0, 300, 3))
    rows = {}
    for done in batching.run_batches(decoded(Lazy(300), lite0), wanted, lite0.spec, Counting()):
        rows.update(dict(zip(done.positions, done.rows[:, 0].tolist(), strict=True)))
    assert rows == {i: float(i % 251) for i in wanted}


def test_an_engine_that_breaks_breaks_the_run(lite0: Backbone) -> None:
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the engine broke"):
        list(batching.run_batches(decoded(Lazy(50), lite0), range(50), lite0.spec, Failing()))
    assert threading.active_count() == before


def test_a_description_that_does_not_fit_its_graph_is_refused(
    pictures: list[Path], lite0: Backbone, cpu: Device
) -> None:
    lying = replace(lite0, taps=(replace(lite0.taps[0], width=7), *lite0.taps[1:]))
    with pytest.raises(BackboneError, match=r"gives 2,096 numbers an image, and its description says 2,071"):
        embed(pictures[:1], lying, device=cpu)

"""What the loop reads: kept and streamed give the same numbers, and say which they are and why."""

import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.backbones.conversion.convert import build_network
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.stages import Stages
from headstart.backbones.graph import Backbone
from headstart.data.images.spec import ImageSpec
from headstart.data.sources.load import load_dataset
from headstart.device import Device
from headstart.errors import DataError, InternalError, OptionError
from headstart.finetune import activation_cache
from headstart.finetune import batches as feed
from headstart.finetune import views as pictures
from headstart.finetune.augment import view
from headstart.finetune.batches import BatchSource, CachedBatches, StreamedBatches, open_batches
from headstart.finetune.views import Views, prefetch
from headstart.records.samples import Samples
from headstart.storage import row_file

CPU = Device("cpu", "f32", "the tests compare numbers")
CUT = 7  # of lite0, after blocks.5: 192 × 7 × 7


@pytest.fixture(scope="module")
def stages(lite0: Backbone) -> Stages:
    return cut_network(build_network(lite0))


@pytest.fixture(scope="module")
def samples(cells: Path) -> Samples:
    return load_dataset(cells).samples.take(range(0, 48, 6))


@pytest.fixture
def opened(lite0: Backbone, stages: Stages, samples: Samples, tmp_path: Path):
    """Opens a source of eight photographs into a folder of its own; closes it."""
    made: list[BatchSource] = []

    def open_one(frozen: int = CUT, **options: object) -> BatchSource:
        given: dict[str, object] = {"device": CPU, "epochs": 100, "views": 2, "folder": tmp_path / "a", **options}
        made.append(open_batches(given.pop("samples", samples), stages, frozen, lite0.spec, **given))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def order(*pairs: tuple[list[int], list[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.array(rows, np.int64), np.array(views, np.int64)) for rows, views in pairs]


SOME = order(([0, 3, 7], [0, 1, 2]), ([3, 3], [2, 0]), ([5], [1]))


def engine_never_opened(*given: object) -> None:
    raise AssertionError("no pass was needed")


# The same numbers -----------------------------------------------------------------------------------------------------


def test_kept_and_streamed_rows_are_equal_but_for_rounding(opened) -> None:
    kept, streamed = opened(), opened(cache=False)
    assert isinstance(kept, CachedBatches)
    assert isinstance(streamed, StreamedBatches)
    assert kept.shape == streamed.shape == (192, 7, 7)
    assert (kept.views, streamed.views) == (2, None)
    for a, b, (rows, _) in zip(kept.batches(SOME), streamed.batches(SOME), SOME, strict=True):
        assert a.shape == b.shape == (len(rows), 192, 7, 7)
        assert a.dtype == b.dtype == torch.float32
        assert a.is_contiguous(memory_format=torch.channels_last)
        assert b.is_contiguous(memory_format=torch.channels_last)
        assert bool(((a - b).abs() <= 2.0**-8 * b.abs() + 1e-30).all())
        assert not torch.equal(a, b)


def test_streamed_rows_are_the_frozen_stages_of_the_view(
    opened, lite0: Backbone, stages: Stages, samples: Samples
) -> None:
    (found,) = opened(cache=False, seed=5).batches(order(([2, 4], [0, 3])))
    clean = lite0.spec.load(samples.items[2])
    third = view(samples.items[4], lite0.spec, "light", seed=5, content=samples.content[4], number=3)
    pixels = torch.from_numpy(np.stack([clean, third])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        wanted = stages.prefix(CUT)((pixels - 127) / 128)
    assert float((found - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max())


def test_without_frozen_stages_normalised_images_come(opened, lite0: Backbone, samples: Samples) -> None:
    images = opened(0)
    assert images.shape == (3, 224, 224)
    assert images.views is None
    assert images.reason == (
        "images are streamed: no stage is frozen, so every epoch passes each through the whole network."
    )
    (found,) = images.batches(order(([1, 6], [0, 0])))
    wanted = np.stack([lite0.spec.load(samples.items[i]) for i in (1, 6)])
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(found.permute(0, 2, 3, 1) * 128 + 127, torch.from_numpy(wanted).float(), atol=1e-3)


def test_a_network_of_tokens_has_rows_of_tokens(samples: Samples, tmp_path: Path) -> None:
    from headstart.backbones.conversion.convert import convert

    small = convert("random:vit_tiny_patch16_224", size=48)
    options = {"device": CPU, "epochs": 100, "views": 1, "folder": tmp_path}
    kept = open_batches(samples, cut_network(build_network(small)), 4, small.spec, **options)
    streamed = open_batches(samples, cut_network(build_network(small)), 4, small.spec, cache=False, **options)
    assert kept.shape == streamed.shape == (10, 192)
    (a,), (b,) = (each.batches(order(([0, 1, 2], [1, 0, 1]))) for each in (kept, streamed))
    assert a.shape == (3, 10, 192)
    assert bool(((a - b).abs() <= 2.0**-8 * b.abs() + 1e-30).all())
    kept.close()


def test_torch_runs_the_frozen_stages_where_openvino_is_absent(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    (wanted,) = opened(cache=False).batches(SOME[:1])
    monkeypatch.setattr("headstart.embed.engines.cpu_engine", lambda: None)
    streamed, kept = opened(cache=False), opened()
    assert isinstance(kept, CachedBatches)
    for found in (next(iter(streamed.batches(SOME[:1]))), next(iter(kept.batches(SOME[:1])))):
        assert found.shape == wanted.shape
        assert float((found - wanted).abs().max()) <= 2.0**-8 * float(wanted.abs().max())


# Kept or streamed, and why --------------------------------------------------------------------------------------------


def test_the_reason_says_what_is_kept_and_what_it_cost(opened) -> None:
    first = opened()
    assert first.reason == (
        "activations after blocks.5 are kept on the disk for all epochs: "
        "8 images × 3 views × 19 kB = 0.452 MB, 24 passes now."
    )
    assert opened().reason.endswith("= 0.452 MB, all from an earlier run.")


def test_an_earlier_runs_rows_are_read_without_a_pass(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [batch.clone() for batch in opened().batches(SOME)]
    monkeypatch.setattr(activation_cache, "open_prefix", engine_never_opened)
    again = opened(epochs=4)
    assert isinstance(again, CachedBatches)
    assert all(torch.equal(a, b) for a, b in zip(first, again.batches(SOME), strict=True))
    assert isinstance(opened(epochs=3), StreamedBatches)  # what lies on the disk decides nothing


def test_what_the_rows_depend_on_makes_another_file(opened, samples: Samples, tmp_path: Path) -> None:
    different = [{}, {"seed": 1}, {"augment": "medium"}, {"views": 1}, {"frozen": 8}, {"samples": samples.take([1, 0])}]
    for options in different:
        opened(**options)
    assert len(list((tmp_path / "a").glob("*.rows"))) == 6


def test_clean_views_alone_depend_on_no_seed_and_no_augmentation(opened, tmp_path: Path) -> None:
    found = [opened(augment="none", seed=1), opened(augment="none", seed=2), opened(views=0)]
    assert [each.views for each in found] == [0, 0, 0]
    assert len(list((tmp_path / "a").glob("*.rows"))) == 1
    assert opened(augment="none", cache=False).views == 0


def test_too_few_epochs_do_not_pay_for_keeping(opened, tmp_path: Path) -> None:
    streamed = opened(epochs=3)
    assert isinstance(streamed, StreamedBatches)
    assert streamed.reason == (
        "images are streamed, every epoch through the 7 frozen stages again: "
        "keeping the activations of 3 views of each would take 3 passes, and there are 3 epochs."
    )
    assert not (tmp_path / "a").exists()
    assert isinstance(opened(epochs=4), CachedBatches)


def test_fewer_views_are_kept_when_more_do_not_fit(opened) -> None:
    row = 192 * 7 * 7 * 2 + 4
    fewer = opened(limit=8 * 2 * row)
    assert (type(fewer), fewer.views) == (CachedBatches, 1)
    assert (
        "8 images × 2 views × 19 kB = 0.301 MB, 16 passes now; with more views the activations would take"
        in fewer.reason
    )
    fewer.close()
    streamed = opened(limit=8 * 2 * row - 1)
    assert isinstance(streamed, StreamedBatches)
    assert streamed.reason == (
        "images are streamed, every epoch through the 7 frozen stages again: the activations would take 0.452 MB, and "
        "0.301 MB are the limit that HEADSTART_ACTIVATIONS_GB can raise."
    )


def test_a_disk_that_fills_up_while_activations_are_kept_is_left_clean(
    opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places: list[int] = []

    def full(file: object, place: int, content: bytes) -> None:
        places.append(place)
        if len(places) > 9:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(row_file, "_put", full)
    streamed = opened()
    assert isinstance(streamed, StreamedBatches)
    assert "cannot hold the activations (No space left on device)" in streamed.reason
    assert not list((tmp_path / "a").glob("*.rows"))
    assert next(iter(streamed.batches(SOME))).shape == (3, 192, 7, 7)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_opened_the_disk_holds_no_more_than_the_limit(
    opened, samples: Samples, tmp_path: Path, requests: list[tuple[int, int, float]]
) -> None:
    for images, views, share in requests:
        limit = int(share * 8 * 4 * 19_000)
        one = opened(samples=samples.take(range(images)), views=views, limit=limit)
        held = sum(path.stat().st_size for path in (tmp_path / "a").glob("*"))
        assert held <= limit
        assert isinstance(one, CachedBatches if images * min(2, 1 + views) * 18_820 <= limit else StreamedBatches)
        one.close()


# Trouble --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [True, False])
def test_a_picture_that_is_gone_is_named(opened, samples: Samples, cache: bool) -> None:
    images = (*samples.items[:2], Path("gone.jpg"), *samples.items[3:])
    lost = Samples(images, samples.names, samples.content, samples.target)
    with pytest.raises(DataError, match=f"{samples.names[2]} could be read before and cannot be read now"):
        list(opened(samples=lost, cache=cache).batches(order(([0, 2], [1, 1]))))


def test_rows_and_views_that_are_not_there_are_our_fault(opened) -> None:
    kept = opened()
    for rows, views in (([8], [0]), ([-1], [0]), ([0], [3]), ([0], [-1])):
        with pytest.raises(InternalError, match="a source of 8 images with 3 views was asked for others"):
            list(kept.batches(order((rows, views))))


def test_wrong_options_are_refused_before_any_work(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "freeze", engine_never_opened)
    with pytest.raises(OptionError, match="augmentation must be one of"):
        opened(augment="heavy")
    with pytest.raises(OptionError, match="views must be at least 0; found -1"):
        opened(views=-1)


KILLED = """
import sys, time
import numpy as np
from pathlib import Path
from headstart.backbones.conversion.convert import build_network
from headstart.backbones.opening import open_backbone
from headstart.backbones.conversion.families import cut_network
from headstart.data.images.spec import ImageSpec
from headstart.data.sources.load import load_dataset
from headstart.device import Device
from headstart.storage import row_file
from headstart.finetune.batches import open_batches
put = row_file._put
def slowly(*given):
    put(*given)
    print("row", flush=True)
    time.sleep(0.1)
row_file._put = slowly
lite0 = open_backbone("lite0")
samples = load_dataset(sys.argv[1]).samples.take(range(0, 48, 6))
cpu = Device("cpu", "f32", "")
stages = cut_network(build_network(lite0))
open_batches(samples, stages, 7, lite0.spec, device=cpu, epochs=100, views=2, folder=Path(sys.argv[2]))
"""


def test_a_killed_run_leaves_rows_that_the_next_one_takes_up(opened, cells: Path, tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(cells), str(tmp_path / "a")], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    for _ in range(9):
        assert killed.stdout.readline() == b"row\n"
    killed.kill()
    killed.communicate()
    went_on = opened()
    assert went_on.reason.endswith((" 20 passes now.", " 19 passes now."))
    fresh = opened(folder=tmp_path / "b")
    everything = order(*(([i] * 3, [0, 1, 2]) for i in range(8)))
    for a, b in zip(went_on.batches(everything), fresh.batches(everything), strict=True):
        assert torch.equal(a, b)


# Reading ahead --------------------------------------------------------------------------------------------------------


def test_an_endless_order_is_read_a_few_batches_ahead(opened) -> None:
    asked = itertools.count()
    endless = (order(([next(asked) % 8], [0]))[0] for _ in itertools.count())
    for each in (opened(), opened(cache=False), opened(0)):
        start = next(asked)
        batches = each.batches(endless)
        next(batches)
        next(batches)
        time.sleep(0.1)
        assert next(asked) - start < 10
        batches.close()  # type: ignore[attr-defined]


def test_reading_ahead_keeps_the_order_and_stops_when_it_is_closed() -> None:
    before = threading.active_count()

    def work(piece: int) -> int:
        time.sleep(0.001 * (piece % 7))
        return piece

    batches = [list(range(i, i + 5)) for i in range(0, 50, 5)]
    assert list(prefetch(work, batches, workers=4, depth=3)) == batches
    some = prefetch(work, itertools.repeat([1, 2]), workers=4, depth=3)
    next(some)
    some.close()
    assert threading.active_count() == before


def test_clean_views_are_decoded_once_where_they_fit(
    samples: Samples, lite0: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[object] = []
    load = ImageSpec.load
    monkeypatch.setattr(ImageSpec, "load", lambda spec, source: decoded.append(source) or load(spec, source))
    keeping_them = Views(samples, lite0.spec, "light", 0, keep=True)
    assert np.array_equal(keeping_them.load(1, 0), keeping_them.load(1, 0))
    assert len(decoded) == 1
    monkeypatch.setattr(pictures, "MOST_BYTES", 8 * 224 * 224 * 3 - 1)
    too_many = Views(samples, lite0.spec, "light", 0, keep=True)
    too_many.load(1, 0)
    too_many.load(1, 0)
    assert len(decoded) == 3


def test_several_views_of_a_picture_read_it_once(
    samples: Samples, lite0: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    read_source = pictures.augment.read_source
    monkeypatch.setattr(pictures.augment, "read_source", lambda *given: read.append(1) or read_source(*given))
    some = Views(samples, lite0.spec, "light", 0)
    for row in (0, 1):
        for number in (1, 2, 3):
            wanted = view(samples.items[row], lite0.spec, "light", seed=0, content=samples.content[row], number=number)
            assert np.array_equal(some.load(row, number), wanted)
    assert len(read) == 2 + 6  # six of them by `view`


@pytest.mark.gpu
@pytest.mark.parametrize("frozen", [0, CUT])
def test_a_gpu_is_fed_the_same_numbers(opened, frozen: int) -> None:
    cuda = Device("cuda", "bf16", "the GPU under test")
    for cache in (True, False):
        here, there = opened(frozen, cache=cache), opened(frozen, cache=cache, device=cuda)
        for a, b in zip(here.batches(SOME), there.batches(SOME), strict=True):
            assert (b.device.type, b.dtype, b.shape) == ("cuda", torch.float32, a.shape)
            assert frozen == 0 or b.is_contiguous(memory_format=torch.channels_last)
            similar = torch.nn.functional.cosine_similarity(a.flatten(1), b.cpu().flatten(1))
            assert float(similar.min()) > 0.99

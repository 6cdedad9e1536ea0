import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart import device
from headstart.backbones.graph import Backbone
from headstart.device import Device
from headstart.embed import engine, networks, openvino_engine
from headstart.embed.engines import engine_for, open_engine
from headstart.embed.openvino_engine import OpenVINOEngine
from headstart.errors import BackboneError, MissingExtra


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (8, 14, 14, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(16, axis=1).repeat(16, axis=2))


def one_by_one(images: np.ndarray, runner: engine.Engine) -> np.ndarray:
    return np.concatenate([runner.run(np.ascontiguousarray(images[i : i + 1]), 1) for i in range(len(images))])


def test_the_graph_runs_in_openvino_as_in_its_own_runtime(lite0: Backbone, images: np.ndarray) -> None:
    import openvino

    core = openvino.Core()
    whole = core.compile_model(core.read_model(lite0.graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = whole(images[:2])
    wanted = np.concatenate([found[tap.pooled] for tap in lite0.taps], axis=1)
    rows = one_by_one(images[:2], OpenVINOEngine(lite0, precision="f32"))
    assert rows.shape == (2, 2096)
    assert np.allclose(rows, wanted, rtol=1e-4, atol=1e-5)


def test_rows_do_not_depend_on_the_batch_or_the_neighbours(lite0: Backbone, images: np.ndarray) -> None:
    four = OpenVINOEngine(lite0, precision="f32", batch=4)
    first = four.run(np.ascontiguousarray(images[:4]), 4)
    mixed = four.run(np.ascontiguousarray(images[[7, 2, 5, 0]]), 4)
    short = four.run(np.ascontiguousarray(images[[1, 6, 6, 6]]), 1)
    assert np.array_equal(mixed[[3, 1]], first[[0, 2]])
    assert np.array_equal(short, first[[1]])
    assert short.shape == (1, 2096)


def test_rows_do_not_depend_on_the_number_of_threads(
    lite0: Backbone, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        rows.append(one_by_one(images[:3], OpenVINOEngine(lite0, precision="f32")))
    assert np.allclose(rows[0], rows[1], rtol=1e-6, atol=1e-6)


def test_what_is_returned_is_not_overwritten_by_the_next_call(lite0: Backbone, images: np.ndarray) -> None:
    runner = OpenVINOEngine(lite0, precision="f32")
    first = runner.run(np.ascontiguousarray(images[:1]), 1)
    kept = first.copy()
    for i in range(1, 5):
        runner.run(np.ascontiguousarray(images[i : i + 1]), 1)
    assert np.array_equal(first, kept)


def test_an_engine_asked_for_again_is_the_same(lite0: Backbone, cpu: Device) -> None:
    assert open_engine(lite0, cpu) is open_engine(lite0, cpu)


def test_openvino_or_onnxruntime_serves_the_cpu_and_torch_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_for(Device("cpu", "f32", "")) == "openvino"
    assert engine_for(Device("cuda", "bf16", "")) == "torch"
    monkeypatch.setattr(networks, "installed", lambda name: name != "openvino")
    assert engine_for(Device("cpu", "f32", "")) == "onnxruntime"
    monkeypatch.setattr(networks, "installed", lambda name: False)
    assert engine_for(Device("cpu", "f32", "")) == "torch"


def test_a_damaged_graph_is_named(lite0: Backbone, tmp_path: Path) -> None:
    graph = tmp_path / "cut.onnx"
    graph.write_bytes(lite0.graph.read_bytes()[:5000])
    with pytest.raises(BackboneError, match=r"the graph of efficientnet_lite0 at .*cut.onnx cannot be used"):
        OpenVINOEngine(replace(lite0, graph=graph, weights="cut"), precision="f32")


@pytest.mark.parametrize("damage", ["none", "absent", "truncated", "changed", "empty", "foreign", "folder"])
def test_the_kept_network_is_used_only_when_it_is_whole(
    lite0: Backbone, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    wanted = one_by_one(images[:1], OpenVINOEngine(lite0, precision="f32"))
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    OpenVINOEngine(lite0, precision="f32")
    (path,) = openvino_engine.compiled_networks().folder.iterdir()
    content = path.read_bytes()
    if damage == "absent":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[:3_000_000])
    elif damage == "changed":
        path.write_bytes(content[:6_000_000] + bytes(1000) + content[6_001_000:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        openvino_engine.compiled_networks().put(path.stem, b"something else")
    elif damage == "folder":
        path.unlink()
        path.parent.rmdir()
        path.parent.write_text("in the way")
    calls = []
    pruned = openvino_engine.cut_graph
    monkeypatch.setattr(openvino_engine, "cut_graph", lambda *given: calls.append(1) or pruned(*given))
    assert np.array_equal(one_by_one(images[:1], OpenVINOEngine(lite0, precision="f32")), wanted)
    assert len(calls) == (0 if damage == "none" else 1)
    if damage != "folder":
        assert openvino_engine.compiled_networks().get(path.stem) is not None


def test_only_the_newest_networks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    cache = openvino_engine.compiled_networks()
    for i in range(20):
        cache.put(f"n{i}", b"network")
        os.utime(cache.folder / f"n{i}.blob", (i, i))
    cache.put("last", b"network")
    assert len(list(cache.folder.iterdir())) == 16
    assert cache.get("last") == b"network"
    assert cache.get("n0") is None


def test_embedding_imports_no_torch(pictures: list[Path]) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from headstart.backbones.opening import open_backbone\n"
        "from headstart.device import Device\n"
        "from headstart.embed.extract import embed\n"
        f"e = embed([Path({str(pictures[0])!r})], open_backbone('lite0'), device=Device('cpu', 'f32', ''))\n"
        "print(e.last.shape, sorted({'torch', 'timm', 'sklearn', 'scipy', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 1280) []"


@pytest.mark.skipif(device._has_driver(), reason="this machine may have an accelerator, which only torch can tell")
def test_choosing_a_device_imports_no_torch_where_no_accelerator_can_be() -> None:
    code = "import sys; from headstart.device import choose_device; print(choose_device().kind, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "cpu False"


def test_torch_computes_what_openvino_computes(lite0: Backbone, images: np.ndarray) -> None:
    torch_engine = pytest.importorskip("headstart.embed.torch_engine")
    pytest.importorskip("timm")
    runner = torch_engine.TorchEngine(lite0, Device("cpu", "f32", ""))
    rows = runner.run(images, 8)
    wanted = one_by_one(images, OpenVINOEngine(lite0, precision="f32"))
    assert np.abs(rows - wanted).max() < 1e-3 * np.abs(wanted).max()
    assert np.array_equal(runner.run(images, 3), rows[:3])


def test_folding_batch_normalisation_changes_nothing_but_rounding(lite0: Backbone) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    from headstart.embed import torch_engine

    plain, folded = torch_engine._network(lite0), torch_engine._cpu_network(lite0)
    image = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    assert len(torch_engine.convolutions_with_norms(torch_engine._network(lite0), image)) == 49
    with torch.inference_mode():
        one, other = plain.taps(image), folded.taps(image)
    assert all(torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-4) for name in one)
    norms = [m for m in folded.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(float(norm.running_mean.abs().max()) == 0.0 for norm in norms)


def test_torch_that_is_absent_is_named(lite0: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.embed import torch_engine

    monkeypatch.setattr(torch_engine, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"running efficientnet_lite0 with torch needs the package 'torch'"):
        torch_engine.TorchEngine(lite0, Device("cpu", "f32", ""))


@pytest.mark.gpu
def test_cuda_computes_what_openvino_computes(lite0: Backbone, images: np.ndarray) -> None:
    from headstart.device import choose_device
    from headstart.embed.torch_engine import TorchEngine

    runner = TorchEngine(lite0, choose_device("cuda"))
    padded = np.zeros((runner.batch, 224, 224, 3), np.uint8)
    padded[:8] = images
    rows = runner.run(padded, 8)
    wanted = one_by_one(images, OpenVINOEngine(lite0, precision="f32"))
    cosine = (rows * wanted).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() > 0.99
    assert np.array_equal(runner.run(padded, 3), rows[:3])


def test_threads_that_meet_at_the_first_call_of_a_process_do_not_wait_for_ever() -> None:
    code = (
        "import threading, numpy as np\n"
        "from headstart.backbones.opening import open_backbone\n"
        "from headstart.embed.openvino_engine import OpenVINOEngine\n"
        "engine = OpenVINOEngine(open_backbone('lite0'), precision='f32')\n"
        "gate = threading.Barrier(8)\n"
        "image = np.zeros((engine.batch, 224, 224, 3), np.uint8)\n"
        "def work():\n    gate.wait()\n    engine.run(image, engine.batch)\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print('done')"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "done\n"


def test_one_image_in_bfloat16_pays_for_one_image(lite0: Backbone) -> None:
    assert OpenVINOEngine(lite0, precision="bf16").batch == 1

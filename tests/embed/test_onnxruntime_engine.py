"""ONNX Runtime gives OpenVINO's embeddings: of packaged, fine-tuned and text networks, and of maps of any size."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.deltas import apply_delta
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.backbones.weights import read_weights
from headstart.device import Device
from headstart.embed import engines, networks
from headstart.embed.engine import Engine
from headstart.embed.engines import engine_key, open_engine
from headstart.embed.onnxruntime_engine import OnnxRuntimeEngine
from headstart.embed.openvino_engine import OpenVINOEngine
from headstart.embed.spatial.canvas import Canvas
from headstart.embed.spatial.taps import TapEngine
from headstart.embed.text_engine import TextEngine
from headstart.errors import BackboneError, BundleError, MissingEngine

CLOSE = 1e-4
"""Of the largest number in the row or map: what single precision leaves of another order of sums."""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (3, 14, 14, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(16, axis=1).repeat(16, axis=2))


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where OpenVINO is not installed."""
    monkeypatch.setattr(networks, "installed", lambda name: name != "openvino")


def rows(engine: Engine, images: np.ndarray) -> np.ndarray:
    return np.concatenate([engine.run(np.ascontiguousarray(image[None]), 1) for image in images])


def assert_close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.dtype == np.float32
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < CLOSE * np.abs(wanted).max()


def test_a_packaged_backbone_has_the_embeddings_of_openvino(lite0: Backbone, images: np.ndarray) -> None:
    assert_close(rows(OnnxRuntimeEngine(lite0), images), rows(OpenVINOEngine(lite0, precision="f32"), images))


@pytest.mark.parametrize("names", [["conv_stem.weight"], ["bn2.bias", "blocks.6.0.conv_pw.weight"]])
def test_tensors_that_fine_tuning_changed_count(lite0: Backbone, images: np.ndarray, names: Sequence[str]) -> None:
    changed = {name: array * 1.2 for name, array in zip(names, read_weights(lite0, names), strict=True)}
    tuned = apply_delta(lite0, changed)
    found = rows(OnnxRuntimeEngine(tuned), images[:1])
    assert_close(found, rows(OpenVINOEngine(tuned, precision="f32"), images[:1]))
    assert np.abs(found - rows(OnnxRuntimeEngine(lite0), images[:1])).max() > 0.01


def test_a_row_does_not_depend_on_the_batch(lite0: Backbone, images: np.ndarray) -> None:
    three = OnnxRuntimeEngine(lite0, batch=3)
    assert_close(three.run(images, 3), rows(OnnxRuntimeEngine(lite0), images))
    assert np.array_equal(three.run(np.ascontiguousarray(images[[1, 0, 0]]), 1), three.run(images[[1, 2, 2]], 1))


def test_it_is_opened_where_openvino_is_not_installed(lite0: Backbone, cpu: Device, no_openvino: None) -> None:
    assert isinstance(open_engine(lite0, cpu), OnnxRuntimeEngine)


def test_the_two_engines_keep_their_rows_apart(lite0: Backbone, cpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine_key(lite0, cpu)
    monkeypatch.setattr(networks, "installed", lambda name: name != "openvino")
    assert engine_key(lite0, cpu) != before


def test_maps_of_another_size_are_those_of_openvino(lite0: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (160, 224, 3), dtype=np.uint8)
    wanted = TapEngine(lite0, Canvas(224, 160)).maps(pixels)
    monkeypatch.setattr(networks, "installed", lambda name: name != "openvino")
    for found, expected in zip(TapEngine(lite0, Canvas(224, 160)).maps(pixels), wanted, strict=True):
        assert_close(found, expected)


def test_texts_have_nearly_the_rows_of_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_backbone("minilm")
    loaded = np.empty(2, object)
    loaded[:] = [encoder.spec.load(text) for text in ("Where is my card?", "very " * 300)]
    wanted = TextEngine(encoder, precision="f32").run(loaded, 2)
    monkeypatch.setattr(networks, "installed", lambda name: name != "openvino")
    found = TextEngine(encoder, precision="f32").run(loaded, 2)
    # Its int8 activations are rounded by what the runtime saw a moment before: each layer's row turns a little.
    cosines = (found * wanted).reshape(2, 11, 384).sum(axis=2)
    assert cosines.min() > 0.999
    assert cosines.max() < 1.00001


def test_where_neither_is_installed_a_sentence_says_what_to_install(
    lite0: Backbone, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "installed", lambda name: False)
    monkeypatch.setattr(engines, "installed", lambda name: False)
    said = (
        "running efficientnet_lite0 needs OpenVINO or ONNX Runtime, and neither is installed: "
        "run  pip install openvino  or  pip install onnxruntime  and try again."
    )
    with pytest.raises(MissingEngine) as error:
        open_engine(lite0, cpu)
    assert str(error.value) == said
    with pytest.raises(MissingEngine, match="neither is installed"):
        TapEngine(lite0, Canvas(224, 160))


@pytest.mark.parametrize("damage", ["truncated", "noise", "empty", "absent"])
def test_a_damaged_graph_is_named(lite0: Backbone, tmp_path: Path, damage: str) -> None:
    content = lite0.graph.read_bytes()
    path = tmp_path / "cut.onnx"
    if damage != "absent":
        path.write_bytes({"truncated": content[:5000], "noise": b"\xff" * 300, "empty": b""}[damage])
    with pytest.raises(BackboneError, match=r"the graph of efficientnet_lite0 at .*cut.onnx cannot be used"):
        OnnxRuntimeEngine(replace(lite0, graph=path))


def test_a_tensor_that_the_graph_lacks_is_refused(lite0: Backbone) -> None:
    with pytest.raises(BundleError, match=r"the network has no tensor 'bn2.offset'"):
        OnnxRuntimeEngine(apply_delta(lite0, {"bn2.offset": np.zeros(1280)}))

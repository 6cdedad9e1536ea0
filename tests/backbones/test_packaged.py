"""The backbones that come with Headstart: what is in them, and that the committed script makes them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import skimage.data
import timm
import torch

from headstart.backbones.conversion import convert
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED, PACKAGED_FOLDER

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_packaged_backbones.py"
MEGABYTE = 1_000_000


def outputs(graph: Path, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """Some outputs of a graph, computed by OpenVINO in single precision."""
    core = openvino.Core()
    model = core.read_model(graph)
    chosen = openvino.Model([o for o in model.outputs if o.get_any_name() in names], model.get_parameters(), "chosen")
    compiled = core.compile_model(chosen, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {port.get_any_name(): array for port, array in compiled(image).items()}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_packaged_backbones", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def remade(script, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packaged")
    script.main(folder)
    return folder


@pytest.mark.parametrize("name", PACKAGED)
def test_the_script_makes_the_packaged_graph_again(remade: Path, name: str) -> None:
    old, new = (onnx.load(folder / f"{name}.onnx").graph for folder in (PACKAGED_FOLDER, remade))
    assert [w.name for w in old.initializer] == [w.name for w in new.initializer]
    for a, b in zip(old.initializer, new.initializer, strict=True):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))
    side = open_backbone(name).spec.size
    image = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    wanted = ["stem.pooled", "blocks.3.pooled", "blocks.3.spatial", "conv_head.pooled", "logits"]
    before, after = (outputs(folder / f"{name}.onnx", image, wanted) for folder in (PACKAGED_FOLDER, remade))
    for output in wanted:
        np.testing.assert_allclose(after[output], before[output], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_packaged_description_is_the_one_that_the_script_writes(remade: Path, name: str) -> None:
    old, new = (json.loads((folder / f"{name}.json").read_text()) for folder in (PACKAGED_FOLDER, remade))
    old.pop("weights"), new.pop("weights")  # the fingerprint of bytes that another version of onnx may order otherwise
    assert old == new


@pytest.mark.parametrize(("name", "size"), [("efficientnet_lite0", 9.7), ("efficientnet_lite2", 12.7)])
def test_the_packaged_graphs_are_small_and_free(name: str, size: float) -> None:
    backbone = open_backbone(name)
    assert backbone.graph.stat().st_size < size * MEGABYTE
    assert (backbone.licence, backbone.packaged) == ("Apache-2.0", True)
    assert [tap.name for tap in backbone.taps] == ["stem", *(f"blocks.{i}" for i in range(7)), "conv_head"]
    assert [tap.kind for tap in backbone.taps] == ["stage"] * 8 + ["last"]
    assert (backbone.last.width, backbone.taps[0].width) == (1280, 32)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_taps_have_the_promised_shapes_for_any_number_of_images(name: str) -> None:
    backbone = open_backbone(name)
    side = backbone.spec.size
    for count in (1, 3):
        image = np.zeros((count, side, side, 3), np.uint8)
        names = [output for tap in backbone.taps for output in (tap.pooled, tap.spatial)]
        found = outputs(backbone.graph, image, names)
        for tap in backbone.taps:
            assert found[tap.pooled].shape == (count, tap.width)
            assert found[tap.spatial].shape[:2] == (count, tap.width)
            np.testing.assert_allclose(found[tap.pooled], found[tap.spatial].mean((2, 3)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", PACKAGED)
@pytest.mark.parametrize(
    ("picture", "classes"),
    [
        ("chelsea", {"tiger cat", "Egyptian cat", "tabby, tabby cat"}),
        ("coffee", {"espresso"}),
        ("rocket", {"missile", "projectile, missile", "space shuttle", "drilling platform, offshore rig"}),
    ],
)
def test_the_original_head_recognises_real_photographs(name: str, picture: str, classes: set[str]) -> None:
    assert set(recognised(open_backbone(name), picture)[:1]) <= classes


@pytest.mark.parametrize("name", PACKAGED)
def test_the_astronaut_who_is_no_class_of_imagenet_is_seen_as_someone_with_a_helmet(name: str) -> None:
    assert {"football helmet", "crash helmet"} & set(recognised(open_backbone(name), "astronaut"))


def recognised(backbone: Backbone, picture: str) -> list[str]:
    """The five most likely ImageNet classes of a photograph."""
    image = backbone.spec.load(getattr(skimage.data, picture)())
    logits = outputs(backbone.graph, image[None], ["logits"])["logits"][0]
    names = timm.data.ImageNetInfo()
    return [names.index_to_description(int(i)) for i in logits.argsort()[::-1][:5]]


def test_the_graph_agrees_with_the_published_network(script) -> None:
    backbone = open_backbone("lite0")
    network = script.network_of(0)
    image = backbone.spec.load(skimage.data.chelsea())[None]
    pixels = (torch.from_numpy(image.copy()).float() - 127) / 128
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(pixels.permute(0, 3, 1, 2)), pre_logits=True).numpy()
    found = outputs(backbone.graph, image, ["conv_head.pooled"])["conv_head.pooled"]
    cosine = (found * expected).sum() / np.linalg.norm(found) / np.linalg.norm(expected)
    assert cosine > 0.99999, "half-precision weights change next to nothing"


def test_the_graph_is_also_the_weights_file(script) -> None:
    published = script.network_of(0).state_dict()
    stored = convert.state_dict(open_backbone("lite0"))
    fresh = timm.create_model("tf_efficientnet_lite0")
    fresh.load_state_dict(stored, strict=True)
    for name, value in published.items():
        if name.endswith("num_batches_tracked"):
            continue
        rounded = value.half().float() if value.ndim >= 2 and value.numel() >= 256 else value
        torch.testing.assert_close(stored[name], rounded, rtol=0, atol=0)


def test_batch_normalisation_is_not_folded_into_the_weights() -> None:
    kinds = [node.op_type for node in onnx.load(open_backbone("lite0").graph).graph.node]
    assert kinds.count("BatchNormalization") == kinds.count("Conv") == 49


def test_openvino_folds_casts_batch_normalisation_and_padding_when_it_compiles() -> None:
    core = openvino.Core()
    model = core.read_model(open_backbone("lite0").graph)
    pooled = openvino.Model([model.output("conv_head.pooled")], model.get_parameters(), "pooled")
    compiled = core.compile_model(pooled, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    run = [op.get_rt_info()["layerType"].astype(str) for op in compiled.get_runtime_model().get_ops()]
    assert run.count("Convolution") == 49
    assert not {"Convert", "Pad", "BatchNormInference", "Subgraph"} & set(run)

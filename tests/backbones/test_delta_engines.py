"""A backbone with changed tensors computes what the torch network with these tensors computes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.conversion import convert
from headstart.backbones.deltas import apply_delta, without_delta
from headstart.backbones.graph import Backbone
from headstart.device import Device
from headstart.embed.embedding_cache import open_cache
from headstart.embed.engines import engine_key, open_engine
from headstart.embed.extract import embed
from headstart.embed.openvino_engine import OpenVINOEngine
from headstart.errors import BundleError
from headstart.storage.row_cache import RowCache

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

CLOSE = 1e-4


def state(backbone: Backbone) -> dict[str, np.ndarray]:
    found = convert.state_dict(backbone)
    return {name: value.numpy() for name, value in found.items() if not name.endswith("num_batches_tracked")}


def perturbed(backbone: Backbone, names: Sequence[str] | None = None) -> Backbone:
    """The backbone with every number of these tensors (all by default) a few per cent larger or smaller."""
    generator = np.random.default_rng(0)
    arrays = {name: array for name, array in state(backbone).items() if names is None or name in names}
    noisy = {name: array * (1 + 0.05 * generator.standard_normal(array.shape)) for name, array in arrays.items()}
    return apply_delta(backbone, noisy)


def images(side: int) -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, (2, side // 16, side // 16, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(16, axis=1).repeat(16, axis=2))


def by_openvino(backbone: Backbone) -> np.ndarray:
    engine = OpenVINOEngine(backbone, precision="f32", batch=1)
    return np.concatenate([engine.run(image[None], 1) for image in images(backbone.spec.size)])


def by_torch(backbone: Backbone) -> np.ndarray:
    from headstart.backbones.conversion.families import cut_network

    mean, std = (torch.tensor(values) for values in (backbone.spec.mean, backbone.spec.std))
    pixels = (torch.from_numpy(images(backbone.spec.size)).float() - mean) / std
    with torch.no_grad():
        taps = cut_network(convert.build_network(backbone)).taps(pixels.permute(0, 3, 1, 2))
    return np.concatenate([taps[tap.pooled].numpy() for tap in backbone.taps], axis=1)


@pytest.mark.parametrize("names", [["conv_stem.weight"], ["bn1.running_var"], ["blocks.6.0.bn3.running_mean"], None])
def test_openvino_computes_the_changed_network(lite0: Backbone, names: list[str] | None) -> None:
    tuned = perturbed(lite0, names)
    found, before = by_openvino(tuned), by_openvino(lite0)
    np.testing.assert_allclose(found, by_torch(tuned), rtol=CLOSE, atol=CLOSE)
    assert np.abs(found - before).max() > 100 * CLOSE, "the change is large enough to be seen"


def test_taps_before_the_first_change_stay_bit_for_bit(lite0: Backbone) -> None:
    tuned, before = by_openvino(perturbed(lite0, ["blocks.4.0.bn1.weight"])), by_openvino(lite0)
    first = sum(tap.width for tap in lite0.taps[: lite0.tap("blocks.4").depth])
    assert np.array_equal(tuned[:, :first], before[:, :first])
    assert not np.isclose(tuned[:, first:], before[:, first:]).all()


def test_changing_every_tensor_to_what_it_was_changes_no_bit(lite0: Backbone) -> None:
    same = apply_delta(lite0, state(lite0))
    assert same.weights != lite0.weights
    assert np.array_equal(by_openvino(same), by_openvino(lite0))


def test_the_original_of_a_changed_backbone_gives_what_it_gave(lite0: Backbone) -> None:
    assert np.array_equal(by_openvino(without_delta(perturbed(lite0))), by_openvino(lite0))


@pytest.mark.parametrize(("name", "size"), [("vit_tiny_patch16_224", 48), ("resnet18", 64), ("convnext_atto", 64)])
def test_converted_networks_can_be_changed_too(
    name: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    tuned = perturbed(convert.convert(name, seed=0, size=size))
    expected = by_torch(tuned)
    np.testing.assert_allclose(by_openvino(tuned), expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())
    assert not np.allclose(by_openvino(without_delta(tuned)), expected, rtol=0.01, atol=0.01 * np.abs(expected).max())


def test_the_compiled_network_is_kept_for_each_set_of_changes(
    lite0: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = perturbed(lite0, ["bn1.bias"]), perturbed(lite0, ["bn2.bias"])
    wanted = [by_openvino(backbone) for backbone in (lite0, one, other)]
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    for _ in range(2):
        for backbone, rows in zip((lite0, one, other), wanted, strict=True):
            assert np.array_equal(by_openvino(backbone), rows)
    assert len(list((tmp_path / "compiled").iterdir())) == 3


def test_one_cache_file_holds_the_rows_of_every_version_apart(
    lite0: Backbone, pictures: list[Path], cpu: Device, tmp_path: Path
) -> None:
    tuned = perturbed(lite0, ["bn1.bias"])
    assert engine_key(tuned, cpu) != engine_key(lite0, cpu)
    assert open_cache(tuned).path == open_cache(lite0).path
    cache = RowCache(tmp_path / "rows.sqlite")
    fresh = [embed(pictures, backbone, device=cpu, cache=cache) for backbone in (lite0, tuned)]
    again = [embed(pictures, backbone, device=cpu, cache=cache) for backbone in (lite0, tuned)]
    assert [each.cached for each in (*fresh, *again)] == [0, 0, 6, 6]
    for before, after in zip(fresh, again, strict=True):
        assert np.array_equal(before.last, after.last)
    assert not np.allclose(fresh[0].last, fresh[1].last)


def test_the_torch_engine_computes_the_changed_network(lite0: Backbone) -> None:
    from headstart.embed.torch_engine import TorchEngine

    tuned = perturbed(lite0)
    engine = TorchEngine(tuned, Device("cpu", "f32", ""))
    padded = np.zeros((engine.batch, 224, 224, 3), np.uint8)
    padded[:2] = images(224)
    wanted = by_openvino(tuned)
    assert np.abs(engine.run(padded, 2) - wanted).max() < 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("bn2.bias", (3,), r"'bn2.bias' has the shape \(3,\), in the network \(1280,\)"),
        ("bn2.bias", (1280, 1), r"'bn2.bias' has the shape \(1280, 1\), in the network \(1280,\)"),
        ("bn2.offset", (1280,), "the network has no tensor 'bn2.offset'"),
    ],
)
def test_what_the_graph_lacks_is_refused(
    lite0: Backbone, cpu: Device, name: str, shape: tuple[int, ...], said: str
) -> None:
    with pytest.raises(
        BundleError, match=f"the saved weight delta of the backbone efficientnet_lite0 cannot be used: {said}"
    ):
        open_engine(apply_delta(lite0, {name: np.zeros(shape)}), cpu)


def test_constants_that_are_no_weights_cannot_be_changed(lite0: Backbone, cpu: Device) -> None:
    import onnx

    constants = [node for node in onnx.load(lite0.graph).graph.node if node.op_type == "Constant"]
    values = {node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t) for node in constants}
    name, value = next((name, value) for name, value in values.items() if value.dtype == np.int64)
    with pytest.raises(BundleError, match=f"the network has no tensor '{name}'"):
        open_engine(apply_delta(lite0, {name: value}), cpu)

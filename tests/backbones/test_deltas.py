"""A backbone with changed tensors: what is stored of it, and what is refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from headstart.backbones import deltas
from headstart.backbones.conversion import convert
from headstart.backbones.deltas import (
    apply_delta,
    delta_tensors,
    fit_tensors,
    fits_half,
    pack_tensors,
    read_delta,
    without_delta,
)
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.errors import BundleError

BIAS = {"bn2.bias": np.arange(1280, dtype=np.float32)}
KERNEL = {"conv_head.weight": np.full((1280, 320, 1, 1), 0.1, np.float32)}


def of_file(backbone: Backbone, folder: Path, content: bytes) -> Backbone:
    path = folder / f"some{deltas.SUFFIX}"
    path.write_bytes(content)
    return read_delta(backbone, path)


def test_a_changed_backbone_has_other_weights_and_the_rest_of_the_known_one(lite0: Backbone) -> None:
    tuned = apply_delta(lite0, BIAS)
    assert tuned.weights != lite0.weights
    assert tuned != lite0
    assert replace(tuned, weights=lite0.weights, delta=None) == without_delta(tuned) == lite0
    assert (tuned.packaged, tuned.graph, tuned.name) == (True, lite0.graph, "efficientnet_lite0")
    assert hash(tuned) != hash(lite0)
    assert "0x" not in repr(tuned)
    assert len(repr(tuned)) < 3000


def test_the_weights_fingerprint_names_the_graph_and_the_changes(lite0: Backbone) -> None:
    lite2 = open_backbone("lite2")
    found = [
        apply_delta(lite0, BIAS),
        apply_delta(lite2, BIAS),
        apply_delta(lite0, KERNEL),
        apply_delta(lite0, {**BIAS, **KERNEL}),
    ]
    assert len({backbone.weights for backbone in found}) == 4
    assert apply_delta(lite0, dict(BIAS)).weights == found[0].weights


def test_no_changes_leave_the_backbone_itself(lite0: Backbone) -> None:
    assert apply_delta(lite0, {}) is lite0
    assert without_delta(lite0) is lite0
    assert delta_tensors(lite0) == {}


def test_changes_of_a_changed_backbone_add_up(lite0: Backbone) -> None:
    step = apply_delta(apply_delta(lite0, BIAS), KERNEL)
    assert step == apply_delta(lite0, {**KERNEL, **BIAS})
    over = apply_delta(step, {"bn2.bias": np.zeros(1280, np.float32)})
    assert delta_tensors(over)["bn2.bias"].max() == 0.0
    assert without_delta(over) == lite0


def test_a_file_gives_the_backbone_that_it_was_saved_from(lite0: Backbone, tmp_path: Path) -> None:
    tuned = apply_delta(lite0, {**BIAS, **KERNEL})
    assert tuned.delta is not None
    assert of_file(lite0, tmp_path, tuned.delta.content) == tuned


def test_kernels_are_stored_in_half_precision_and_the_rest_as_it_is(lite0: Backbone) -> None:
    third = np.float32(1 / 3)
    found = delta_tensors(apply_delta(lite0, {"kernel": np.full((16, 16), third), "bias": np.full(16, third)}))
    assert found["kernel"][0, 0] == np.float32(np.float16(third)) != third
    assert found["bias"][0] == third
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


def test_what_half_precision_cannot_hold_stays_in_single_precision() -> None:
    assert fits_half(np.full((16, 16), 65504.0, np.float32))
    assert not fits_half(np.full((16, 16), 65505.0, np.float32))
    assert not fits_half(np.full((16, 15), 1.0, np.float32)), "below 256 numbers nothing is saved"
    assert not fits_half(np.full(1000, 1.0, np.float32))


def test_the_graph_stores_the_same_tensors_in_half_precision(lite0: Backbone) -> None:
    import onnx

    for weight in onnx.load(lite0.graph).graph.initializer:
        array = onnx.numpy_helper.to_array(weight)
        assert fits_half(array.astype(np.float32)) == (array.dtype == np.float16), weight.name


@given(st.permutations(["a", "b.weight", "c", "d.0"]), st.booleans())
def test_equal_tensors_give_equal_bytes(order: list[str], transposed: bool) -> None:
    arrays = {name: np.full((16, 17), i, np.float32) for i, name in enumerate(["a", "b.weight", "c", "d.0"])}
    others = {name: np.asfortranarray(arrays[name]) if transposed else arrays[name] for name in order}
    assert pack_tensors(others) == pack_tensors(arrays)


def test_a_tensor_of_no_axes_keeps_its_shape(lite0: Backbone) -> None:
    assert delta_tensors(apply_delta(lite0, {"scale": np.array(2.0)}))["scale"].shape == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(lite0: Backbone, tmp_path: Path, value: float) -> None:
    array = {"bn2.bias": np.array([0, value], np.float32)}
    with pytest.raises(
        BundleError, match=r"efficientnet_lite0 cannot be used: the array 'bn2.bias' holds numbers that are not fi"
    ):
        apply_delta(lite0, array)
    with pytest.raises(BundleError, match="holds numbers that are not finite"):
        of_file(lite0, tmp_path, save({"bn2.bias": np.array([value], np.float16)}))


@pytest.mark.parametrize("dtype", ["i8", "u1", "f8", "?"])
def test_other_kinds_of_number_are_refused(lite0: Backbone, tmp_path: Path, dtype: str) -> None:
    with pytest.raises(BundleError, match=r"'x' holds (int64|uint8|float64|bool) numbers, not float16 or float32"):
        of_file(lite0, tmp_path, save({"x": np.ones(3, dtype)}))


WHOLE = pack_tensors(BIAS)
ANY = open_backbone("lite0")


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0", WHOLE[:-1], WHOLE[:30], WHOLE + b"\0", b"\xff" * 8 + WHOLE[8:], b"[]" + WHOLE[2:]),
        *(b"\x80\x04." + WHOLE, WHOLE.replace(b"F32", b"F99"), WHOLE.replace(b"1280", b"1281"), b"\0" * 1000),
        WHOLE.replace(b"F32", b"I16"),
    ],
)
def test_a_damaged_file_is_refused(lite0: Backbone, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(
        BundleError,
        match=r"the saved weight delta of the backbone efficientnet_lite0 cannot be used: it is not a whole",
    ):
        of_file(lite0, tmp_path, content)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_a_file_of_any_bytes_is_read_or_refused(middle: bytes, place: int) -> None:
    content = WHOLE[:place] + middle + WHOLE[place + len(middle) :]
    try:
        found = delta_tensors(deltas._with_delta(ANY, content))
    except BundleError:
        return
    assert all(np.isfinite(array).all() for array in found.values())


def test_a_file_without_tensors_is_refused(lite0: Backbone, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="the file holds none"):
        of_file(lite0, tmp_path, save({}))


def test_a_file_that_could_not_be_of_this_backbone_is_not_even_read(lite0: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(BundleError, match=r"huge.safetensors is larger than the backbone efficientnet_lite0"):
        read_delta(lite0, path)
    with pytest.raises(BundleError, match=r"none.safetensors cannot be read: No such file"):
        read_delta(lite0, tmp_path / "none.safetensors")


def test_names_and_shapes_that_the_network_lacks_are_refused(lite0: Backbone) -> None:
    tuned = apply_delta(lite0, {"bn2.bias": np.zeros(3), "evil\x1b[2J": np.zeros(2)})
    with pytest.raises(BundleError, match=r"the network has no tensor 'evil\\x1b\[2J'; the file is damaged"):
        fit_tensors(tuned, {"bn2.bias": (3,)})
    with pytest.raises(BundleError, match=r"'bn2.bias' has the shape \(3,\), in the network \(1280,\)"):
        fit_tensors(tuned, {"bn2.bias": (1280,), "evil\x1b[2J": (2,)})
    assert set(fit_tensors(tuned, {"bn2.bias": (3,), "evil\x1b[2J": (2,), "other": (1,)})) == set(delta_tensors(tuned))


def test_the_torch_network_has_the_changed_tensors_and_no_other(lite0: Backbone) -> None:
    before = convert.state_dict(lite0)
    after = convert.state_dict(apply_delta(lite0, {**BIAS, **KERNEL}))
    assert {name for name in before if not (before[name] == after[name]).all()} == {"bn2.bias", "conv_head.weight"}
    np.testing.assert_array_equal(after["bn2.bias"].numpy(), BIAS["bn2.bias"])
    np.testing.assert_allclose(after["conv_head.weight"].numpy(), 0.1, rtol=5e-4)


@pytest.mark.parametrize("arrays", [{"bn2.bias": np.zeros(3)}, {"bn2.offset": np.zeros(3)}])
def test_the_torch_network_refuses_what_it_lacks(lite0: Backbone, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(BundleError, match="the saved weight delta of the backbone efficientnet_lite0 cannot be used"):
        convert.build_network(apply_delta(lite0, arrays))


def test_changing_tensors_imports_neither_torch_nor_openvino() -> None:
    code = (
        "import sys, numpy as np\n"
        "from headstart.backbones.deltas import apply_delta\n"
        "from headstart.backbones.opening import open_backbone\n"
        "apply_delta(open_backbone('lite0'), {'bn2.bias': np.zeros(1280)})\n"
        "print(sorted({'torch', 'openvino', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Bytes of an ONNX file changed without the package onnx are what that package reads."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.backbones.graph import Backbone
from headstart.backbones.onnx_file import edit_graph, float_tensors

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def content(lite0: Backbone) -> bytes:
    return lite0.graph.read_bytes()


def test_outputs_shape_and_tensors_are_changed_and_nothing_else(content: bytes) -> None:
    bias = np.arange(1280, dtype=np.float32)
    edited = edit_graph(
        content, outputs=["conv_head.pooled", "stem.pooled"], shape=(2, 64, 96, 3), tensors={"bn2.bias": bias}
    )
    before, after = onnx.load_from_string(content), onnx.load_from_string(edited)
    assert [output.name for output in after.graph.output] == ["conv_head.pooled", "stem.pooled"]
    assert [d.dim_value for d in after.graph.input[0].type.tensor_type.shape.dim] == [2, 64, 96, 3]
    assert after.graph.input[0].name == "image"
    assert list(after.graph.node) == list(before.graph.node)
    assert after.opset_import == before.opset_import
    tensors = {tensor.name: tensor for tensor in after.graph.initializer}
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensors["bn2.bias"]), bias)
    unchanged = [tensor for tensor in before.graph.initializer if tensor.name != "bn2.bias"]
    assert all(tensors[tensor.name] == tensor for tensor in unchanged)


def test_the_shapes_are_those_that_onnx_reads(content: bytes) -> None:
    graph = onnx.load_from_string(content).graph
    assert float_tensors(content) == {t.name: tuple(t.dims) for t in graph.initializer if t.data_type in (1, 10)}
    assert float_tensors(content)["conv_head.weight"] == (1280, 320, 1, 1)


def test_packed_dimensions_are_read_too() -> None:
    tensor = b"\x0a\x03\x02\xac\x02" + b"\x10\x01" + b"\x42\x01w"  # dims [2, 300] packed, float, named w
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    assert float_tensors(b"\x3a" + bytes([len(graph)]) + graph) == {"w": (2, 300)}


def test_an_output_that_is_not_there_is_named(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"it has no output 'nowhere'"):
        edit_graph(content, outputs=["nowhere"], shape=None, tensors={})


def test_tensors_in_other_files_are_refused() -> None:
    tensor = b"\x10\x01\x42\x01w\x70\x01"  # data_location: EXTERNAL
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    with pytest.raises(ValueError, match="it keeps tensors in other files"):
        float_tensors(b"\x3a" + bytes([len(graph)]) + graph)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_a_value_error(noise: bytes) -> None:
    for content in (noise, b"\x3a" + bytes([len(noise)]) + noise):
        with contextlib.suppress(ValueError):
            float_tensors(content)
        with pytest.raises(ValueError):
            edit_graph(content, outputs=["x"], shape=(1,), tensors={})

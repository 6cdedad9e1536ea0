"""The graph's squares are the decode's, whatever the image's size and the way it becomes a square."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from headstart.data.images.spec import ImageSpec
from headstart.model.export.operators import OPSET, Graph
from headstart.model.export.resampling import add_resampling

SIZES = [(64, 64), (1, 1), (3, 200), (200, 3), (71, 97), (333, 256), (256, 341), (640, 480), (101, 100)]

OTHERS = {"bicubic": 1e-3, "bilinear": 3e-2}  # a triangle's weights are short fractions: many sums end in one half


def session_of(spec: ImageSpec) -> onnxruntime.InferenceSession:
    graph = Graph()
    add_resampling(graph, "image", spec, "squares")
    whole = helper.make_graph(
        graph.nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("squares", TensorProto.UINT8, ["N", spec.size, spec.size, 3])],
        initializer=graph.constants,
    )
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("fit", ["crop", "squeeze", "pad"])
def test_squares_are_those_of_the_decode_but_for_a_grey_level_here_and_there(fit: str, interpolation: str) -> None:
    spec = ImageSpec(60, 64, (120.0, 110.0, 100.0), (1.0,) * 3, interpolation, fit)
    session = session_of(spec)
    for width, height in SIZES:
        pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        found = session.run(None, {"image": pixels[None]})[0][0].astype(int)
        difference = np.abs(found - spec.load(pixels))
        assert difference.max() <= 1, (width, height)
        assert (difference > 0).mean() < OTHERS[interpolation], (width, height)


def test_several_images_of_one_size_are_resampled_together() -> None:
    spec = ImageSpec(60, 64, (0.0,) * 3, (1.0,) * 3)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 90, 70, 3), dtype=np.uint8)
    session = session_of(spec)
    together = session.run(None, {"image": pixels})[0]
    alone = [session.run(None, {"image": pixels[i : i + 1]})[0][0] for i in range(3)]
    assert (together == np.stack(alone)).all()

"""Vectors of sizes are computed element by element, and vision transformers keep their answers in ONNX and torch."""

import operator
from pathlib import Path

import numpy as np
import pytest

import headstart as api
from headstart.errors import OptionError
from headstart.model.export import mobile
from headstart.model.export.torch_sizes import by_element, cast

torch = pytest.importorskip("torch")


def test_lists_of_sizes_are_computed_element_by_element() -> None:
    times = by_element(torch.mul, operator.mul)
    assert times([[1, 2, 3], -1], {}) == [-1, -2, -3]
    assert times([[1, 2, 3], [2]], {}) == [2, 4, 6]
    assert times([4, 3], {}) == 12
    assert times([torch.tensor([2.0]), torch.tensor([3.0])], {}).tolist() == [6.0]


def test_sizes_become_floats_where_a_graph_says_so() -> None:
    assert cast([64, 3], torch.float32).tolist() == [64.0, 3.0]
    assert cast([64, 3], torch.int64) == [64, 3]


def test_a_converter_that_fails_is_one_sentence() -> None:
    with (
        pytest.raises(OptionError, match=r"coremltools cannot convert this model to Core ML \(no sqrt\): export to"),
        mobile._converting("coreml"),
    ):
        raise ValueError("a long story\nno sqrt")


def test_converters_remarks_on_the_processs_own_stderr_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    with mobile._quiet():
        os.write(2, b"INFO: created a delegate")
    os.write(2, b"mine")
    assert capfd.readouterr().err == "mine"


@pytest.mark.slow
def test_a_vision_transformer_answers_alike_in_onnx_and_torch(cells: Path, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    from headstart.model.export.graph import build_graph
    from headstart.model.export.torch_program import graph_module
    from headstart.model.load import load_model
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    model = tmp_path / "model"
    options = Options(backbones=("random:vit_tiny_patch16_224",), heads=("ridge",), repeats=1)
    train(cells, options=options).save(model)
    assert api.export(model, tmp_path / "m.onnx").parity.passed
    assert api.export(model, tmp_path / "m.pt2", to="torch").parity.passed
    module = graph_module(build_graph(load_model(model)))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 90, 120, 3), dtype=np.uint8))
    with torch.no_grad():
        together = module(images)["probabilities"]
        alone = torch.cat([module(image[None])["probabilities"] for image in images])
    assert (together - alone).abs().max() < 1e-5

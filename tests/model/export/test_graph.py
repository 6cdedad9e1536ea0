"""The graph of backbones, alone, together and fine-tuned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from headstart.backbones.deltas import apply_delta
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.embed.features import Part
from headstart.errors import BackboneError
from headstart.heads.forms.linear import Cosine, Linear
from headstart.model.export.graph import build_graph, core_graph, squares_of
from headstart.model.predictor import Predictor
from headstart.trust.calibration.methods import Calibration


def predictor_of(parts: tuple[Part, ...], *, root: int = 0) -> Predictor:
    """Three classes told apart by a linear head with random weights."""
    random, width = np.random.default_rng(0), sum(part.width for part in parts)
    weight = random.normal(scale=0.05, size=(width, 3)).astype(np.float32)
    form = Linear(random.random(width, np.float32) * 0.1, weight, np.zeros(3, np.float32), np.array(root, np.uint8))
    return Predictor(("a", "b", "c"), parts, form, Calibration("temperature", 0.8, {}))


def answers(predictor: Predictor, images: list[np.ndarray]) -> dict[str, np.ndarray]:
    exported = build_graph(predictor)
    onnx.checker.check_model(exported.model)
    session = onnxruntime.InferenceSession(core_graph(exported).model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, squares_of(predictor, images)), strict=True))


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    coarse = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    return list(coarse.repeat(40, axis=1).repeat(40, axis=2))


@pytest.mark.parametrize("root", [0, 1])
def test_taps_of_two_backbones_stand_side_by_side_as_the_head_has_them(images: list[np.ndarray], root: int) -> None:
    lite0, lite2 = open_backbone("lite0"), open_backbone("lite2")
    parts = (Part(lite0, ("blocks.4", "conv_head")), Part(lite2, ("blocks.6",)))
    predictor = predictor_of(parts, root=root)
    found, features = answers(predictor, images), predictor.features(images)
    assert np.abs(found["embedding"] - features.X).max() < 1e-4
    assert np.abs(found["probabilities"] - predictor.probabilities(features.X)).max() < 1e-5
    assert found["heat"].shape == (2, 3, 16, 16)
    assert np.abs(found["heat"].mean((2, 3)) - found["scores"]).max() < 1e-4


def test_what_fine_tuning_changed_is_in_the_graph(lite0: Backbone, images: list[np.ndarray]) -> None:
    random = np.random.default_rng(1)
    changed = {
        "bn2.bias": random.normal(size=1280).astype(np.float32),
        "conv_head.weight": random.normal(scale=0.1, size=(1280, 320, 1, 1)).astype(np.float32),
    }
    plain, tuned = (predictor_of((Part(b, ("conv_head",)),)) for b in (lite0, apply_delta(lite0, changed)))
    found, X = answers(tuned, images), tuned.features(images).X
    assert np.abs(found["embedding"] - X).max() < 1e-3
    assert np.abs(found["probabilities"] - tuned.probabilities(X)).max() < 1e-5
    assert np.abs(X - plain.features(images).X).max() > 0.1


def test_a_head_that_is_not_linear_has_no_heat_and_a_model_without_a_guarantee_no_decision(lite0: Backbone) -> None:
    directions = np.eye(3, 1280, dtype=np.float32)
    form = Cosine(np.zeros(1280, np.float32), directions, np.array(5, np.float32))
    exported = build_graph(replace(predictor_of((Part(lite0, ("conv_head",)),)), form=form))
    assert exported.outputs == ("probabilities", "scores", "embedding")
    assert exported.notes == ("The graph decides nothing: the model was trained without a guarantee (--max-error).",)


def test_a_damaged_backbone_is_named(lite0: Backbone, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\x08\x08broken")
    broken = replace(lite0, graph=tmp_path / "x.onnx")
    with pytest.raises(BackboneError, match=r"x\.onnx is damaged: convert the backbone again"):
        build_graph(predictor_of((Part(broken, ("conv_head",)),)))

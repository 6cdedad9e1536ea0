"""Predictions are made in float32 whatever the machine has, so that one model gives one answer."""

from typing import Any

import numpy as np
import pytest

from headstart import device
from headstart.device import choose_device
from headstart.errors import OptionError
from headstart.model import predictor as predictor_module
from headstart.model.model import Model
from headstart.pipeline.options import Options
from headstart.verbs.train.train import train


@pytest.fixture
def quick_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has bfloat16."""
    monkeypatch.setattr(device, "_cpu_precision", lambda: ("bf16", "this processor multiplies in bfloat16"))


@pytest.fixture
def precisions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In which precision a predictor embeds."""
    precisions: list[str] = []
    embed = predictor_module.embed_images

    def note_precision(*arguments: Any, **options: Any) -> Any:
        precisions.append(arguments[3].choose_device().precision)
        return embed(*arguments, **options)

    monkeypatch.setattr(predictor_module, "embed_images", note_precision)
    return precisions


@pytest.mark.usefixtures("quick_processor")
def test_training_s_passes_are_quick_and_predictions_exact(trained: Model, precisions: list[str]) -> None:
    assert choose_device("cpu").precision == "bf16"
    assert choose_device("cpu", precision="f32").precision == "f32"
    trained.predictor.predict([np.zeros((32, 32, 3), np.uint8)])
    assert set(precisions) == {"f32"}
    trained.predictor.predict([np.zeros((32, 32, 3), np.uint8)], device=choose_device("cpu", precision="bf16"))
    assert precisions[-1] == "bf16"


@pytest.mark.usefixtures("quick_processor")
def test_held_out_images_are_scored_in_float32_and_the_bundle_says_what_was_measured_in(
    precisions: list[str],
) -> None:
    images = np.random.default_rng(0).integers(0, 255, (36, 24, 24, 3)).astype(np.uint8)
    images[::2] //= 3
    from headstart.data.sources.dataset import Dataset, assemble_dataset

    splits = ["train"] * 28 + ["test"] * 8
    samples = assemble_dataset(list(images), [str(i) for i in range(36)], ["a", "b"] * 18, splits=splits)
    options = Options(backbones=("lite0",), heads=("ridge",), strategies=(), repeats=1, device="cpu", cache=False)
    model = train(Dataset(samples), options=options)
    assert set(precisions) == {"f32"}
    assert model.manifest()["data"]["precision"] == "bf16"
    assert model.held_out is not None


def test_bfloat16_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_cpu_precision", lambda: ("f32", "this processor has no bfloat16 arithmetic"))
    with pytest.raises(OptionError, match=r"computes in f32 \(this processor has no bfloat16 arithmetic\): leave it"):
        choose_device("cpu", precision="bf16")

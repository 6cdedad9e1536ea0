"""The frozen first stages: prefix rows through the tail equal the whole network."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.backbones.conversion.convert import build_network, convert
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.stages import Stages
from headstart.backbones.graph import Backbone
from headstart.device import Device
from headstart.embed.openvino_engine import OpenVINOEngine, compiled_networks
from headstart.errors import OptionError
from headstart.finetune import frozen_prefix as prefixes
from headstart.finetune.batches import _reshape
from headstart.finetune.frozen_prefix import Prefix, TorchPrefix, freeze, open_prefix

CPU = Device("cpu", "f32", "the tests compare numbers")


@pytest.fixture(scope="module")
def stages(lite0: Backbone) -> Stages:
    return cut_network(build_network(lite0))


@pytest.fixture(scope="module")
def images(lite0: Backbone, cell_files: dict[str, list[Path]]) -> np.ndarray:
    return np.stack([lite0.spec.load(path) for path in cell_files["defective"][:4]])


def rows_of(prefix: Prefix, images: np.ndarray) -> np.ndarray:
    engine = open_prefix(prefix, CPU)
    return np.concatenate([engine.run(np.ascontiguousarray(images[i : i + 1]), 1) for i in range(len(images))])


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    return float(np.abs(found - wanted).max()) <= tolerance * float(np.abs(wanted).max())


def test_the_tail_of_prefix_rows_is_the_embedding_of_the_whole(
    lite0: Backbone, stages: Stages, images: np.ndarray
) -> None:
    whole = OpenVINOEngine(lite0, precision="f32", batch=4).run(images, 4)[:, -1280:]
    prefix = freeze(stages, 6, lite0.spec)
    assert (prefix.name, prefix.shape) == ("blocks.4", (112, 14, 14))
    rows = rows_of(prefix, images)
    assert (rows.shape, rows.dtype) == ((4, 112 * 14 * 14), np.float32)
    embedding = copy.deepcopy(stages.tail(6)[:-1])
    with torch.no_grad():
        found = embedding(_reshape(torch.from_numpy(rows), prefix.shape)).numpy()
    assert close(found, whole, 1e-4)


def test_openvino_and_torch_give_the_same_rows(lite0: Backbone, stages: Stages, images: np.ndarray) -> None:
    prefix = freeze(stages, 2, lite0.spec)
    engine = TorchPrefix(prefix, CPU)
    padded = np.concatenate([images, np.zeros((4, *images.shape[1:]), np.uint8)])
    found = engine.run(padded, 4)
    assert close(found, rows_of(prefix, images), 1e-5)
    pixels = torch.from_numpy(images)
    mapped = engine.tensor(pixels)
    assert mapped.shape == (4, *prefix.shape)
    assert np.array_equal(mapped.permute(0, 2, 3, 1).reshape(4, -1).numpy(), found)


def test_a_network_of_tokens_is_cut_between_its_blocks(images: np.ndarray) -> None:
    small = convert("random:vit_tiny_patch16_224", size=48)
    stages = cut_network(build_network(small))
    pictures = np.ascontiguousarray(images[:, :48, :48])
    prefix = freeze(stages, 5, small.spec)
    assert (prefix.name, prefix.shape) == ("blocks.3", (10, 192))
    with torch.no_grad():
        found = stages.tail(5)(_reshape(torch.from_numpy(rows_of(prefix, pictures)), prefix.shape))
        wanted = stages.network((torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - _mean(small)) / _std(small))
    assert close(found.numpy(), wanted.numpy(), 1e-4)


def _mean(backbone: Backbone) -> torch.Tensor:
    return torch.tensor(backbone.spec.mean).reshape(1, 3, 1, 1)


def _std(backbone: Backbone) -> torch.Tensor:
    return torch.tensor(backbone.spec.std).reshape(1, 3, 1, 1)


def test_a_cut_between_the_blocks_of_a_stage_is_kept(lite0: Backbone, stages: Stages) -> None:
    finer = stages.blocks()
    prefix = freeze(finer, 3, lite0.spec)
    assert prefix.name == finer.names[2] == "blocks.1.0"
    assert prefix.shape == (24, 56, 56)


def test_training_the_network_leaves_the_prefix_as_it_was(lite0: Backbone, images: np.ndarray) -> None:
    stages = cut_network(build_network(lite0))
    prefix = freeze(stages, 2, lite0.spec)
    engine = TorchPrefix(prefix, CPU)
    before = engine.tensor(torch.from_numpy(images))
    stages.network.train()
    for parameter in stages.network.parameters():
        parameter.data.mul_(1.5)
    stages.network(torch.zeros(2, 3, 224, 224))
    assert torch.equal(engine.tensor(torch.from_numpy(images)), before)
    assert stages.network.training
    assert freeze(stages, 2, lite0.spec).weights != prefix.weights


def test_freezing_leaves_the_network_as_it_was(lite0: Backbone) -> None:
    stages = cut_network(build_network(lite0))
    stages.network.train()
    before = {name: value.clone() for name, value in stages.network.state_dict().items()}
    freeze(stages, 3, lite0.spec)
    assert stages.network.training
    assert all(parameter.requires_grad for parameter in stages.network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in stages.network.state_dict().items())


def test_the_recipe_names_weights_cut_precision_and_preprocessing(lite0: Backbone, stages: Stages) -> None:
    from dataclasses import replace

    prefix = freeze(stages, 3, lite0.spec)
    assert prefix.cache_key(CPU) == freeze(cut_network(build_network(lite0)), 3, lite0.spec).cache_key(CPU)
    other = replace(lite0.spec, mean=(0.0, 0.0, 0.0))
    recipes = {
        prefix.cache_key(CPU),
        prefix.cache_key(Device("cpu", "bf16", "")),
        prefix.cache_key(Device("cuda", "bf16", "")),
        freeze(stages, 2, lite0.spec).cache_key(CPU),
        freeze(stages, 3, other).cache_key(CPU),
    }
    assert len(recipes) == 5


def test_the_converted_prefix_is_kept_for_the_next_run(
    lite0: Backbone, stages: Stages, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    prefix = freeze(stages, 1, lite0.spec)
    wanted = rows_of(prefix, images)
    assert len(list(compiled_networks().folder.iterdir())) == 1
    monkeypatch.setattr(prefixes, "_convert", None)  # would raise
    assert np.array_equal(rows_of(prefix, images), wanted)


def test_more_stages_than_there_are_cannot_be_frozen(lite0: Backbone, stages: Stages) -> None:
    with pytest.raises(OptionError, match="number of frozen stages must lie between 1 and 11; found 12"):
        freeze(stages, 12, lite0.spec)

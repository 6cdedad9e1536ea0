"""A fine-tune of the packaged backbone on real photographs: frozen stays frozen, runs repeat and go on after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.backbones.deltas import apply_delta
from headstart.backbones.graph import Backbone
from headstart.data.sources.load import load_dataset
from headstart.device import Device, choose_device
from headstart.embed.extract import embed
from headstart.finetune import checkpoint, loop
from headstart.finetune import fine_tune as tuned_module
from headstart.finetune.fine_tune import FineTune, FineTuneResult
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import parse_strategy
from headstart.records.arrays import Floats
from headstart.records.samples import Samples

QUICK: dict[str, Any] = {"epochs": 2, "views": 1, "batch": 8, "precision": "f32"}


@pytest.fixture(scope="module")
def samples(cells: Path) -> Samples:
    every = load_dataset(cells).samples
    return every.take(np.arange(0, len(every), 2))


@pytest.fixture(scope="module")
def X(samples: Samples, lite0: Backbone) -> Floats:  # noqa: N802
    return embed(samples.items, lite0).last


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch is kept."""
    monkeypatch.setattr(checkpoint, "_PAUSE", 0.0)


def tuned(
    samples: Samples, backbone: Backbone, word: str, *, cache: bool = False, seed: int = 0, **recipe: Any
) -> FineTune:
    return FineTune(
        backbone, parse_strategy(word), Recipe(**{**QUICK, **recipe}), samples, choose_device("cpu"), seed, cache
    )


def fitted(
    samples: Samples, X: Floats, backbone: Backbone, word: str, **options: Any
) -> tuple[FineTune, FineTuneResult]:
    made = tuned(samples, backbone, word, **options)
    return made, made.fit(X, samples.labels, {})


def equal(a: FineTuneResult, b: FineTuneResult) -> bool:
    same = all(np.array_equal(a.changes[name], b.changes[name]) for name in a.changes)
    return same and a.changes.keys() == b.changes.keys() and np.array_equal(a.form.weight, b.form.weight)


@pytest.mark.parametrize("norms", ["frozen", "trained"])
@pytest.mark.parametrize("word", ["last-1", "surgical-middle", "norm-only"])
def test_what_is_frozen_is_bit_identical_afterwards(
    samples: Samples, X: Floats, lite0: Backbone, word: str, norms: str
) -> None:
    made = tuned(samples, lite0, word, norms=norms, augment="none")
    before = {name: value.clone() for name, value in made._stages.network.state_dict().items()}
    found = made.fit(X, samples.labels, {})
    after = made._stages.network.state_dict()
    counters = {name for name in before if name.endswith("num_batches_tracked")}
    moved = {name for name in before if not torch.equal(before[name], after[name])} - counters
    assert moved <= set(found.changes)
    assert moved & made.plan.trained
    statistics = {name for name in moved if "running" in name}
    assert bool(statistics) == (norms == "trained")
    assert {name.rpartition(".")[0] + ".weight" for name in statistics} <= made.plan.trained


def test_the_saved_tensors_predict_what_the_trained_network_predicts(
    samples: Samples, X: Floats, lite0: Backbone
) -> None:
    made, found = fitted(samples, X, lite0, "last-2")
    made._stages.network.eval()
    backbone = apply_delta(lite0, found.changes)
    assert backbone.weights != lite0.weights
    exactly = Device("cpu", "f32", "for this test")
    fast = found.form.scores(embed(samples.items, backbone, device=exactly).last)
    spec = lite0.spec

    pixels = torch.from_numpy(np.stack([spec.load(image) for image in samples.items])).float()
    images = ((pixels - torch.tensor(spec.mean)) / torch.tensor(spec.std)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        plain = found.form.scores(made._stages.taps(images)[lite0.last.pooled].numpy())
    assert np.abs(fast - plain).max() < 0.05
    assert (fast.argmax(1) == plain.argmax(1)).mean() >= 0.95


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    samples: Samples, X: Floats, lite0: Backbone
) -> None:
    _, first = fitted(samples, X, lite0, "last-1")
    _, again = fitted(samples, X, lite0, "last-1")
    _, other = fitted(samples, X, lite0, "last-1", seed=1)
    assert equal(first, again)
    assert not equal(first, other)


class Killed(BaseException):
    """The process is gone."""


def killed_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let the process die at the end of the nth epoch, after it was kept."""
    done: list[int] = []
    finish = loop._PhaseRun.finish_epoch

    def finish_and_die(self: Any, epoch: int, checkpoint_store: Any) -> None:
        finish(self, epoch, checkpoint_store)
        done.append(epoch)
        if len(done) == epochs:
            raise Killed

    monkeypatch.setattr(loop._PhaseRun, "finish_epoch", finish_and_die)


@pytest.mark.parametrize(
    ("word", "recipe", "epochs"),
    [
        ("last-1", {"epochs": 3}, 1),
        ("last-1", {"epochs": 4, "ema": 0.9, "patience": 2, "norms": "trained"}, 2),
        ("gradual", {"stage_epochs": 1, "epochs": None}, 2),
        ("last-1", {"epochs": 3, "mixup": 0.4, "cutmix": 1.0, "l2sp": (0.01,), "balanced": True}, 2),
    ],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    samples: Samples,
    X: Floats,
    lite0: Backbone,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    word: str,
    recipe: dict[str, Any],
    epochs: int,
) -> None:
    if word == "gradual":
        samples, X = samples.take(np.arange(0, len(samples), 2)), X[::2]
    monkeypatch.setattr(tuned_module, "default_folder", lambda: tmp_path / "one")
    _, whole = fitted(samples, X, lite0, word, cache=True, **recipe)
    monkeypatch.setattr(tuned_module, "default_folder", lambda: tmp_path / "another")
    with monkeypatch.context() as patch:
        killed_after(patch, epochs)
        with pytest.raises(Killed):
            fitted(samples, X, lite0, word, cache=True, **recipe)
    trained: list[int] = []
    finish = loop._PhaseRun.finish_epoch
    monkeypatch.setattr(loop._PhaseRun, "finish_epoch", lambda s, e, k: (finish(s, e, k), trained.append(e)))
    made, resumed = fitted(samples, X, lite0, word, cache=True, **recipe)
    assert equal(whole, resumed)
    assert 0 < len(trained) < made._config(len(X)).epochs * len(made.plan.phases)
    trained.clear()
    _, again = fitted(samples, X, lite0, word, cache=True, **recipe)
    assert equal(whole, again)
    assert trained == []


def test_a_loss_that_is_no_number_stops_with_the_reason_and_good_weights(
    samples: Samples, X: Floats, lite0: Backbone
) -> None:
    _, found = fitted(samples, X, lite0, "last-1", rate=1e20, backbone_rate=1e20, warmup=0.0, clip=1e20)
    assert any("last-1: the loss was" in note and "lower --rate" in note for note in found.notes)
    assert all(np.isfinite(array).all() for array in found.changes.values())
    assert np.isfinite(found.form.weight).all()


def test_a_fine_tune_starts_from_the_probe(samples: Samples, X: Floats, lite0: Backbone) -> None:
    """With no share of the end, the answers are the linear probe's."""
    from headstart.heads.logistic import LogisticProbe

    made = tuned(samples, lite0, "last-1")
    found = made.fit(X, samples.labels, {"wise_ft": 0.0})
    probe = LogisticProbe().fit(X, samples.labels)
    assert found.form.scores(X) == pytest.approx(probe.form_.scores(X), abs=1e-3)


def test_every_mixture_and_l2sp_weight_is_scored_out_of_fold(samples: Samples, X: Floats, lite0: Backbone) -> None:
    folds = np.arange(len(X))[None] % 2
    found = tuned(samples, lite0, "last-1", epochs=1, l2sp=(0.0, 0.1)).path_scores(X, samples.labels, folds)
    assert found.configurations[0] == {"l2sp": 0.0, "wise_ft": 1.0}
    assert [tuple(configuration.values()) for configuration in found.configurations[3:5]] == [(0.0, 0.25), (0.1, 1.0)]
    assert found.scores.shape == (8, 1, len(X), 2)
    assert len({found.scores[i].tobytes() for i in range(8)}) == 8


def test_the_pull_to_the_start_keeps_the_weights_near_it(samples: Samples, X: Floats, lite0: Backbone) -> None:
    made = tuned(samples, lite0, "last-1", l2sp=(0.0,), epochs=4, backbone_rate=1e-3)
    start = {name: value.numpy().copy() for name, value in made._stages.network.state_dict().items()}

    def distance(pull: float) -> float:
        _, found = fitted(samples, X, lite0, "last-1", l2sp=(pull,), epochs=4, backbone_rate=1e-3)
        return sum(float(np.square(found.changes[name] - start[name]).sum()) for name in found.changes)

    assert distance(10.0) < 0.5 * distance(0.0)


def test_adapters_begin_by_changing_nothing_and_are_merged_into_the_weights() -> None:
    import timm

    from headstart.finetune import lora

    network = timm.create_model("vit_tiny_patch16_224", img_size=32).eval()
    names = set(network.state_dict())
    image = torch.rand(2, 3, 32, 32)
    layers = ["blocks.0.attn.qkv.weight", "blocks.1.mlp.fc1.weight"]
    with torch.no_grad():
        before = network(image)
        lora.adapt(network, layers, 4)
        assert torch.allclose(network(image), before, atol=1e-5)
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1)
        adapted = network(image)
        assert not torch.allclose(adapted, before, atol=1e-3)
        lora.merge(network)
        assert torch.allclose(network(image), adapted, atol=1e-4)
    assert set(network.state_dict()) == names


@pytest.mark.gpu
def test_a_fine_tune_runs_on_a_gpu(samples: Samples, X: Floats, lite0: Backbone) -> None:
    made = FineTune(lite0, parse_strategy("last-2"), Recipe(epochs=2), samples, choose_device("cuda"), 0, False)
    found = made.fit(X, samples.labels, {})
    assert all(np.isfinite(array).all() for array in found.changes.values())
    assert found.form.scores(X).shape == (len(X), 2)


def test_low_rank_adapters_train_a_vision_transformer(samples: Samples) -> None:
    """Merged, they are changed weights like any other; everything else stays as it was."""
    from headstart.backbones.conversion.convert import convert

    vit = convert("vit_tiny_patch16_224", seed=0, size=64)
    made = tuned(samples, vit, "lora", rank=2)
    before = {name: value.clone() for name, value in made._stages.network.state_dict().items()}
    found = made.fit(embed(samples.items, vit).last, samples.labels, {})
    after = made._stages.network.state_dict()
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == made.plan.trained == set(found.changes)
    assert "blocks.0.attn.qkv.weight" in moved
    fast = found.form.scores(embed(samples.items, apply_delta(vit, found.changes)).last)
    assert np.isfinite(fast).all()

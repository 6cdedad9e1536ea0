"""Smoothed, mixed and pasted targets stay distributions, and agree with what became of the inputs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.finetune.mixup import mix_batch, soft_labels
from headstart.finetune.recipe import Recipe


def test_smoothing_spreads_a_share_evenly() -> None:
    found = soft_labels(np.array([0, 2]), 4, 0.2, "cpu")
    assert found.numpy() == pytest.approx(np.array([[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05]]), abs=1e-6)


def test_without_mixing_everything_stays_as_it_is() -> None:
    x, targets = torch.rand(4, 3, 8, 8), torch.eye(4)
    a, b = mix_batch(x, targets, Recipe(), np.random.default_rng(0))
    assert a is x
    assert b is targets


@given(st.integers(0, 10_000), st.booleans())
def test_targets_are_mixed_as_the_inputs_are(seed: int, cut: bool) -> None:
    """Each image has one colour of its own: what is left of it can be measured."""
    x = torch.eye(6)[:, :, None, None].expand(6, 6, 16, 16).contiguous()
    recipe = Recipe(cutmix=1.0) if cut else Recipe(mixup=1.0)
    found, targets = mix_batch(x, torch.eye(6), recipe, np.random.default_rng(seed))
    assert targets.sum(1).numpy() == pytest.approx(np.ones(6), abs=1e-5)
    assert found.mean((2, 3)).numpy() == pytest.approx(targets.numpy(), abs=1e-5)


def test_rows_of_tokens_are_blended_and_never_pasted() -> None:
    x = torch.rand(4, 5, 8)
    found, _ = mix_batch(x, torch.eye(4), Recipe(cutmix=1.0), np.random.default_rng(0))
    assert found is x

"""A frozen batch norm folded into its convolution changes neither answers nor gradients."""

import pytest
import timm
import torch

from headstart.backbones.conversion.convert import build_network
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.stages import Stages
from headstart.backbones.opening import open_backbone
from headstart.finetune.fold_batchnorm import foldable_pairs, folded_batchnorm


def stages_of(name: str) -> Stages:
    if name == "lite0":
        return cut_network(build_network(open_backbone("lite0")))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = timm.create_model(name).eval()
        for part in made.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
        return cut_network(made)


def answers_and_gradients(stages: Stages, image: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    stages.network.zero_grad(set_to_none=True)
    found = stages.network(image)
    (found / found.detach().abs().max()).square().mean().backward()
    return found.detach(), {n: p.grad.clone() for n, p in stages.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("name", "count"), [("lite0", 49), ("resnet18", 20), ("mobilenetv3_small_050", 34)])
def test_answers_and_gradients_stay_as_they_are(name: str, count: int) -> None:
    stages = stages_of(name)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = foldable_pairs(stages, 64)
    assert len(found) == count
    plain, gradients = answers_and_gradients(stages, image)
    with folded_batchnorm(found):
        together, others = answers_and_gradients(stages, image)
    assert torch.allclose(plain, together, atol=1e-4 * float(plain.abs().max()))
    assert gradients.keys() == others.keys()
    for key, gradient in gradients.items():
        assert torch.allclose(gradient, others[key], rtol=1e-2, atol=1e-3 * float(gradient.abs().max())), key
    again, _ = answers_and_gradients(stages, image)
    assert torch.equal(plain, again)


def test_norms_that_move_or_train_alone_are_left_as_they_are() -> None:
    stages = stages_of("resnet18")
    found = foldable_pairs(stages, 64)
    stages.network.requires_grad_(False)
    first, second = found[0], found[1]
    first[1].train()
    second[1].requires_grad_(True)
    with folded_batchnorm(found):
        patched = ["forward" in vars(norm) for _, norm in found]
    assert patched == [False, False, *[True] * 18]
    assert not any("forward" in vars(part) for pair in found for part in pair)

"""The table of known backbones says what the networks are."""

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from headstart.backbones.conversion.families import cut_network
from headstart.backbones.zoo import ZooEntry, zoo

SPELLINGS = {"apache-2.0": "Apache-2.0", "bsd-3-clause": "BSD-3-Clause", "dinov3-license": "DINOv3 License"}


def sketch(entry: ZooEntry) -> torch.nn.Module:
    """The network without memory for its weights."""
    settings = timm.get_pretrained_cfg(entry.timm)
    arguments = {} if settings.num_classes == 1000 else {"num_classes": 0}
    if entry.size != settings.input_size[-1]:
        arguments["img_size"] = entry.size
    with torch.device("meta"):
        return timm.create_model(entry.timm, **arguments).eval().requires_grad_(False)


@pytest.mark.parametrize("entry", zoo().values(), ids=lambda entry: entry.name)
def test_parameters_gigaflops_width_and_licence_are_the_networks_own(entry: ZooEntry) -> None:
    network = sketch(entry)
    stages = cut_network(network)
    with FlopCounterMode(display=False) as counter:
        taps = stages.taps(torch.zeros(1, 3, entry.size, entry.size, device="meta"))
    assert sum(p.numel() for p in network.parameters()) == entry.parameters
    assert counter.get_total_flops() / 2e9 == pytest.approx(entry.gigaflops, abs=0.006)
    assert taps[f"{stages.body[-1].name}.pooled"].shape[1] == entry.width
    assert SPELLINGS[timm.get_pretrained_cfg(entry.timm).license] == entry.licence


def test_the_zoo_has_the_networks_that_people_ask_for() -> None:
    assert list(zoo()) == [
        *("vgg16", "vgg19", "resnet50", "resnet101", "inception_v3"),
        *("mobilenetv2", "mobilenetv3_small", "mobilenetv3_large"),
        *(f"efficientnet_b{i}" for i in range(8)),
        *(f"efficientnet_lite{i}" for i in range(5)),
        *("convnext_tiny", "convnext_small", "convnext_base", "vit_small", "vit_base", "deit_small", "deit_base"),
        *("dinov2_small", "dinov2_base", "dinov3_small", "dinov3_base"),
        *("clip_vit_b32", "clip_vit_b16", "siglip_vit_b16"),
    ]


def test_an_accuracy_is_a_percentage_with_its_source_or_absent() -> None:
    for entry in zoo().values():
        assert entry.source
        assert entry.top1 is None or 60 < entry.top1 < 90
        assert entry.top5 is None or entry.top1 < entry.top5 < 100
        assert (entry.top1 is None) == (entry.source == "no ImageNet classifier comes with these weights")

"""Every network of the zoo's families can be cut at each of its stages, and has taps from early to late."""

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.backbones.conversion.families import FAMILIES, cut_network
from headstart.backbones.conversion.stages import Stages
from headstart.errors import BackboneError, OptionError

# name → (input side, arguments): the smallest variant of each family of the zoo.
TIMM = {
    "vgg": (32, {"cfg": [8, "M", 16, "M", 16, 16, "M"], "mlp_ratio": 0.01, "norm_layer": torch.nn.BatchNorm2d}),
    "resnet18": (32, {}),
    "resnet26": (32, {}),
    "inception_v3": (80, {}),
    "mobilenetv2_050": (32, {}),
    "mobilenetv3_small_050": (32, {}),
    "mobilenetv3_large_075": (32, {}),
    "tf_efficientnet_b0": (32, {}),
    "tf_efficientnet_lite0": (32, {}),
    "convnext_atto": (32, {}),
    "vit_tiny_patch16_224": (48, {"img_size": 48}),
    "deit_tiny_patch16_224": (48, {"img_size": 48}),
    "vit_small_patch14_dinov2": (42, {"img_size": 42, "depth": 3}),
    "vit_small_patch16_dinov3": (48, {"img_size": 48, "depth": 3}),
    "vit_base_patch32_clip_224": (96, {"img_size": 96, "depth": 2}),
    "vit_base_patch16_siglip_224": (48, {"img_size": 48, "depth": 2}),
}
TORCHVISION = {
    "vgg11": (32, {"init_weights": False}),
    "resnet18": (32, {}),
    "inception_v3": (80, {"init_weights": False, "transform_input": True}),
    "mobilenet_v2": (32, {"width_mult": 0.35}),
    "mobilenet_v3_small": (32, {}),
    "efficientnet_b0": (32, {}),
    "convnext_tiny": (32, {}),
    "vit_b_32": (64, {"image_size": 64}),
}
CASES = [f"timm {name}" for name in TIMM] + [f"torchvision {name}" for name in TORCHVISION]


def build(case: str) -> tuple[torch.nn.Module, int]:
    """The network with random weights and moving averages that are not the trivial ones."""
    library, name = case.split()
    torch.manual_seed(0)
    side, arguments = (TIMM if library == "timm" else TORCHVISION)[name]
    if name == "vgg":  # the published sizes have a hundred million weights in their first matrix
        network = timm.models.vgg.VGG(**arguments)
    elif library == "timm":
        network = timm.create_model(name, pretrained=False, **arguments)
    else:
        network = torchvision.models.get_model(name, weights=None, **arguments)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.9, 1.1)
    return network.eval(), side


@pytest.mark.parametrize("case", CASES)
def test_a_prefix_followed_by_its_tail_equals_the_whole_at_every_cut(case: str) -> None:
    network, side = build(case)
    stages = cut_network(network)
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        whole = network(image)
        between = [image]
        for stage in stages.stages:
            between.append(stage.forward(between[-1]))
        for count in range(len(stages) + 1):
            torch.testing.assert_close(stages.tail(count)(between[count]), whole, rtol=1e-5, atol=1e-5)
        middle = len(stages) // 2
        torch.testing.assert_close(stages.prefix(middle)(image), between[middle], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_taps_are_maps_and_their_means_and_the_last_is_the_networks_own_embedding(case: str) -> None:
    network, side = build(case)
    stages = cut_network(network)
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        taps = stages.taps(image)
        names = [stage.name for stage in stages.body]
        assert len(names) >= 3, "an early, a middle and a late one"
        for name in names[:-1]:
            torch.testing.assert_close(taps[f"{name}.pooled"], taps[f"{name}.spatial"].mean((2, 3)))
        for name in names:
            assert taps[f"{name}.spatial"].ndim == 4
        if case.startswith("timm"):
            embedding = network.forward_head(network.forward_features(image), pre_logits=True)
            torch.testing.assert_close(taps[f"{names[-1]}.pooled"], embedding, rtol=1e-5, atol=1e-5)
        if "logits" in taps:
            torch.testing.assert_close(taps["logits"], network(image), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_stages_own_every_parameter_of_the_network_once(case: str) -> None:
    network, _ = build(case)
    unused = {"AuxLogits"}
    wanted = {id(p) for name, p in network.named_parameters() if name.split(".")[0] not in unused}
    owned = [id(p) for stage in cut_network(network).stages for p in stage.forward.parameters()]
    assert sorted(owned) == sorted(wanted)


def test_every_known_family_is_tested() -> None:
    found = set()
    for case in CASES:
        with torch.device("meta"):
            network, _ = build(case)
        found.add(f"{case.split()[0]}.{type(network).__name__}")
    assert found == set(FAMILIES)


@pytest.fixture(scope="module")
def resnet() -> Stages:
    return cut_network(build("timm resnet18")[0])


@settings(max_examples=10, deadline=None)
@given(count=st.integers(0, 7), batch=st.integers(1, 4), scale=st.floats(0.1, 3.0))
def test_cutting_changes_nothing_whatever_the_images(resnet: Stages, count: int, batch: int, scale: float) -> None:
    image = scale * torch.randn(batch, 3, 32, 32)
    with torch.no_grad():
        again = resnet.tail(count)(resnet.prefix(count)(image))
        torch.testing.assert_close(again, resnet.network(image), rtol=1e-5, atol=1e-5)


def test_training_a_tail_trains_the_network(resnet: Stages) -> None:
    tail = resnet.tail(4)
    assert next(tail.parameters()) is resnet.network.layer4[0].conv1.weight


def test_a_cut_beyond_the_last_stage_is_refused(resnet: Stages) -> None:
    with pytest.raises(OptionError, match="number of stages must lie between 0 and 7; found 9"):
        resnet.prefix(9)


def test_a_network_of_an_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(
        BackboneError,
        match=r"torch.*Linear cannot be cut into stages: choose one of timm's or torchvision's ConvNeXt, ",
    ):
        cut_network(torch.nn.Linear(2, 2))


def test_a_distilled_network_with_two_heads_is_refused() -> None:
    network = timm.create_model("deit_tiny_distilled_patch16_224", pretrained=False)
    with pytest.raises(BackboneError, match="VisionTransformerDistilled"):
        cut_network(network)

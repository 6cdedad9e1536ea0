"""Any other network becomes a graph that says the same, is kept, and gives its weights back."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
import safetensors.torch
import timm
import torch
import torchvision

from headstart.backbones import converted
from headstart.backbones.conversion import checkpoints, convert, fetching
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.graph import Backbone, read_backbone
from headstart.backbones.opening import open_backbone
from headstart.errors import BackboneError, MissingExtra, OptionError


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torchhub"))
    return tmp_path / "cache" / "backbones"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No server answers; the hosts that were tried are noted."""
    tried: list[str] = []

    def refuse(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        tried.append(address[0])
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(fetching, "getproxies", dict)
    return tried


def run(backbone: Backbone, images: np.ndarray) -> dict[str, np.ndarray]:
    compiled = openvino.Core().compile_model(backbone.graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {port.get_any_name(): array for port, array in compiled(images).items()}


def by_torch(backbone: Backbone, images: np.ndarray) -> dict[str, np.ndarray]:
    """The same taps, computed by the torch network that is built from the graph."""
    stages = cut_network(convert.build_network(backbone))
    mean, std = (torch.tensor(values) for values in (backbone.spec.mean, backbone.spec.std))
    with torch.no_grad():
        taps = stages.taps(((torch.from_numpy(images).float() - mean) / std).permute(0, 3, 1, 2))
    return {name: value.numpy() for name, value in taps.items()}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("inception_v3", 96),
        ("mobilenetv2_050", 64),
        ("mobilenetv3_small_050", 64),
        ("tf_efficientnet_b0", 64),
        ("convnext_atto", 64),
        ("vit_tiny_patch16_224", 48),
        ("vit_small_patch16_dinov3", 64),
        pytest.param("deit_tiny_patch16_224", 64, marks=pytest.mark.slow),
        pytest.param("vit_small_patch14_dinov2", 56, marks=pytest.mark.slow),
        pytest.param("vit_base_patch32_clip_224.openai", 96, marks=pytest.mark.slow),
        pytest.param("siglip_vit_b16", 64, marks=pytest.mark.slow),
        pytest.param("vgg11", 224, marks=pytest.mark.slow),
        pytest.param("torchvision:inception_v3", 96, marks=pytest.mark.slow),
        pytest.param("torchvision:vit_b_32", 224, marks=pytest.mark.slow),
        pytest.param("torchvision:convnext_tiny", 64, marks=pytest.mark.slow),
    ],
)
def test_the_graph_computes_what_the_network_computes_for_any_number_of_images(name: str, size: int) -> None:
    backbone = convert.convert(name, seed=0, size=size)
    assert backbone.spec.size == size
    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        found, expected = run(backbone, images), by_torch(backbone, images)
        assert set(found) == set(expected)
        for output, value in expected.items():
            assert found[output].shape == value.shape
            np.testing.assert_allclose(found[output], value, rtol=2e-3, atol=2e-3 * np.abs(value).max())
        for tap in backbone.taps:
            assert found[tap.pooled].shape == (count, tap.width)


def test_a_converted_backbone_is_kept_and_found_again(cache: Path) -> None:
    made = open_backbone("random:mobilenetv3_small_050")
    assert made.packaged is False
    assert made.graph.parent == cache
    assert open_backbone("random:mobilenetv3_small_050") == made == read_backbone(cache, made.name)
    assert made.name == "random_mobilenetv3_small_050-7fb5a533"
    assert converted.converted_names() == (made.name,)
    assert sorted(path.name for path in cache.iterdir()) == [f"{made.name}.json", f"{made.name}.onnx"]


def test_a_damaged_converted_backbone_is_made_again(cache: Path) -> None:
    made = open_backbone("random:mobilenetv3_small_050")
    made.graph.write_bytes(b"half a graph")
    assert convert.find_converted("random:mobilenetv3_small_050") is None
    assert open_backbone("random:mobilenetv3_small_050").weights == made.weights


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again, other = (convert.convert("mobilenetv3_small_050", seed=seed) for seed in (1, 1, 2))
    assert first.weights == again.weights != other.weights
    assert first.name == again.name != other.name
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random state is left alone"
    assert first.licence == "none: random weights"


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_checkpoint_for_a_named_architecture_is_read(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(5)
    network = timm.create_model("mobilenetv3_small_050").eval()
    path = tmp_path / f"mine{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file(network.state_dict(), path)
    else:
        torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}, "epoch": 3}, path)
    backbone = open_backbone("mobilenetv3_small_050", weights=path)
    stored = convert.state_dict(backbone)
    assert stored.keys() == network.state_dict().keys()
    torch.testing.assert_close(stored["bn1.weight"], network.bn1.weight.data, rtol=0, atol=0)
    torch.testing.assert_close(stored["conv_stem.weight"], network.conv_stem.weight.data, rtol=1e-3, atol=1e-6)
    assert backbone.source == f"the file mine{suffix}"
    assert open_backbone("mobilenetv3_small_050", weights=path) == backbone


def test_a_checkpoint_with_other_classes_is_read_without_its_classifier(tmp_path: Path) -> None:
    network = timm.create_model("mobilenetv3_small_050", num_classes=7)
    torch.save(network.state_dict(), tmp_path / "seven.pt")
    backbone = convert.convert("mobilenetv3_small_050", weights=tmp_path / "seven.pt", size=64)
    outputs = run(backbone, np.zeros((1, 64, 64, 3), np.uint8))
    assert "logits" not in outputs
    assert not [name for name in convert.state_dict(backbone) if name.startswith("classifier")]


def test_a_checkpoint_of_another_architecture_is_refused_with_what_differs(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(
        BackboneError, match=r"resnet.pth do not fit the architecture 'mobilenetv3_small_050': \d+ tensors"
    ):
        convert.convert("mobilenetv3_small_050", weights=tmp_path / "resnet.pth")


class Surprise:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weight": Surprise()}, tmp_path / "evil.pth")
    with pytest.raises(BackboneError, match=r"evil.pth cannot be read as plain tensors \(UnpicklingError\)"):
        checkpoints.read_checkpoint(tmp_path / "evil.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.onnx", b"", "must be a file of the kind .safetensors"),
        ("absent.pth", None, "absent.pth cannot be read: No such file"),
        ("broken.safetensors", b"xx", "broken.safetensors cannot be read as plain tensors"),
        ("broken.pth", b"xx", "broken.pth cannot be read as plain tensors"),
    ],
)
def test_an_unusable_checkpoint_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BackboneError, match=message):
        convert.convert("mobilenetv3_small_050", weights=tmp_path / name)


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(BackboneError, match=r"hold no tensors by name: save the network's state_dict\(\)"):
        checkpoints.read_checkpoint(tmp_path / "empty.pth")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5", "backbone 'resnet5' is not known: did you mean 'resnet50'"),
        ("lite7", "backbone 'lite7' is not known: did you mean 'lite"),
        ("resnet18.tv_in2k", r"backbone 'resnet18.tv_in2k' is not known: did you mean 'resnet18.tv_in1k'"),
        ("torchvision:resnet19", "'torchvision:resnet19' is not known: did you mean 'torchvision:resnet1"),
        ("torchvision:resnet18.V9", r"resnet18 has the weights 'IMAGENET1K_V1'; found 'V9'"),
        ("keras:resnet50", "comes from a source that is not known: use a plain name, or put one of 'hf-hub:'"),
        ("torchhub:resnet50", "must be written torchhub:owner/repository:name"),
        ("random:swin_tiny_patch4_window7_224", "SwinTransformer cannot be cut into stages: choose one of"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(name: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        open_backbone(name)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("resnet50", "huggingface"),
        ("resnet18.a1_in1k", "huggingface"),
        ("hf-hub:timm/resnet18.a1_in1k", "huggingface"),
        ("torchvision:resnet18", "pytorch"),
        ("torchhub:pytorch/vision:resnet18", "github"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_offline_a_name_that_must_be_downloaded_says_what_was_needed_and_what_is_here(
    no_network: list[str], cache: Path, name: str, host: str
) -> None:
    cache.mkdir(parents=True)
    (cache / "mine.json").touch()
    (cache / "mine.onnx").touch()
    with pytest.raises(BackboneError) as caught:
        open_backbone(name)
    message = str(caught.value)
    assert f"backbone {name!r} needs its published weights, which are not on this machine" in message
    assert "use one of 'efficientnet_lite0', 'efficientnet_lite2' (packaged), 'mine' (converted)." in message
    assert host in no_network[0]


def test_torchvision_weights_that_lie_in_the_cache_are_used_offline(
    no_network: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = torchvision.models.get_model("mobilenet_v3_small", weights=None)
    url = torchvision.models.get_model_weights("mobilenet_v3_small").DEFAULT.url
    folder = tmp_path / "torchhub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(network.state_dict(), folder / url.rpartition("/")[2])
    backbone = open_backbone("torchvision:mobilenet_v3_small")
    torch.testing.assert_close(
        convert.state_dict(backbone)["classifier.3.bias"], network.classifier[3].bias.data, rtol=0, atol=0
    )
    assert (backbone.spec.size, backbone.spec.resize, backbone.spec.interpolation) == (224, 256, "bilinear")
    assert backbone.licence == "BSD-3-Clause"


def test_a_network_from_a_torch_hub_repository_on_disk_is_converted(no_network: list[str], tmp_path: Path) -> None:
    repository = tmp_path / "torchhub" / "someone_networks_main"
    repository.mkdir(parents=True)
    (repository / "hubconf.py").write_text(
        "dependencies = ['torch']\n"
        "def small(pretrained=False):\n"
        "    import torchvision\n"
        "    return torchvision.models.get_model('mobilenet_v3_small', weights=None)\n"
    )
    backbone = open_backbone("torchhub:someone/networks:main:small")
    assert (backbone.last.name, backbone.last.width) == ("features.12", 1024)
    with pytest.raises(BackboneError, match="cannot be built again from its name"):
        convert.build_network(backbone)


def test_without_the_extra_conversion_says_which_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"Converting a backbone needs the package 'torch'.*headstart\[finetune\]"):
        open_backbone("resnet50")
    with pytest.raises(BackboneError, match="'lite1' is not among those that come with Headstart: did you mean 'lite"):
        open_backbone("lite1")


def test_weights_and_seed_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    with pytest.raises(BackboneError, match="from a file or from a seed, not from both"):
        convert.convert("resnet18", weights=tmp_path / "a.pth", seed=1)


def test_a_size_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="size must be at least 32; found 8"):
        convert.convert("resnet18", seed=0, size=8)


@pytest.mark.slow
def test_a_size_that_the_network_cannot_be_traced_at_is_said() -> None:
    with pytest.raises(
        BackboneError, match="VGG could not be turned into a graph for images of 32 pixels: try another size"
    ):
        convert.convert("vgg11", seed=0, size=32)


def test_a_proxy_is_asked_instead_of_the_host(monkeypatch: pytest.MonkeyPatch, no_network: list[str]) -> None:
    monkeypatch.setattr(fetching, "getproxies", lambda: {"https": "http://proxy.example:3128"})
    assert not fetching.reachable("https://host.example/file")
    assert no_network == ["proxy.example"]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"arguments": {"checkpoint_path": "evil.csv"}}, "must not set 'checkpoint_path'"),
        ({"arguments": {"pretrained": True}}, "must not set 'pretrained'"),
        ({"architecture": "hf-hub:nobody/nothing"}, "cannot be built again from its name"),
        ({"library": "torchvision", "architecture": "fasterrcnn_resnet50_fpn"}, "cannot be built again from its name"),
        ({"arguments": {"surprise": 1}}, r"does not hold the network 'mobilenetv3_small_100' .*TypeError"),
        ({"architecture": "resnet18"}, "lacks weights of its network"),
        ({"arguments": {"num_classes": 7}}, r"does not hold the network .*RuntimeError"),
    ],
)
def test_a_stranger_s_description_reads_no_file_and_fetches_nothing(
    facts: dict[str, object], message: str, no_network: list[str]
) -> None:
    backbone = convert.convert("mobilenetv3_small", seed=0, size=64)
    with pytest.raises(BackboneError, match=message):
        convert.build_network(replace(backbone, facts={**backbone.facts, **facts}))
    assert no_network == []

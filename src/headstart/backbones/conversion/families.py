"""How each family of networks is cut: class of the network → function that returns its `Stages`.

Every function lists the family's own modules in the order in which its forward pass runs them. What makes these lists
true is the test that every prefix followed by its tail equals the whole. A subclass may run its modules in another way,
so only the classes named here are known. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headstart.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headstart.backbones.conversion.stages import Layout, Stage, Stages, piece

if TYPE_CHECKING:
    from torch import nn

_INCEPTION = (
    "Mixed_5b",
    "Mixed_5c",
    "Mixed_5d",
    *(f"Mixed_6{i}" for i in "abcde"),
    *(f"Mixed_7{i}" for i in "abc"),
)


def _chain(*modules: nn.Module) -> nn.Module:
    from torch import nn

    return nn.Sequential(*modules)


def _numbered_stages(prefix: str, modules: Iterable[nn.Module], layout: Layout = "map") -> list[Stage]:
    return [Stage(f"{prefix}.{i}", module, layout) for i, module in enumerate(modules)]


def _named_stages(network: nn.Module, names: Iterable[str]) -> list[Stage]:
    return [Stage(name, getattr(network, name)) for name in names]


def _stages_to_pooling(features: nn.Sequential) -> list[Stage]:
    """A plain chain of layers, cut after each pooling."""
    from torch import nn

    stages: list[Stage] = []
    start = 0
    for i, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            stages.append(Stage(f"features.{i}", features[start : i + 1]))
            start = i + 1
    return stages


# timm ----------------------------------------------------------------------------------------------------------------


def _timm_head(network: Any, *owned: str) -> list[Stage]:
    """The network's own pooling up to the embedding, then its classifier where it has one."""
    from torch import nn

    parts = {name: getattr(network, name) for name in owned}
    embed = piece(lambda x: network.forward_head(x, pre_logits=True), **parts)
    stages = [Stage("embedding", embed, "vector")]
    classifier = network.get_classifier()
    if not isinstance(classifier, nn.Identity):
        stages.append(Stage("classifier", classifier, "logits"))
    return stages


def _timm_efficientnet(network: Any) -> Stages:
    body = [Stage("stem", _chain(network.conv_stem, network.bn1)), *_numbered_stages("blocks", network.blocks)]
    body.append(Stage("conv_head", _chain(network.conv_head, network.bn2)))
    return Stages(network, (*body, *_timm_head(network, "global_pool")))


def _timm_mobilenetv3(network: Any) -> Stages:
    body = [Stage("stem", _chain(network.conv_stem, network.bn1)), *_numbered_stages("blocks", network.blocks)]
    owned = ("global_pool", "conv_head", "norm_head", "act2")
    return Stages(network, (*body, *_timm_head(network, *owned)))


def _timm_vgg(network: Any) -> Stages:
    return Stages(network, (*_stages_to_pooling(network.features), *_timm_head(network, "pre_logits")))


def _timm_resnet(network: Any) -> Stages:
    stem = Stage("stem", _chain(network.conv1, network.bn1, network.act1, network.maxpool))
    layers = _named_stages(network, (f"layer{i}" for i in range(1, 5)))
    return Stages(network, (stem, *layers, *_timm_head(network, "global_pool")))


def _timm_inception(network: Any) -> Stages:
    first = _chain(network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_2b_3x3, network.Pool1)
    second = _chain(network.Conv2d_3b_1x1, network.Conv2d_4a_3x3, network.Pool2)
    body = [Stage("Pool1", first), Stage("Pool2", second), *_named_stages(network, _INCEPTION)]
    return Stages(network, (*body, *_timm_head(network, "global_pool", "head_drop")))


def _timm_convnext(network: Any) -> Stages:
    from torch import nn

    body = [Stage("stem", network.stem), *_numbered_stages("stages", network.stages)]
    if not isinstance(network.norm_pre, nn.Identity):
        body.append(Stage("norm_pre", network.norm_pre))
    head = [(name, part) for name, part in network.head.named_children() if name != "fc"]
    embedding, *classifier = _timm_head(network)
    embedding = Stage("embedding", piece(embedding.forward, **dict(head)), "vector")
    return Stages(network, (*body, embedding, *classifier))


_TOKEN_PARTS = (
    "patch_embed",
    "cls_token",
    "reg_token",
    "pos_embed",
    "pos_drop",
    "patch_drop",
    "norm_pre",
    "rope",
)
_TOKEN_POOL = ("attn_pool", "fc_norm", "head_drop")


def _parts(network: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(network, name, None) for name in names}


def _timm_vit(network: Any) -> Stages:
    def start(x: Any) -> Any:
        """Pixels (N, 3, H, W) as tokens (N, T, width), with their positions."""
        return network.norm_pre(network.patch_drop(network._pos_embed(network.patch_embed(x))))

    return _timm_tokens(network, start, network.blocks)


def _timm_eva(network: Any) -> Stages:
    if getattr(network, "rope_mixed", False):
        raise BackboneError(
            "a network whose rotary position embedding differs from block to block cannot be cut into stages: "
            "choose one without (DINOv3, for instance)."
        )

    def start(x: Any) -> Any:
        """Pixels (N, 3, H, W) as tokens (N, T, width), with their positions."""
        return network.norm_pre(network._pos_embed(network.patch_embed(x))[0])

    return _timm_tokens(network, start, [_with_rope(network, block) for block in network.blocks])


def _with_rope(network: Any, block: nn.Module) -> nn.Module:
    """A block of tokens with the rotary embedding that the network hands to each of its blocks."""

    def run(x: Any) -> Any:
        """Tokens (N, T, width) through the block, of the same shape."""
        rope = network.rope
        if rope is None:
            return block(x)
        shape = None if getattr(rope, "feat_shape", None) else network.patch_embed.grid_size
        return block(x, rope=rope.get_embed(shape=shape))

    return piece(run, block=block)


def _timm_tokens(network: Any, start: Callable[[Any], Any], blocks: Iterable[nn.Module]) -> Stages:
    stem = Stage("stem", piece(start, **_parts(network, _TOKEN_PARTS)), "tokens")
    norm = Stage("norm", network.norm, "tokens")
    embedding, *classifier = _timm_head(network)
    embedding = Stage("embedding", piece(embedding.forward, **_parts(network, _TOKEN_POOL)), "vector")
    stages = (stem, *_numbered_stages("blocks", blocks, "tokens"), norm, embedding, *classifier)
    return Stages(network, stages, network.num_prefix_tokens, tuple(network.patch_embed.grid_size))


# torchvision ---------------------------------------------------------------------------------------------------------


def _vision_resnet(network: Any) -> Stages:
    from torch import nn

    stem = Stage("stem", _chain(network.conv1, network.bn1, network.relu, network.maxpool))
    layers = _named_stages(network, (f"layer{i}" for i in range(1, 5)))
    embedding = Stage("embedding", _chain(network.avgpool, nn.Flatten()), "vector")
    return Stages(network, (stem, *layers, embedding, Stage("classifier", network.fc, "logits")))


def _vision_vgg(network: Any) -> Stages:
    from torch import nn

    embed = _chain(network.avgpool, nn.Flatten(), *network.classifier[:-1])
    return _vision_stages(network, _stages_to_pooling(network.features), embed)


def _vision_features(network: Any) -> Stages:
    """MobileNetV2, MobileNetV3, EfficientNet and ConvNeXt: a chain of features, a pooling, a classifier."""
    from torch import nn

    pool = getattr(network, "avgpool", None) or nn.AdaptiveAvgPool2d(1)
    layers = list(network.classifier[:-1])
    flatten = [] if any(isinstance(layer, nn.Flatten) for layer in layers) else [nn.Flatten()]
    return _vision_stages(network, _numbered_stages("features", network.features), _chain(pool, *flatten, *layers))


def _vision_stages(network: Any, body: list[Stage], embed: nn.Module) -> Stages:
    head = (Stage("embedding", embed, "vector"), Stage("classifier", network.classifier[-1], "logits"))
    return Stages(network, (*body, *head))


def _vision_inception(network: Any) -> Stages:
    from torch import nn

    turn = piece(network._transform_input)
    first = _chain(turn, network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_2b_3x3, network.maxpool1)
    second = _chain(network.Conv2d_3b_1x1, network.Conv2d_4a_3x3, network.maxpool2)
    body = [Stage("maxpool1", first), Stage("maxpool2", second), *_named_stages(network, _INCEPTION)]
    embedding = Stage("embedding", _chain(network.avgpool, network.dropout, nn.Flatten()), "vector")
    return Stages(network, (*body, embedding, Stage("classifier", network.fc, "logits")))


def _vision_vit(network: Any) -> Stages:
    import torch

    encoder = network.encoder

    def start(x: Any) -> Any:
        """Pixels (N, 3, H, W) as tokens (N, 1 + T, width): the class token first, with their positions."""
        patches = network._process_input(x)
        tokens = torch.cat([network.class_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        return encoder.dropout(tokens + encoder.pos_embedding)

    owned = {"conv_proj": network.conv_proj, "class_token": network.class_token, "dropout": encoder.dropout}
    stem = Stage("stem", piece(start, **owned, pos_embedding=encoder.pos_embedding), "tokens")
    layers = _numbered_stages("layers", encoder.layers, "tokens")
    norm = Stage("norm", encoder.ln, "tokens")
    heads = list(network.heads)
    embedding = Stage("embedding", _chain(piece(lambda x: x[:, 0]), *heads[:-1]), "vector")
    side = network.image_size // network.patch_size
    stages = (stem, *layers, norm, embedding, Stage("classifier", heads[-1], "logits"))
    return Stages(network, stages, 1, (side, side))


FAMILIES: dict[str, Callable[[Any], Stages]] = {
    "timm.ConvNeXt": _timm_convnext,
    "timm.EfficientNet": _timm_efficientnet,
    "timm.Eva": _timm_eva,
    "timm.InceptionV3": _timm_inception,
    "timm.MobileNetV3": _timm_mobilenetv3,
    "timm.ResNet": _timm_resnet,
    "timm.VGG": _timm_vgg,
    "timm.VisionTransformer": _timm_vit,
    "torchvision.ConvNeXt": _vision_features,
    "torchvision.EfficientNet": _vision_features,
    "torchvision.Inception3": _vision_inception,
    "torchvision.MobileNetV2": _vision_features,
    "torchvision.MobileNetV3": _vision_features,
    "torchvision.ResNet": _vision_resnet,
    "torchvision.VGG": _vision_vgg,
    "torchvision.VisionTransformer": _vision_vit,
}


def cut_network(network: nn.Module) -> Stages:
    """The stages of a torch network of a known family (timm's or torchvision's).

    Raises `BackboneError` for a network of another family.
    """

    kind = type(network)
    family = f"{kind.__module__.split('.')[0]}.{kind.__name__}"
    if family not in FAMILIES:
        names = sorted({name.split(".")[1] for name in FAMILIES})
        raise BackboneError(
            f"a network of the class {kind.__module__}.{kind.__name__} cannot be cut into stages: "
            f"choose one of timm's or torchvision's {', '.join(names[:-1])} or {names[-1]}."
        )
    return FAMILIES[family](network)

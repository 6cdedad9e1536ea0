"""From a name to a torch network with its weights.

Names: one of the zoo's; any of timm's (`resnet18.a1_in1k`); `hf-hub:owner/name`; `torchvision:name`, with weights of
your choice as `torchvision:resnet50.IMAGENET1K_V1`; `torchhub:owner/repository:name` (runs that repository's code);
`random:` before a name of the zoo or timm for random weights. `find` returns the network in evaluation mode with what
is known of it; its family is checked before anything is downloaded. Needs torch and timm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headstart.backbones.conversion.checkpoints import count_classes, drop_prefix, load_into, read_checkpoint
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.fetching import retry_download
from headstart.backbones.converted import ConversionRequest
from headstart.backbones.packaged import PACKAGED, SHORT
from headstart.backbones.zoo import zoo
from headstart.checks import join_words, suggest
from headstart.data.images.spec import ImageSpec
from headstart.errors import BackboneError, UnknownBackbone

if TYPE_CHECKING:
    from torch import nn

SOURCES = ("hf-hub", "torchvision", "torchhub", "random")
_IMAGENET_CLASSES = 1000
_HUB_OF_TORCH = "https://github.com"
_UNSTATED = "not stated by its publisher"
_NOT_OF_THE_NETWORK = {
    *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"),
    *("weights", "weights_backbone", "scriptable", "exportable", "no_jit"),
}
"""Arguments of the libraries' factories that read files, fetch weights or change the whole process."""


@dataclass(frozen=True, eq=False)
class NetworkSource:
    """A network in evaluation mode, what it expects, and how to build it again.

    library, architecture, arguments: what `build` makes the same network of, without its weights.
    """

    network: nn.Module
    spec: ImageSpec
    library: str
    architecture: str
    arguments: Mapping[str, Any]
    licence: str
    source: str


def find_network(request: ConversionRequest) -> NetworkSource:
    """The network that a name stands for, with its weights. Raises `BackboneError` where there is none."""
    source, colon, rest = request.name.partition(":")
    if colon and (source not in SOURCES or not rest):
        raise UnknownBackbone(
            f"backbone {request.name!r} comes from a source that is not known: use a plain name, or put one of "
            f"{join_words([f'{name}:' for name in SOURCES])} before it."
        )
    if source == "torchvision":
        return _find_torchvision(request, rest)
    if source == "torchhub":
        return _find_torchhub(request, rest)
    if source == "hf-hub":
        return _find_hub(request, rest)
    if source == "random":
        request = replace(request, name=rest, seed=request.seed or 0)
    return _find_timm(request)


def build_architecture(library: str, architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network without its weights, in evaluation mode.

    The three may come from a stranger's file: only what the library itself knows is built, and no argument may name
    something to read or to fetch. Raises `BackboneError`.
    """
    surplus = sorted(_NOT_OF_THE_NETWORK & set(arguments))
    if surplus:
        raise BackboneError(
            f"the network {architecture!r} cannot be built: its arguments must not set {join_words(surplus)}."
        )
    if library == "timm":
        import timm

        if timm.is_model(architecture):
            return timm.create_model(architecture, pretrained=False, **arguments).eval()
    if library == "torchvision":
        from torchvision import models

        if architecture in models.list_models(models):
            return models.get_model(architecture, weights=None, **arguments).eval()
    raise BackboneError(
        f"the network {architecture!r} from {library} cannot be built again from its name: convert it from timm or "
        "torchvision to train inside it."
    )


def _build_random(
    request: ConversionRequest, library: str, architecture: str, arguments: Mapping[str, Any]
) -> nn.Module:
    """The network with random weights, the same for the same seed; the caller's random state is left alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed or 0)
        return build_architecture(library, architecture, arguments)


def _sketch(library: str, architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network without memory for its weights: to see what it is, and that it can be cut."""
    import torch

    with torch.device("meta"):
        network = build_architecture(library, architecture, arguments)
    cut_network(network)
    return network


# timm ----------------------------------------------------------------------------------------------------------------


def _find_timm(request: ConversionRequest) -> NetworkSource:
    import timm

    entry = zoo().get(SHORT.get(request.name, request.name))
    full = entry.timm if entry else request.name
    architecture = _timm_architecture(request.name, full)
    config = timm.get_pretrained_cfg(full)
    size = request.size or (entry.size if entry else None)
    arguments = _size_arguments("timm", architecture, size, config.input_size[-1])
    if request.weights is not None:
        network = _build_from_checkpoint(request, architecture, arguments)
    elif request.seed is not None:
        network = _build_random(request, "timm", architecture, arguments)
    else:
        if not config.has_weights:
            raise BackboneError(
                f"backbone {request.name!r} has no published weights in timm {timm.__version__}: "
                "give a checkpoint with --weights, or choose another."
            )
        with retry_download(request.name, _hub()):
            network = timm.create_model(full, pretrained=True, **arguments)
    return _timm_source(request, network, architecture, arguments, size, config.license, f"timm {full}")


def _find_hub(request: ConversionRequest, repository: str) -> NetworkSource:
    import timm

    if request.weights is not None or request.seed is not None:
        raise BackboneError(f"backbone {request.name!r} brings its own weights: name a plain architecture instead.")
    with retry_download(request.name, _hub()):
        config, architecture, arguments = timm.models.load_model_config_from_hf(repository)
        arguments = {
            **(arguments or {}),
            **_size_arguments("timm", architecture, request.size, config["input_size"][-1]),
        }
        arguments = {name: value for name, value in arguments.items() if name not in _NOT_OF_THE_NETWORK}
        network = timm.create_model(request.name, pretrained=True, **arguments)
    licence = config.get("license")
    return _timm_source(
        request, network, architecture, arguments, request.size, licence, f"Hugging Face hub {repository}"
    )


def _hub() -> str:
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise BackboneError("published weights of timm need the package huggingface_hub: install timm anew.") from error
    return str(constants.ENDPOINT)


def _timm_source(
    request: ConversionRequest,
    network: Any,
    architecture: str,
    arguments: Mapping[str, Any],
    size: int | None,
    licence: str | None,
    source: str,
) -> NetworkSource:
    """Drop a last layer that is no ImageNet classifier, so that `build` makes the network that the graph holds."""
    if network.num_classes != _IMAGENET_CLASSES:
        network.reset_classifier(0)
        arguments = {**arguments, "num_classes": 0}
    spec = _timm_spec(network, size)
    licence, source = _terms(request, licence or _UNSTATED, source)
    return NetworkSource(network.eval(), spec, "timm", architecture, arguments, licence, source)


def _terms(request: ConversionRequest, licence: str, source: str) -> tuple[str, str]:
    """Licence and source of the weights, which need not be the published ones."""
    if request.weights is not None:
        return "that of the weights' file", f"the file {request.weights.name}"
    if request.seed is not None:
        return "none: random weights", f"random weights, seed {request.seed}"
    return _spell_licence(licence), source


def _spell_licence(licence: str) -> str:
    """A licence's identifier in its usual spelling."""
    usual = {"apache-2.0": "Apache-2.0", "bsd-3-clause": "BSD-3-Clause", "mit": "MIT"}
    return {**usual, "dinov3-license": "DINOv3 License"}.get(licence, licence)


def _timm_architecture(name: str, full: str) -> str:
    """The architecture in a timm name, once its name and the tag of its weights are known to be right."""
    import timm

    architecture, _, tag = full.partition(".")
    if not timm.is_model(architecture):
        names = [*SHORT, *PACKAGED, *zoo(), *timm.list_models()]
        raise _unknown_name("backbone", name, dict.fromkeys(names), "see 'headstart backbones' for the usual ones.")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        offered = [f"{architecture}.{version}" for version in tags]
        raise _unknown_name("backbone", name, offered, f"the weights of {architecture} are {join_words(offered)}.")
    return architecture


def _unknown_name(what: str, name: str, names: Iterable[str], advice: str) -> UnknownBackbone:
    near = suggest(name, names)
    hint = f"did you mean {join_words(near)}?" if near else advice
    return UnknownBackbone(f"{what} {name!r} is not known: {hint}")


def _size_arguments(library: str, architecture: str, size: int | None, native: int) -> dict[str, Any]:
    """The arguments that make a network for images of this size; only networks of tokens need any."""
    network: Any = _sketch(library, architecture, {})
    tokens = hasattr(network, "patch_embed")
    return {"img_size": size} if tokens and size not in (None, native) else {}


def _build_from_checkpoint(request: ConversionRequest, architecture: str, arguments: dict[str, Any]) -> Any:
    """The network with a checkpoint's weights; without its classifier where that is not ImageNet's."""
    assert request.weights is not None
    weights = read_checkpoint(request.weights)
    sketch: Any = _sketch("timm", architecture, arguments)
    classifier = str(sketch.pretrained_cfg.get("classifier") or "head")
    if count_classes(weights, classifier) != _IMAGENET_CLASSES:
        arguments["num_classes"] = 0
        weights = drop_prefix(weights, classifier)
    network = build_architecture("timm", architecture, arguments)
    load_into(network, weights, request.weights, architecture)
    return network


def _timm_spec(network: Any, size: int | None) -> ImageSpec:
    from timm.data import resolve_data_config

    config = resolve_data_config({}, model=network)
    side = size or int(config["input_size"][-1])
    return ImageSpec(
        size=side,
        resize=max(side, math.floor(side / config["crop_pct"])),
        mean=_scale_to_255(config["mean"]),
        std=_scale_to_255(config["std"]),
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
    )


def _scale_to_255(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (round(255 * float(value), 6) for value in values)
    return red, green, blue


# torchvision and torch hub -------------------------------------------------------------------------------------------


def _find_torchvision(request: ConversionRequest, name: str) -> NetworkSource:
    import torch
    from torchvision import models

    architecture, _, tag = name.partition(".")
    names = models.list_models(models)
    if architecture not in names:
        raise _unknown_name(
            "backbone", request.name, [f"torchvision:{k}" for k in names], "see torchvision's list of models."
        )
    choices = models.get_model_weights(architecture)
    if tag and tag not in choices.__members__:
        published_names = join_words([choice.name for choice in choices])
        raise UnknownBackbone(f"torchvision's {architecture} has the weights {published_names}; found {tag!r}.")
    published = choices[tag] if tag else choices.DEFAULT
    arguments = _torchvision_arguments(architecture)
    _sketch("torchvision", architecture, arguments)
    network: Any = _build_random(request, "torchvision", architecture, arguments)
    if request.weights is not None:
        load_into(network, read_checkpoint(request.weights), request.weights, architecture)
    elif request.seed is None:
        with retry_download(request.name, published.url):
            weights = torch.hub.load_state_dict_from_url(
                published.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        network.load_state_dict(drop_prefix(weights, "AuxLogits"))
    licence, source = _terms(request, published.meta.get("license", "bsd-3-clause"), f"torchvision {published}")
    spec = _torchvision_spec(published.transforms(), request.size)
    return NetworkSource(network.eval(), spec, "torchvision", architecture, arguments, licence, source)


def _torchvision_arguments(architecture: str) -> dict[str, Any]:
    """What a network needs to be given to be the one that its published weights were trained for."""
    if architecture == "inception_v3":
        return {"aux_logits": False, "transform_input": True, "init_weights": False}
    return {}


def _torchvision_spec(transforms: Any, size: int | None) -> ImageSpec:
    native, resize = int(transforms.crop_size[0]), int(transforms.resize_size[0])
    side = size or native
    return ImageSpec(
        size=side,
        resize=max(side, round(resize * side / native)),
        mean=_scale_to_255(transforms.mean),
        std=_scale_to_255(transforms.std),
        interpolation="bilinear" if transforms.interpolation.value == "bilinear" else "bicubic",
    )


def _find_torchhub(request: ConversionRequest, rest: str) -> NetworkSource:
    import torch

    repository, _, entry = rest.rpartition(":")
    if not repository or not entry or request.weights is not None or request.seed is not None:
        raise BackboneError(
            f"backbone {request.name!r} must be written torchhub:owner/repository:name, and brings its own weights."
        )
    with retry_download(request.name, _HUB_OF_TORCH):
        network = torch.hub.load(
            repository, entry, pretrained=True, trust_repo=True, skip_validation=True, verbose=False
        )
    cut_network(network)
    side = request.size or 224
    mean, std = _scale_to_255((0.485, 0.456, 0.406)), _scale_to_255((0.229, 0.224, 0.225))
    spec = ImageSpec(size=side, resize=round(side / 0.875), mean=mean, std=std, interpolation="bilinear")
    return NetworkSource(network.eval(), spec, "torchhub", rest, {}, _UNSTATED, f"torch hub {rest}")

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

from headstart.backbones.conversion.checkpoints import classes_of, drop_prefix, load_into, read_checkpoint
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


def find_network(wanted: ConversionRequest) -> NetworkSource:
    """The network that a name stands for, with its weights. Raises `BackboneError` where there is none."""
    source, colon, rest = wanted.name.partition(":")
    if colon and (source not in SOURCES or not rest):
        raise UnknownBackbone(
            f"backbone {wanted.name!r} comes from a source that is not known: use a plain name, or put one of "
            f"{join_words([f'{name}:' for name in SOURCES])} before it."
        )
    if source == "torchvision":
        return _from_torchvision(wanted, rest)
    if source == "torchhub":
        return _from_torchhub(wanted, rest)
    if source == "hf-hub":
        return _from_hub(wanted, rest)
    if source == "random":
        wanted = replace(wanted, name=rest, seed=wanted.seed or 0)
    return _from_timm(wanted)


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


def _seeded(wanted: ConversionRequest, library: str, architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network with random weights, the same for the same seed; the caller's random state is left alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(wanted.seed or 0)
        return build_architecture(library, architecture, arguments)


def _sketch(library: str, architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network without memory for its weights: to see what it is, and that it can be cut."""
    import torch

    with torch.device("meta"):
        network = build_architecture(library, architecture, arguments)
    cut_network(network)
    return network


# timm ----------------------------------------------------------------------------------------------------------------


def _from_timm(wanted: ConversionRequest) -> NetworkSource:
    import timm

    entry = zoo().get(SHORT.get(wanted.name, wanted.name))
    full = entry.timm if entry else wanted.name
    architecture = _known_to_timm(wanted.name, full)
    settings = timm.get_pretrained_cfg(full)
    size = wanted.size or (entry.size if entry else None)
    arguments = _sized("timm", architecture, size, settings.input_size[-1])
    if wanted.weights is not None:
        network = _loaded(wanted, architecture, arguments)
    elif wanted.seed is not None:
        network = _seeded(wanted, "timm", architecture, arguments)
    else:
        if not settings.has_weights:
            raise BackboneError(
                f"backbone {wanted.name!r} has no published weights in timm {timm.__version__}: "
                "give a checkpoint with --weights, or choose another."
            )
        with retry_download(wanted.name, _hub()):
            network = timm.create_model(full, pretrained=True, **arguments)
    return _of_timm(wanted, network, architecture, arguments, size, settings.license, f"timm {full}")


def _from_hub(wanted: ConversionRequest, repository: str) -> NetworkSource:
    import timm

    if wanted.weights is not None or wanted.seed is not None:
        raise BackboneError(f"backbone {wanted.name!r} brings its own weights: name a plain architecture instead.")
    with retry_download(wanted.name, _hub()):
        settings, architecture, arguments = timm.models.load_model_config_from_hf(repository)
        arguments = {**(arguments or {}), **_sized("timm", architecture, wanted.size, settings["input_size"][-1])}
        arguments = {name: value for name, value in arguments.items() if name not in _NOT_OF_THE_NETWORK}
        network = timm.create_model(wanted.name, pretrained=True, **arguments)
    licence = settings.get("license")
    return _of_timm(wanted, network, architecture, arguments, wanted.size, licence, f"Hugging Face hub {repository}")


def _hub() -> str:
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise BackboneError("published weights of timm need the package huggingface_hub: install timm anew.") from error
    return str(constants.ENDPOINT)


def _of_timm(
    wanted: ConversionRequest,
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
    spec = _spec_of_timm(network, size)
    licence, source = _terms(wanted, licence or _UNSTATED, source)
    return NetworkSource(network.eval(), spec, "timm", architecture, arguments, licence, source)


def _terms(wanted: ConversionRequest, licence: str, source: str) -> tuple[str, str]:
    """Licence and source of the weights, which need not be the published ones."""
    if wanted.weights is not None:
        return "that of the weights' file", f"the file {wanted.weights.name}"
    if wanted.seed is not None:
        return "none: random weights", f"random weights, seed {wanted.seed}"
    return _spelt(licence), source


def _spelt(licence: str) -> str:
    """A licence's identifier in its usual spelling."""
    usual = {"apache-2.0": "Apache-2.0", "bsd-3-clause": "BSD-3-Clause", "mit": "MIT"}
    return {**usual, "dinov3-license": "DINOv3 License"}.get(licence, licence)


def _known_to_timm(asked: str, full: str) -> str:
    """The architecture in a timm name, once its name and the tag of its weights are known to be right."""
    import timm

    architecture, _, tag = full.partition(".")
    if not timm.is_model(architecture):
        known = [*SHORT, *PACKAGED, *zoo(), *timm.list_models()]
        raise _wrong("backbone", asked, dict.fromkeys(known), "see 'headstart backbones' for the usual ones.")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        offered = [f"{architecture}.{known}" for known in tags]
        raise _wrong("backbone", asked, offered, f"the weights of {architecture} are {join_words(offered)}.")
    return architecture


def _wrong(what: str, asked: str, known: Iterable[str], otherwise: str) -> UnknownBackbone:
    near = suggest(asked, known)
    hint = f"did you mean {join_words(near)}?" if near else otherwise
    return UnknownBackbone(f"{what} {asked!r} is not known: {hint}")


def _sized(library: str, architecture: str, size: int | None, own: int) -> dict[str, Any]:
    """The arguments that make a network for images of this size; only networks of tokens need any."""
    network: Any = _sketch(library, architecture, {})
    tokens = hasattr(network, "patch_embed")
    return {"img_size": size} if tokens and size not in (None, own) else {}


def _loaded(wanted: ConversionRequest, architecture: str, arguments: dict[str, Any]) -> Any:
    """The network with a checkpoint's weights; without its classifier where that is not ImageNet's."""
    assert wanted.weights is not None
    weights = read_checkpoint(wanted.weights)
    sketch: Any = _sketch("timm", architecture, arguments)
    classifier = str(sketch.pretrained_cfg.get("classifier") or "head")
    if classes_of(weights, classifier) != _IMAGENET_CLASSES:
        arguments["num_classes"] = 0
        weights = drop_prefix(weights, classifier)
    network = build_architecture("timm", architecture, arguments)
    load_into(network, weights, wanted.weights, architecture)
    return network


def _spec_of_timm(network: Any, size: int | None) -> ImageSpec:
    from timm.data import resolve_data_config

    found = resolve_data_config({}, model=network)
    side = size or int(found["input_size"][-1])
    return ImageSpec(
        size=side,
        resize=max(side, math.floor(side / found["crop_pct"])),
        mean=_in_255(found["mean"]),
        std=_in_255(found["std"]),
        interpolation="bilinear" if found["interpolation"] == "bilinear" else "bicubic",
    )


def _in_255(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (round(255 * float(value), 6) for value in values)
    return red, green, blue


# torchvision and torch hub -------------------------------------------------------------------------------------------


def _from_torchvision(wanted: ConversionRequest, name: str) -> NetworkSource:
    import torch
    from torchvision import models

    architecture, _, tag = name.partition(".")
    known = models.list_models(models)
    if architecture not in known:
        raise _wrong("backbone", wanted.name, [f"torchvision:{k}" for k in known], "see torchvision's list of models.")
    choices = models.get_model_weights(architecture)
    if tag and tag not in choices.__members__:
        names = join_words([choice.name for choice in choices])
        raise UnknownBackbone(f"torchvision's {architecture} has the weights {names}; found {tag!r}.")
    published = choices[tag] if tag else choices.DEFAULT
    arguments = _arguments_of_torchvision(architecture)
    _sketch("torchvision", architecture, arguments)
    network: Any = _seeded(wanted, "torchvision", architecture, arguments)
    if wanted.weights is not None:
        load_into(network, read_checkpoint(wanted.weights), wanted.weights, architecture)
    elif wanted.seed is None:
        with retry_download(wanted.name, published.url):
            weights = torch.hub.load_state_dict_from_url(
                published.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        network.load_state_dict(drop_prefix(weights, "AuxLogits"))
    licence, source = _terms(wanted, published.meta.get("license", "bsd-3-clause"), f"torchvision {published}")
    spec = _spec_of_torchvision(published.transforms(), wanted.size)
    return NetworkSource(network.eval(), spec, "torchvision", architecture, arguments, licence, source)


def _arguments_of_torchvision(architecture: str) -> dict[str, Any]:
    """What a network needs to be told to be the one that its published weights were trained for."""
    if architecture == "inception_v3":
        return {"aux_logits": False, "transform_input": True, "init_weights": False}
    return {}


def _spec_of_torchvision(transforms: Any, size: int | None) -> ImageSpec:
    own, resize = int(transforms.crop_size[0]), int(transforms.resize_size[0])
    side = size or own
    return ImageSpec(
        size=side,
        resize=max(side, round(resize * side / own)),
        mean=_in_255(transforms.mean),
        std=_in_255(transforms.std),
        interpolation="bilinear" if transforms.interpolation.value == "bilinear" else "bicubic",
    )


def _from_torchhub(wanted: ConversionRequest, rest: str) -> NetworkSource:
    import torch

    repository, _, entry = rest.rpartition(":")
    if not repository or not entry or wanted.weights is not None or wanted.seed is not None:
        raise BackboneError(
            f"backbone {wanted.name!r} must be written torchhub:owner/repository:name, and brings its own weights."
        )
    with retry_download(wanted.name, _HUB_OF_TORCH):
        network = torch.hub.load(
            repository, entry, pretrained=True, trust_repo=True, skip_validation=True, verbose=False
        )
    cut_network(network)
    side = wanted.size or 224
    mean, std = _in_255((0.485, 0.456, 0.406)), _in_255((0.229, 0.224, 0.225))
    spec = ImageSpec(size=side, resize=round(side / 0.875), mean=mean, std=std, interpolation="bilinear")
    return NetworkSource(network.eval(), spec, "torchhub", rest, {}, _UNSTATED, f"torch hub {rest}")

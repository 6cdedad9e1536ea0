"""Converts any other network into a backbone: found by name, traced once, stored in the user's cache folder.

`convert` makes the two files, `find_converted` finds those made earlier, `build_network` and `state_dict` take the
weights back out of a graph for training. Everything but `find_converted` needs the extra `finetune` (torch, timm,
onnx), and says so before any work.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbones import converted
from headstart.backbones.converted import ConversionRequest
from headstart.backbones.deltas import fit_tensors
from headstart.backbones.graph import Backbone, write_backbone
from headstart.backbones.packaged import PACKAGED, SHORT
from headstart.backbones.zoo import zoo
from headstart.checks import at_least, join_words, suggest
from headstart.errors import BackboneError, MissingExtra, UnknownBackbone

if TYPE_CHECKING:
    from torch import Tensor, nn

_NEEDED = ("torch", "torchvision", "timm", "onnx")
_MOST_PARAMETERS = 500_000_000  # an ONNX file holds at most 2 GB, and the exporter works in single precision


def convert(name: str, *, weights: Path | None = None, seed: int | None = None, size: int | None = None) -> Backbone:
    """Convert a network into a graph in the cache folder, replacing an earlier one.

    name: see `networks.py`. weights: a checkpoint for the named architecture instead of the published weights. seed:
    random weights instead. size: side of the input in pixels, None for the network's own. Raises `MissingExtra` without
    the extra and `BackboneError` for a wrong name, weights that cannot be had, or a family that cannot be cut.
    """
    request = ConversionRequest(name, weights, seed, size)
    if size is not None:
        at_least("size", size, 32)
    require_extra("Converting a backbone", name)
    if weights is not None and seed is not None:
        raise BackboneError("a backbone takes its weights from a file or from a seed, not from both: give one.")
    return _trace(request, converted.file_stem(request))


def find_converted(
    name: str, *, weights: Path | None = None, seed: int | None = None, size: int | None = None
) -> Backbone | None:
    """The backbone that an earlier `convert` with the same arguments left; None where there is none."""
    return converted.find_backbone(ConversionRequest(name, weights, seed, size))


def _trace(request: ConversionRequest, stem: str) -> Backbone:
    from headstart.backbones.conversion.families import cut_network
    from headstart.backbones.conversion.networks import find_network
    from headstart.backbones.conversion.tracing import trace

    source = find_network(request)
    parameters = sum(p.numel() for p in source.network.parameters())
    if parameters > _MOST_PARAMETERS:
        raise BackboneError(
            f"backbone {request.name!r} has {parameters / 1e6:,.0f} million parameters; "
            f"at most {_MOST_PARAMETERS / 1e6:,.0f} million fit a graph: choose a smaller one."
        )
    graph, taps = trace(cut_network(source.network), source.spec)
    return write_backbone(
        converted.converted_folder(),
        stem,
        graph,
        spec=source.spec,
        taps=taps,
        licence=source.licence,
        source=source.source,
        facts={
            "asked": request.name,
            "library": source.library,
            "architecture": source.architecture,
            "arguments": dict(source.arguments),
            "parameters": parameters,
            **_zoo_facts(request),
        },
    )


def _zoo_facts(request: ConversionRequest) -> dict[str, Any]:
    """What the zoo knows of these weights; nothing of weights that are the user's own."""
    entry = zoo().get(request.name)
    if (
        entry is None
        or request.weights is not None
        or request.seed is not None
        or request.size not in (None, entry.size)
    ):
        return {}
    return {"year": entry.year, "gigaflops": entry.gigaflops, "top1": entry.top1, "top5": entry.top5}


def build_network(backbone: Backbone) -> nn.Module:
    """The backbone as a torch network in evaluation mode, with the graph's weights and its delta: to train inside it.

    Raises `BackboneError` when the backbone's facts and graph do not make a network.
    """
    require_extra("Training inside a backbone", backbone.name)
    from headstart.backbones.conversion.networks import build_architecture

    facts = backbone.facts
    library, architecture, arguments = (facts.get(name) for name in ("library", "architecture", "arguments"))
    if not isinstance(library, str) or not isinstance(architecture, str) or not isinstance(arguments, dict):
        raise BackboneError(f"the backbone {backbone.name} does not say which network it is: convert it again.")
    try:
        network = build_architecture(library, architecture, arguments)
        network.load_state_dict(_weights_for(network, backbone), strict=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BackboneError(
            f"the graph of {backbone.name} does not hold the network {architecture!r} that its description names "
            f"({type(error).__name__}): convert it again."
        ) from error
    return network


def state_dict(backbone: Backbone) -> dict[str, Tensor]:
    """All weights of the backbone's network by name, as its own `load_state_dict(strict=True)` takes them.

    Matrices and kernels are float32 numbers rounded to half precision, the rest is exact.
    """
    return dict(build_network(backbone).state_dict())


def _weights_for(network: nn.Module, backbone: Backbone) -> dict[str, Any]:
    """The backbone's weights for every name in the network's own state dict; counters of batches start at zero."""
    import torch

    from headstart.backbones.conversion.tracing import read_graph_weights

    stored = read_graph_weights(backbone.graph)
    expected = network.state_dict()
    missing = [name for name in expected if name not in stored and not name.endswith(".num_batches_tracked")]
    if missing:
        raise BackboneError(
            f"the graph of {backbone.name} lacks weights of its network ({join_words(missing, 3)}): convert it again."
        )
    stored |= fit_tensors(backbone, {name: value.shape for name, value in expected.items() if name in stored})
    return {
        name: torch.from_numpy(stored[name].copy()).reshape(value.shape) if name in stored else torch.zeros_like(value)
        for name, value in expected.items()
    }


def require_extra(work: str, name: str) -> None:
    """Raise before any work when the heavy stack is absent; a misspelt name is answered as such all the same."""
    missing = next((package for package in _NEEDED if find_spec(package) is None), None)
    if missing is None:
        return
    near = suggest(name, [*SHORT, *PACKAGED], 1)
    if near and name not in zoo():
        raise UnknownBackbone(
            f"backbone {name!r} is not among those that come with Headstart: did you mean {near[0]!r}? "
            f"(Converting any other needs {missing!r}: pip install 'headstart[finetune]'.)"
        )
    raise MissingExtra(work, "finetune", missing)

"""A checkpoint file's weights, and their way into a network of a named architecture.

safetensors, or torch files read with `weights_only=True`: no code in them runs. A classifier for other classes than the
network's is left out; any other difference in names or shapes is an error that names it. Needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.checks import join_words, quantity
from headstart.errors import BackboneError

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_PREFIXES = ("module.", "model.", "_orig_mod.")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint by name, without the wrappers that training frames put around them."""
    if path.suffix.lower() not in SUFFIXES:
        raise BackboneError(f"the weights {path} must be a file of the kind {', '.join(SUFFIXES)}.")
    if not path.is_file():
        raise BackboneError(f"the weights {path} were to be read, but there is no such file.")
    content = _unwrap(_read(path))
    weights = {name: value for name, value in content.items() if hasattr(value, "shape")}
    if not weights:
        raise BackboneError(f"the weights {path} hold no tensors by name: save the network's state_dict() instead.")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _read(path: Path) -> Any:
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything; a pickle with code in it is refused here
        raise BackboneError(
            f"the weights {path} cannot be read as plain tensors ({type(error).__name__}): save the network's "
            "state_dict() with safetensors or torch.save."
        ) from error


def _unwrap(content: Any) -> Mapping[str, Any]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            return content[wrapper]  # type: ignore[no-any-return]
    return content if isinstance(content, Mapping) else {}


def count_classes(weights: Mapping[str, Tensor], classifier: str) -> int:
    """How many classes the checkpoint's classifier tells apart; 0 where it has none."""
    matrix = weights.get(f"{classifier}.weight")
    return 0 if matrix is None else int(matrix.shape[0])


def drop_prefix(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The weights but those of one part of the network."""
    return {name: value for name, value in weights.items() if not name.startswith(f"{part}.")}


def load_into(network: nn.Module, weights: Mapping[str, Tensor], path: Path, architecture: str) -> None:
    """Put all weights into the network; raise `BackboneError` when names or shapes differ."""
    expected = network.state_dict()
    counters = {name for name in expected if name.endswith(".num_batches_tracked")}
    missing = sorted(expected.keys() - weights.keys() - counters)
    surplus = sorted(weights.keys() - expected.keys())
    shapes = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    faults = [
        f"{quantity(len(names), 'tensor')} {what} ({join_words(sorted(names), 3)})"
        for names, what in ((missing, "missing"), (surplus, "unknown"), (shapes, "of another shape"))
        if names
    ]
    if faults:
        raise BackboneError(
            f"the weights {path} do not fit the architecture {architecture!r}: {', '.join(faults)}. "
            "Name the architecture that they were trained with."
        )
    network.load_state_dict(dict(weights), strict=not counters)

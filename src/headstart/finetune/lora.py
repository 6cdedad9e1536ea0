"""Low-rank adapters (LoRA, Hu et al. 2022) beside linear layers, through peft; merged into the weights afterwards.

Merged, a network is what it was before, with other weights: it is saved, exported and run like any other. Needs peft.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from headstart.errors import MissingExtra

if TYPE_CHECKING:
    from torch import nn


def need_peft() -> None:
    """Raise `MissingExtra` where peft is not installed."""
    if find_spec("peft") is None:
        raise MissingExtra("The strategy 'lora'", "lora", "peft")


def adapt(network: nn.Module, weights: Iterable[str], rank: int) -> None:
    """Put adapters of this rank beside the layers that hold these weights; they begin by changing nothing."""
    from peft import LoraConfig, inject_adapter_in_model

    layers = sorted(name.removesuffix(".weight") for name in weights)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=layers)
    inject_adapter_in_model(config, network)


def merge(network: nn.Module) -> None:
    """Fold the adapters into the weights they stand beside, and take them out."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, attribute = name.rpartition(".")
            setattr(network.get_submodule(parent), attribute, module.get_base_layer())

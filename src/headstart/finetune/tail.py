"""The part of a network that trains: the blocks behind the boundary with a new head, ready for an optimiser.

`build_tail` freezes everything but a phase's parameters and returns a `Tail`: the module, its trained parameters by
name and the statistics that move with them. Frozen means frozen: a frozen batch norm stays in evaluation mode. Needs
torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.backbones.conversion.stages import Stages, piece
from headstart.finetune.freeze_plan import Phase, embedding, units
from headstart.finetune.head_init import HeadInit
from headstart.finetune.recipe import TrainingConfig
from headstart.heads.forms.linear import Linear
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from torch import Tensor, nn

HEAD = "head."


@dataclass(frozen=True, eq=False)
class Tail:
    """module: boundary activations → scores. parameters: what trains, by its name in the network (the head's under
    `head.`). statistics: batch-norm buffers that move. rates: learning rate of each parameter."""

    module: nn.Module
    parameters: dict[str, nn.Parameter]
    statistics: dict[str, Tensor]
    rates: dict[str, float]

    def state(self) -> dict[str, Tensor]:
        """A copy of everything that training changes."""
        return {name: value.detach().clone() for name, value in {**self.parameters, **self.statistics}.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put a copy's values back; names that do not train here are passed over."""
        import torch

        with torch.no_grad():
            for name, value in {**self.parameters, **self.statistics}.items():
                value.copy_(state[name])


def torch_head(head_init: HeadInit) -> nn.Module:
    """A linear layer with the initial weights."""
    import torch

    layer = torch.nn.Linear(len(head_init.centre), len(head_init.bias))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(head_init.weight.T)))
        layer.bias.copy_(torch.from_numpy(head_init.bias))
    return layer


def linear_form_of(head_init: HeadInit, weight: Floats, bias: Floats) -> Linear:
    """A trained head (weight (K, d), bias (K,)) as the form that a bundle stores: the spread goes into the weight."""
    raw_weight = (weight / head_init.spread).T.astype(np.float32)
    return Linear(head_init.centre, np.ascontiguousarray(raw_weight), bias.astype(np.float32), np.array(0, np.uint8))


def build_tail(stages: Stages, phase: Phase, head_init: HeadInit, head: nn.Module, config: TrainingConfig) -> Tail:
    """Freeze the network but for the phase's parameters, and join what lies behind the boundary with the head."""
    import torch

    blocks = stages.blocks()
    body = torch.nn.Sequential(*(block.forward for block in blocks.stages[phase.boundary : embedding(blocks) + 1]))
    centre, spread = torch.from_numpy(head_init.centre), torch.from_numpy(head_init.spread)

    def run(x: Any) -> Any:
        """Activations at the boundary → scores (N, classes)."""
        return head((body(x).float() - centre.to(x.device)) / spread.to(x.device))

    module = piece(run, body=body, head=head)
    names = _trained_names(stages, phase)
    for name, parameter in stages.network.named_parameters():
        parameter.requires_grad_(name in names)
    head.requires_grad_(True)
    network = dict(stages.network.named_parameters())
    parameters = {name: network[name] for name in sorted(names)}
    parameters |= {f"{HEAD}{name}": parameter for name, parameter in head.named_parameters()}
    moving = _moving_norms(stages, names) if config.norms == "trained" else {}
    statistics = {
        f"{name}.{buffer}": getattr(norm, buffer)
        for name, norm in moving.items()
        for buffer in ("running_mean", "running_var")
    }
    set_mode(module, set(moving.values()), training=True)
    return Tail(module, parameters, statistics, _rates(stages, parameters, config))


def _trained_names(stages: Stages, phase: Phase) -> set[str]:
    """The phase's parameters; of a layer with adapters, these instead of the weight beside them."""
    names: set[str] = set()
    for name, _ in stages.network.named_parameters():
        if ".lora_" in name:  # peft calls an adapter LAYER.lora_A…, and the weight beside it LAYER.base_layer.weight
            trains = f"{name.partition('.lora_')[0]}.weight" in phase.trained
        else:
            trains = ".base_layer." not in name and name in phase.trained
        if trains:
            names.add(name)
    return names


def _moving_norms(stages: Stages, names: set[str]) -> dict[str, nn.Module]:
    """The batch norms whose weights train, by name."""
    return {
        name: module
        for name, module in stages.network.named_modules()
        if getattr(module, "running_mean", None) is not None and f"{name}.weight" in names
    }


def set_mode(module: nn.Module, moving: set[nn.Module], *, training: bool) -> None:
    """Training or evaluation mode; batch norms other than `moving` always stay in evaluation mode."""
    module.train(training)
    for part in module.modules():
        if hasattr(part, "running_mean") and part not in moving:
            part.eval()


def _rates(stages: Stages, parameters: dict[str, nn.Parameter], config: TrainingConfig) -> dict[str, float]:
    """The head's rate, and for the network backbone_rate · layer_decay^depth, with depth 0 for the last unit."""
    all_units = units(stages)
    depth: dict[int, int] = {}
    for i, unit in enumerate(all_units):
        for number in unit.stages:
            for parameter in stages.stages[number].forward.parameters():
                depth.setdefault(id(parameter), len(all_units) - 1 - i)
    return {
        name: config.recipe.rate
        if name.startswith(HEAD)
        else config.backbone_rate * config.layer_decay ** depth[id(parameter)]
        for name, parameter in parameters.items()
    }

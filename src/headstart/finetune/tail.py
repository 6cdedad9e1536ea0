"""The part of a network that trains: the blocks behind the boundary with a new head, ready for an optimiser.

`tail` freezes everything but a phase's parameters and returns a `Tail`: the module, its trained parameters by name and
the statistics that move with them. Frozen means frozen: a frozen batch norm stays in evaluation mode. Needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.backbones.conversion.stages import Stages, piece
from headstart.finetune.freeze_plan import Phase, embedding, units
from headstart.finetune.head_init import HeadInit
from headstart.finetune.recipe import Settings
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
        found = {**self.parameters, **self.statistics}
        return {name: value.detach().clone() for name, value in found.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put a copy's values back; names that do not train here are passed over."""
        import torch

        with torch.no_grad():
            for name, value in {**self.parameters, **self.statistics}.items():
                value.copy_(state[name])


def torch_head(start: HeadInit) -> nn.Module:
    """A linear layer that begins as `start` says."""
    import torch

    layer = torch.nn.Linear(len(start.centre), len(start.bias))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(start.weight.T)))
        layer.bias.copy_(torch.from_numpy(start.bias))
    return layer


def linear_form_of(start: HeadInit, weight: Floats, bias: Floats) -> Linear:
    """A trained head (weight (K, d), bias (K,)) as the form that a bundle stores."""
    folded = (weight / start.spread).T.astype(np.float32)
    return Linear(start.centre, np.ascontiguousarray(folded), bias.astype(np.float32), np.array(0, np.uint8))


def build_tail(stages: Stages, phase: Phase, start: HeadInit, head: nn.Module, settings: Settings) -> Tail:
    """Freeze the network but for the phase's parameters, and join what lies behind the boundary with the head."""
    import torch

    fine = stages.blocks()
    body = torch.nn.Sequential(*(stage.forward for stage in fine.stages[phase.boundary : embedding(fine) + 1]))
    centre, spread = torch.from_numpy(start.centre), torch.from_numpy(start.spread)

    def run(x: Any) -> Any:
        """Activations at the boundary → scores (N, classes)."""
        return head((body(x).float() - centre.to(x.device)) / spread.to(x.device))

    module = piece(run, body=body, head=head)
    names = _trained(stages, phase)
    for name, parameter in stages.network.named_parameters():
        parameter.requires_grad_(name in names)
    head.requires_grad_(True)
    network = dict(stages.network.named_parameters())
    parameters = {**{name: network[name] for name in sorted(names)}, **_named_head(head)}
    moving = _moving_norms(stages, names) if settings.norms == "trained" else {}
    statistics = {
        f"{name}.{buffer}": getattr(norm, buffer)
        for name, norm in moving.items()
        for buffer in ("running_mean", "running_var")
    }
    set_mode(module, set(moving.values()), training=True)
    return Tail(module, parameters, statistics, _rates(stages, parameters, settings))


def _trained(stages: Stages, phase: Phase) -> set[str]:
    """The phase's parameters; of a layer with adapters, these instead of its own weight."""
    found: set[str] = set()
    for name, _ in stages.network.named_parameters():
        plain, adapter = name.replace(".base_layer.", "."), ".lora_" in name
        if (adapter and f"{name.partition('.lora_')[0]}.weight" in phase.trained) or (
            plain == name and not adapter and name in phase.trained
        ):
            found.add(name)
    return found


def _named_head(head: nn.Module) -> dict[str, nn.Parameter]:
    return {f"{HEAD}{name}": parameter for name, parameter in head.named_parameters()}


def _moving_norms(stages: Stages, names: set[str]) -> dict[str, nn.Module]:
    """The batch norms whose own weights train, by name."""
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


def _rates(stages: Stages, parameters: dict[str, nn.Parameter], settings: Settings) -> dict[str, float]:
    """The head's rate, and for the network one that falls from unit to unit, counted from the last."""
    found = units(stages)
    depth: dict[int, int] = {}
    for i, unit in enumerate(found):
        for number in unit.stages:
            for parameter in stages.stages[number].forward.parameters():
                depth.setdefault(id(parameter), len(found) - 1 - i)
    return {
        name: settings.recipe.rate
        if name.startswith(HEAD)
        else settings.backbone_rate * settings.layer_decay ** depth[id(parameter)]
        for name, parameter in parameters.items()
    }

"""Freeze plans: what a strategy trains in one network, and from which stage on (the boundary).

`make_freeze_plan` takes a strategy and a network cut into stages, and returns a `FreezePlan`: one phase, or for gradual
unfreezing several. A *unit* is what a person would call a stage: a stage of the network with what follows it before the
next (the last convolution, the last norm, the pooling). It trains nothing and changes nothing. Needs torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.checks import join_words, quantity
from headstart.errors import OptionError
from headstart.finetune.strategies import Strategy

if TYPE_CHECKING:
    from torch import nn

    from headstart.backbones.conversion.stages import Stage, Stages

_NUMBERED = re.compile(r"\d")


@dataclass(frozen=True)
class Phase:
    """What trains at one time.

    boundary: how many blocks (stages of `Stages.blocks()`) come before the first that trains; they are frozen and run
    once. trained: the names of the parameters that train, as in the network's state dict (the new head always trains).
    """

    boundary: int
    trained: frozenset[str]


@dataclass(frozen=True)
class FreezePlan:
    """phases: one, or several that follow each other. words: what trains, for the user."""

    strategy: Strategy
    phases: tuple[Phase, ...]
    words: str

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that train in any phase."""
        return frozenset().union(*(phase.trained for phase in self.phases))


@dataclass(frozen=True)
class Unit:
    """A stage as a person counts them: name, and the numbers of the network's stages that belong to it."""

    name: str
    stages: range


def units(stages: Stages) -> tuple[Unit, ...]:
    """The network's units, first to last; what follows the last numbered stage belongs to it."""
    starts = first_of_units([stage.name for stage in stages.body])
    ends = [*starts[1:], embedding(stages) + 1]
    return tuple(Unit(stages.names[a], range(a, b)) for a, b in zip(starts, ends, strict=True))


def first_of_units(names: Sequence[str]) -> list[int]:
    """The positions at which units begin among the names of a network's tapped stages: the first, every numbered one.

    >>> first_of_units(["stem", "blocks.0", "blocks.1", "conv_head"])
    [0, 1, 2]
    """
    return [i for i, name in enumerate(names) if i == 0 or _NUMBERED.search(name)]


def embedding(stages: Stages) -> int:
    """The number of the stage that gives the embedding."""
    return next(i for i, stage in enumerate(stages.stages) if stage.layout == "vector")


def make_freeze_plan(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    """What `strategy` trains in this network. Raises `OptionError` where the network cannot do it.

    name: what to call the network in messages.
    """
    return _PLANS[strategy.kind](strategy, stages, name)


def _plan_stages(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    all_units = units(stages)
    _check_count(strategy, len(all_units), name, "stage", [unit.name for unit in all_units])
    chosen = all_units[-strategy.count :]
    names = ", ".join(unit.name for unit in chosen)
    words = f"the last {quantity(strategy.count, 'stage')} of {len(all_units)} ({names})"
    return FreezePlan(strategy, (_phase(stages, _parameters(stages, chosen)),), words)


def _plan_blocks(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    finest = stages.blocks()
    blocks = [i for i, stage in enumerate(finest.body) if i == 0 or _is_block(stage)]
    _check_count(strategy, len(blocks), name, "block", [finest.names[i] for i in blocks])
    first = blocks[-strategy.count]
    owners = _owners(finest)
    trained = frozenset(p for p in _parameters(stages, units(stages)) if owners[p] >= first)
    words = f"the last {quantity(strategy.count, 'block')} of {len(blocks)}, from {finest.names[first]}"
    return FreezePlan(strategy, (_phase(stages, trained),), words)


def _is_block(stage: Stage) -> bool:
    return bool(_NUMBERED.search(stage.name)) and any(True for _ in stage.forward.parameters())


def _plan_layers(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    layers = [layer for layer, _ in _leaf_layers(stages)]
    _check_count(strategy, len(layers), name, "layer", layers)
    trained = frozenset(p for _, parameters in _leaf_layers(stages)[-strategy.count :] for p in parameters)
    words = (
        f"the last {quantity(strategy.count, 'layer')} with weights of {len(layers)}, from {layers[-strategy.count]}"
    )
    return FreezePlan(strategy, (_phase(stages, trained),), words)


def _plan_gradual(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    all_units = units(stages)
    phases = [Phase(_end(stages), frozenset())]
    phases += [_phase(stages, _parameters(stages, all_units[-k:])) for k in range(1, len(all_units) + 1)]
    return FreezePlan(strategy, tuple(phases), f"the head, then one more of {len(all_units)} stages at a time")


def _plan_full(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = _parameters(stages, units(stages))
    random = ", from random weights" if strategy.kind == "scratch" else ""
    return FreezePlan(strategy, (Phase(0, trained),), f"the whole network{random}")


def _plan_surgical(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    all_units = units(stages)
    positions = {"first": 0, "middle": len(all_units) // 2, "last": len(all_units) - 1}
    names = {unit.name: i for i, unit in enumerate(all_units)}
    number = names.get(strategy.stage, positions.get(strategy.stage))
    if number is None:
        raise OptionError(
            f"strategy {strategy.name!r} names a stage that {name} does not have: "
            f"choose one of {join_words(list(names), 40)}."
        )
    unit = all_units[number]
    return FreezePlan(strategy, (_phase(stages, _parameters(stages, [unit])),), f"{unit.name} alone")


def _plan_norms(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = _module_parameters(stages, _is_norm)
    return _plan_parameters(strategy, stages, name, trained, "normalisation layers")


def _plan_biases(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = frozenset(p for p in _parameters(stages, units(stages)) if p.rpartition(".")[2] == "bias")
    return _plan_parameters(strategy, stages, name, trained, "biases")


def _plan_lora(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    from torch import nn

    body = set(_parameters(stages, units(stages)[1:]))
    weights = [
        p for p in _module_parameters(stages, lambda module: isinstance(module, nn.Linear)) if p.endswith("weight")
    ]
    chosen = frozenset(weights) & body
    if not chosen or not any(stage.layout == "tokens" for stage in stages.stages):
        raise OptionError(
            f"strategy 'lora' puts adapters beside the linear layers of transformer blocks, and {name} has none: "
            "choose a vision transformer with --backbones, or norm-only or bias-only, which train as little."
        )
    return FreezePlan(strategy, (_phase(stages, chosen),), f"low-rank adapters of {quantity(len(chosen), 'layer')}")


_PLANS: dict[str, Callable[[Strategy, Any, str], FreezePlan]] = {
    "stages": _plan_stages,
    "blocks": _plan_blocks,
    "layers": _plan_layers,
    "gradual": _plan_gradual,
    "full": _plan_full,
    "scratch": _plan_full,
    "surgical": _plan_surgical,
    "norm": _plan_norms,
    "bias": _plan_biases,
    "lora": _plan_lora,
}


def _plan_parameters(strategy: Strategy, stages: Stages, name: str, trained: frozenset[str], what: str) -> FreezePlan:
    if not trained:
        raise OptionError(
            f"strategy {strategy.name!r} trains the {what}, and {name} has none: choose another strategy."
        )
    return FreezePlan(strategy, (_phase(stages, trained),), f"the {what} ({quantity(len(trained), 'array')})")


def _phase(stages: Stages, trained: frozenset[str]) -> Phase:
    """The phase that trains these parameters: its boundary is the first block that holds one of them."""
    owners = _owners(stages.blocks())
    return Phase(min((owners[name] for name in trained), default=_end(stages)), trained)


def _end(stages: Stages) -> int:
    """The boundary behind the embedding: nothing but the head trains."""
    return embedding(stages.blocks()) + 1


def _owners(stages: Stages) -> dict[str, int]:
    """The first stage that holds each parameter, by the parameter's name."""
    names = {id(parameter): name for name, parameter in stages.network.named_parameters()}
    owners: dict[str, int] = {}
    for number, stage in enumerate(stages.stages):
        for parameter in stage.forward.parameters():
            owners.setdefault(names[id(parameter)], number)
    return owners


def _parameters(stages: Stages, chosen: Iterable[Unit]) -> frozenset[str]:
    """The names of the parameters that these units hold."""
    numbers = {number for unit in chosen for number in unit.stages}
    return frozenset(name for name, number in _owners(stages).items() if number in numbers)


def _leaf_layers(stages: Stages) -> list[tuple[str, list[str]]]:
    """The layers that hold parameters directly, in order, with the names of these; without the original head."""
    body = _parameters(stages, units(stages))
    layers = []
    for stage in stages.stages:
        for module in stage.forward.modules():
            parameters = [name for name in _direct_parameters(stages, module) if name in body]
            if parameters:
                layers.append((parameters[0].rpartition(".")[0], parameters))
    return layers


def _direct_parameters(stages: Stages, module: nn.Module) -> list[str]:
    names = {id(parameter): name for name, parameter in stages.network.named_parameters()}
    return [names[id(parameter)] for parameter in module.parameters(recurse=False)]


def _module_parameters(stages: Stages, belongs: Callable[[Any], bool]) -> frozenset[str]:
    body = _parameters(stages, units(stages))
    modules = [module for stage in stages.stages for module in stage.forward.modules() if belongs(module)]
    return frozenset(name for module in modules for name in _direct_parameters(stages, module)) & body


def _is_norm(module: Any) -> bool:
    """Whether a layer normalises: batch, layer, group and their kin, in torch, timm and torchvision."""
    return "Norm" in type(module).__name__


def _check_count(strategy: Strategy, most: int, name: str, what: str, names: Sequence[str]) -> None:
    if strategy.count > most:
        raise OptionError(
            f"strategy {strategy.name!r} was asked of {name}, which has {quantity(most, what)} "
            f"({join_words(names, 12)}): choose at most last-{most}{'' if what == 'stage' else f'-{what}s'}, or full."
        )

"""Freeze plans: what a strategy trains in one network, and from which stage on (the boundary).

`plan` takes a strategy and a network cut into stages, and returns a `FreezePlan`: one phase, or for gradual unfreezing
several. A *unit* is what a person would call a stage: a stage of the network with what hangs on behind it (the last
convolution, the last norm, the pooling). It trains nothing and changes nothing. Needs torch.
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
    once. trained: the names of the
    parameters that train, as in the network's state dict (the new head always trains as well).
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


def _stages(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    found = units(stages)
    _at_most(strategy, len(found), name, "stage", [unit.name for unit in found])
    chosen = found[-strategy.count :]
    words = f"the last {quantity(strategy.count, 'stage')} of {len(found)} ({_names(chosen)})"
    return FreezePlan(strategy, (_phase(stages, _parameters(stages, chosen)),), words)


def _of_blocks(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    fine = stages.blocks()
    found = [i for i, stage in enumerate(fine.body) if i == 0 or _is_block(stage)]
    _at_most(strategy, len(found), name, "block", [fine.names[i] for i in found])
    first = found[-strategy.count]
    owners = _owners(fine)
    trained = frozenset(p for p in _parameters(stages, units(stages)) if owners[p] >= first)
    words = f"the last {quantity(strategy.count, 'block')} of {len(found)}, from {fine.names[first]}"
    return FreezePlan(strategy, (_phase(stages, trained),), words)


def _is_block(stage: Stage) -> bool:
    return bool(_NUMBERED.search(stage.name)) and any(True for _ in stage.forward.parameters())


def _layers(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    layers = [layer for layer, _ in _leaves(stages)]
    _at_most(strategy, len(layers), name, "layer", layers)
    trained = frozenset(p for _, own in _leaves(stages)[-strategy.count :] for p in own)
    words = (
        f"the last {quantity(strategy.count, 'layer')} with weights of {len(layers)}, from {layers[-strategy.count]}"
    )
    return FreezePlan(strategy, (_phase(stages, trained),), words)


def _gradual(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    found = units(stages)
    phases = [Phase(_end(stages), frozenset())]
    phases += [_phase(stages, _parameters(stages, found[-k:])) for k in range(1, len(found) + 1)]
    return FreezePlan(strategy, tuple(phases), f"the head, then one more of {len(found)} stages at a time")


def _full(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = _parameters(stages, units(stages))
    random = ", from random weights" if strategy.kind == "scratch" else ""
    return FreezePlan(strategy, (Phase(0, trained),), f"the whole network{random}")


def _surgical(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    found = units(stages)
    places = {"first": 0, "middle": len(found) // 2, "last": len(found) - 1}
    names = {unit.name: i for i, unit in enumerate(found)}
    number = names.get(strategy.stage, places.get(strategy.stage))
    if number is None:
        raise OptionError(
            f"strategy {strategy.name!r} names a stage that {name} does not have: "
            f"choose one of {join_words(list(names), 40)}."
        )
    return FreezePlan(strategy, (_phase(stages, _parameters(stages, [found[number]])),), f"{found[number].name} alone")


def _norm(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = _of_modules(stages, _is_norm)
    return _scattered(strategy, stages, name, trained, "normalisation layers")


def _bias(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    trained = frozenset(p for p in _parameters(stages, units(stages)) if p.rpartition(".")[2] == "bias")
    return _scattered(strategy, stages, name, trained, "biases")


def _lora(strategy: Strategy, stages: Stages, name: str) -> FreezePlan:
    from torch import nn

    body = set(_parameters(stages, units(stages)[1:]))
    weights = [p for p in _of_modules(stages, lambda module: isinstance(module, nn.Linear)) if p.endswith("weight")]
    chosen = frozenset(weights) & body
    if not chosen or not any(stage.layout == "tokens" for stage in stages.stages):
        raise OptionError(
            f"strategy 'lora' puts adapters beside the linear layers of transformer blocks, and {name} has none: "
            "choose a vision transformer with --backbones, or norm-only or bias-only, which train as little."
        )
    return FreezePlan(strategy, (_phase(stages, chosen),), f"low-rank adapters of {quantity(len(chosen), 'layer')}")


_PLANS: dict[str, Callable[[Strategy, Any, str], FreezePlan]] = {
    "stages": _stages,
    "blocks": _of_blocks,
    "layers": _layers,
    "gradual": _gradual,
    "full": _full,
    "scratch": _full,
    "surgical": _surgical,
    "norm": _norm,
    "bias": _bias,
    "lora": _lora,
}


def _scattered(strategy: Strategy, stages: Stages, name: str, trained: frozenset[str], what: str) -> FreezePlan:
    if not trained:
        raise OptionError(
            f"strategy {strategy.name!r} trains the {what}, and {name} has none: choose another strategy."
        )
    return FreezePlan(strategy, (_phase(stages, trained),), f"the {what} ({quantity(len(trained), 'array')})")


def _phase(stages: Stages, trained: frozenset[str]) -> Phase:
    """The phase that trains these parameters: its boundary is the first block that holds one of them."""
    of = _owners(stages.blocks())
    return Phase(min((of[name] for name in trained), default=_end(stages)), trained)


def _end(stages: Stages) -> int:
    """The boundary behind the embedding: nothing but the head trains."""
    return embedding(stages.blocks()) + 1


def _owners(stages: Stages) -> dict[str, int]:
    """The first stage that holds each parameter, by the parameter's name."""
    names = {id(parameter): name for name, parameter in stages.network.named_parameters()}
    found: dict[str, int] = {}
    for number, stage in enumerate(stages.stages):
        for parameter in stage.forward.parameters():
            found.setdefault(names[id(parameter)], number)
    return found


def _parameters(stages: Stages, chosen: Iterable[Unit]) -> frozenset[str]:
    numbers = {number for unit in chosen for number in unit.stages}
    return frozenset(name for name, number in _owners(stages).items() if number in numbers)


def _leaves(stages: Stages) -> list[tuple[str, list[str]]]:
    """The layers that hold weights of their own, in order, with the names of these; without the original head."""
    body = _parameters(stages, units(stages))
    found = []
    for stage in stages.stages:
        for module in stage.forward.modules():
            own = [name for name in _own(stages, module) if name in body]
            if own:
                found.append((own[0].rpartition(".")[0], own))
    return found


def _own(stages: Stages, module: nn.Module) -> list[str]:
    names = {id(parameter): name for name, parameter in stages.network.named_parameters()}
    return [names[id(parameter)] for parameter in module.parameters(recurse=False)]


def _of_modules(stages: Stages, wanted: Callable[[Any], bool]) -> frozenset[str]:
    body = _parameters(stages, units(stages))
    modules = [module for stage in stages.stages for module in stage.forward.modules() if wanted(module)]
    return frozenset(name for module in modules for name in _own(stages, module)) & body


def _is_norm(module: Any) -> bool:
    """Whether a layer normalises: batch, layer, group and their kin, in torch, timm and torchvision."""
    return "Norm" in type(module).__name__


def _at_most(strategy: Strategy, most: int, name: str, what: str, names: Sequence[str]) -> None:
    if strategy.count > most:
        raise OptionError(
            f"strategy {strategy.name!r} was asked of {name}, which has {quantity(most, what)} "
            f"({join_words(names, 12)}): choose at most last-{most}{'' if what == 'stage' else f'-{what}s'}, or full."
        )


def _names(chosen: Sequence[Unit]) -> str:
    return ", ".join(unit.name for unit in chosen)

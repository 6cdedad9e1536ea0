"""What the race tries by itself: fine-tunes with what is expected of them, and the backbones on this machine.

`backbones` says which of these the budget allows to embed with; `fine_tunes` which strategies take part, in numbers for
the race's order (`choose.schedule`). The numbers come from other data sets (docs/evidence/choosing.md) and decide what
is tried first, never what wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.backbones.names import AUTO, local_backbones, obtainable, resolve_names
from headstart.backbones.packaged import PACKAGED
from headstart.choose.strategy import ExpectedGain
from headstart.embed.features import Part
from headstart.errors import MissingExtra
from headstart.finetune.recipe import Recipe, settle_recipe
from headstart.finetune.strategies import parse_strategy
from headstart.pipeline.candidates import prediction_cost

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.pipeline.options import Options

_EMBEDDING = 0.02
"""Seconds for an image and 10⁹ multiply-adds on two processors, for what the budget allows."""
_SHARE = 0.25
"""Of the budget goes to embedding with further backbones, at most."""


@dataclass(frozen=True)
class StrategyPrior:
    """What other data say of a strategy.

    gain, depth: see `ExpectedGain`. step: seconds that an image of a training step takes for every 10⁹ multiply-adds of
    the network, on two processors.
    """

    gain: float
    depth: float
    step: float


FINE_TUNES = {
    "last-1": StrategyPrior(0.0, 0.15, 0.004),
    "last-2": StrategyPrior(0.08, 0.3, 0.02),
    "last-4": StrategyPrior(0.1, 0.6, 0.042),
    "full": StrategyPrior(0.1, 1.0, 0.08),
    "surgical-first": StrategyPrior(0.03, 1.3, 0.05),
    "scratch": StrategyPrior(0.0, 2.0, 0.08),
}
_OTHERS = StrategyPrior(0.05, 0.6, 0.08)
_SCRATCH, _ENOUGH = 0.5, 1000
"""From scratch half again as many errors are left for every tenfold that a class has fewer than 1,000 images."""


def default_backbones(options: Options, images: int, seconds: float) -> tuple[str, ...]:
    """The names to embed with: those asked for; for `auto` in a race the packaged ones and what the time allows.

    seconds: that are left of the budget.
    """
    names = resolve_names(options.backbones)
    if not options.auto or AUTO not in options.backbones:
        return names
    further = [name for name in local_backbones() if name not in names]
    if not further:
        return names
    opened, _ = obtainable((*names, *further))
    allowed = list(names)
    for name, cost in sorted(_costs(opened, names), key=lambda pair: pair[1]):
        seconds_needed = _EMBEDDING * cost * images
        if seconds_needed <= _SHARE * seconds:
            allowed.append(name)
            seconds -= seconds_needed
    return tuple(allowed)


def _costs(opened: Sequence[str], without: Sequence[str]) -> list[tuple[str, float]]:
    from headstart.backbones.opening import open_backbone

    opened_pairs = [(name, open_backbone(name)) for name in opened if name not in without]
    return [(name, prediction_cost([Part(backbone, (backbone.last.name,))])) for name, backbone in opened_pairs]


def can_fine_tune() -> bool:
    """Whether the extra `finetune` is installed, so that anything can be fine-tuned here."""
    from headstart.backbones.conversion.convert import require_extra

    try:
        require_extra("Fine-tuning", PACKAGED[0])
    except MissingExtra:
        return False
    return True


def expected_gain(
    word: str, recipe: Recipe, backbone: Backbone, images: int, classes: int, *, asked: bool = False
) -> tuple[ExpectedGain, float]:
    """What is expected of a strategy, and the modelled seconds of a fold. images: that a fold trains on."""
    prior = FINE_TUNES.get(word, _OTHERS)
    gain = _scratch(images / classes) if word == "scratch" else prior.gain
    cost = prediction_cost([Part(backbone, (backbone.last.name,))])
    epochs = settle_recipe(recipe, parse_strategy(word), images).epochs
    return ExpectedGain(gain, prior.depth, asked), prior.step * cost * images * epochs


def _scratch(per_class: float) -> float:
    return -_SCRATCH * max(0.0, math.log10(_ENOUGH / max(per_class, 1.0)))

"""What the race tries by itself: fine-tunes with what is expected of them, and the backbones on this machine.

`backbones` says which of these the budget allows to embed with; `fine_tunes` which strategies take part, in numbers for
the race's order (`choose.schedule`). The numbers come from other data sets (docs/evidence.md) and decide what is tried
first, never what wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.backbones.graph import PACKAGED
from headstart.backbones.here import AUTO, had, local, named
from headstart.choose.scoring import Promise
from headstart.errors import MissingExtra
from headstart.finetune.recipe import Recipe, settle
from headstart.finetune.strategies import parse
from headstart.runtime import Part
from headstart.tasks.candidates import cost_of

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.tasks.options import Options

_EMBEDDING = 0.02
"""Seconds for an image and 10⁹ multiply-adds on two processors, for what the budget allows."""
_SHARE = 0.25
"""Of the budget goes to embedding with further backbones, at most."""


@dataclass(frozen=True)
class Known:
    """What other data told of a strategy. gain, depth: see `Promise`. step: seconds that an image of a training step
    takes for every 10⁹ multiply-adds of the network, on two processors."""

    gain: float
    depth: float
    step: float


FINE_TUNES = {
    "last-1": Known(0.0, 0.15, 0.004),
    "last-2": Known(0.08, 0.3, 0.02),
    "last-4": Known(0.1, 0.6, 0.042),
    "full": Known(0.1, 1.0, 0.08),
    "surgical-first": Known(0.03, 1.3, 0.05),
    "scratch": Known(0.0, 2.0, 0.08),
}
_OTHERS = Known(0.05, 0.6, 0.08)
_SCRATCH, _ENOUGH = 0.5, 1000
"""From scratch half again as many errors are left for every tenfold that a class has fewer than 1,000 images."""


def backbones(options: Options, images: int, seconds: float) -> tuple[str, ...]:
    """The names to embed with: those asked for; for `auto` in a race the packaged ones and what the time allows.

    seconds: that are left of the budget.
    """
    names = named(options.backbones)
    if not options.auto or AUTO not in options.backbones:
        return names
    others = [name for name in local() if name not in names]
    if not others:
        return names
    opened, _ = had((*names, *others))
    allowed = list(names)
    for name, cost in sorted(_costs(opened, names), key=lambda pair: pair[1]):
        seconds_needed = _EMBEDDING * cost * images
        if seconds_needed <= _SHARE * seconds:
            allowed.append(name)
            seconds -= seconds_needed
    return tuple(allowed)


def _costs(opened: Sequence[str], without: Sequence[str]) -> list[tuple[str, float]]:
    from headstart.backbones.graph import open_backbone

    found = [(name, open_backbone(name)) for name in opened if name not in without]
    return [(name, cost_of([Part(backbone, (backbone.last.name,))])) for name, backbone in found]


def trainable() -> bool:
    """Whether the extra `finetune` is installed, so that anything can be fine-tuned here."""
    from headstart.backbones.convert import need_extra

    try:
        need_extra("Fine-tuning", PACKAGED[0])
    except MissingExtra:
        return False
    return True


def promise(
    word: str, recipe: Recipe, backbone: Backbone, images: int, classes: int, *, asked: bool = False
) -> tuple[Promise, float]:
    """What is expected of a strategy, and the modelled seconds of a fold. images: that a fold trains on."""
    known = FINE_TUNES.get(word, _OTHERS)
    gain = _scratch(images / classes) if word == "scratch" else known.gain
    cost = cost_of([Part(backbone, (backbone.last.name,))])
    epochs = settle(recipe, parse(word), images).epochs
    return Promise(gain, known.depth, asked), known.step * cost * images * epochs


def _scratch(per_class: float) -> float:
    return -_SCRATCH * max(0.0, math.log10(_ENOUGH / max(per_class, 1.0)))

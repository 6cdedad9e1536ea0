"""Fine-tunes in a training run: which were asked for, checked before any work, compared and fitted like heads.

`check` builds each strategy's plan for the network, so that what cannot be done is said at once; `candidates` makes
them part of the comparison; `fitted` turns the winner into what a bundle holds: a backbone with changed tensors and a
head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart import fingerprint
from headstart.choose.memory import Remembered
from headstart.choose.scoring import Candidate
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe, settle
from headstart.finetune.strategies import parse
from headstart.records import Floats, Ints, Samples
from headstart.runtime import Part
from headstart.tasks.auto import promise
from headstart.tasks.candidates import LeftOut, Plan, cost_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.heads.forms import Linear

_PRIOR = -0.02
"""A fine-tune costs minutes where a head costs seconds: it must show that it is better."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted fine-tune: the part of the predictor, its head, and notes for the user."""

    part: Part
    form: Linear
    notes: tuple[str, ...]


def check(backbone: Backbone, strategies: Sequence[str], recipe: Recipe, images: int, folds: int) -> None:
    """Raise before any work where a strategy is impossible for this backbone, or the recipe for so many images.

    images: how many there are at most to train on. folds: a model is trained without one of them.
    """
    from headstart.backbones.convert import network
    from headstart.backbones.stages import cut
    from headstart.finetune.freeze import plan
    from headstart.finetune.lora import need_peft

    stages = None
    for word in strategies:
        strategy = parse(word)
        settle(recipe, strategy, max(1, images - images // folds))
        if strategy.kind == "lora":
            need_peft()
        stages = stages or cut(network(backbone))
        plan(strategy, stages, backbone.name)


def candidates(
    backbone: Backbone,
    X: Floats,
    samples: Samples,
    strategies: Sequence[str],
    recipe: Recipe,
    *,
    device: Device,
    seed: int,
    cache: bool,
    remember: Path | None,
    folds: int | None = None,
    asked: Sequence[str] = (),
) -> list[Plan]:
    """A plan for each strategy. X: (n, d) the last layer's embeddings of the samples, for the head's start.

    folds: how many there are, where the candidates are to be scored fold by fold and may be given up; None where not.
    asked: those that the user named.
    """
    from headstart.finetune.tuned import FineTune

    part = Part(backbone, (backbone.last.name,))
    plans = []
    for word in strategies:
        tuned = FineTune(backbone, parse(word), recipe, samples, device, seed, cache, folds)
        expected, seconds = None, 0.0
        if folds is not None:
            trained = len(samples) - len(samples) // folds
            expected, seconds = promise(word, recipe, backbone, trained, len(samples.classes), asked=word in asked)
        candidate = Candidate(
            name=word,
            features=f"{backbone.name}, {tuned.plan.words}",
            X=X,
            head=tuned if remember is None else Remembered(tuned, fingerprint.of_array(X), remember),
            cost=cost_of([part]),
            backbones=(backbone.name,),
            prior=_PRIOR,
            seconds=seconds,
            promise=expected,
        )
        plans.append(Plan(candidate, word, False, (part,), tuned))
    return plans


def possible(backbone: Backbone, words: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
    """Which of these strategies the network can do, and why not the others."""
    from headstart.backbones.convert import network
    from headstart.backbones.stages import cut
    from headstart.finetune.freeze import plan

    stages = cut(network(backbone))
    able, left_out = [], []
    for word in words:
        try:
            plan(parse(word), stages, backbone.name)
            able.append(word)
        except OptionError as error:
            left_out.append(LeftOut(word, backbone.name, str(error)))
    return able, left_out


def fitted(winner: Plan, labels: Ints, setting: Mapping[str, Any]) -> Fitted:
    """The winning fine-tune, trained on everything that is not held out."""
    from headstart.backbones.changes import changed

    assert winner.tuned is not None
    found = winner.tuned.fit(winner.candidate.X, labels, setting)
    backbone = changed(winner.parts[0].backbone, found.changes)
    return Fitted(Part(backbone, winner.parts[0].taps), found.form, found.notes)

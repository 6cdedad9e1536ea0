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
from headstart.choose.score_cache import CachedStrategy
from headstart.choose.scoring import Candidate
from headstart.embed.features import Part
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe, settle_recipe
from headstart.finetune.strategies import parse_strategy
from headstart.pipeline.candidates import LeftOut, Plan, prediction_cost
from headstart.pipeline.defaults import expected_gain
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.heads.forms.linear import Linear

_PRIOR = -0.02
"""A fine-tune costs minutes where a head costs seconds: it must show that it is better."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted fine-tune: the part of the predictor, its head, and notes for the user."""

    part: Part
    form: Linear
    notes: tuple[str, ...]


def check_fine_tunes(backbone: Backbone, strategies: Sequence[str], recipe: Recipe, images: int, folds: int) -> None:
    """Raise before any work where a strategy is impossible for this backbone, or the recipe for so many images.

    images: how many there are at most to train on. folds: a model is trained without one of them.
    """
    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.conversion.families import cut_network
    from headstart.finetune.freeze_plan import make_freeze_plan
    from headstart.finetune.lora import need_peft

    stages = None
    for word in strategies:
        strategy = parse_strategy(word)
        settle_recipe(recipe, strategy, max(1, images - images // folds))
        if strategy.kind == "lora":
            need_peft()
        stages = stages or cut_network(build_network(backbone))
        make_freeze_plan(strategy, stages, backbone.name)


def plan_fine_tunes(
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
    from headstart.finetune.fine_tune import FineTune

    part = Part(backbone, (backbone.last.name,))
    plans = []
    for word in strategies:
        tuned = FineTune(backbone, parse_strategy(word), recipe, samples, device, seed, cache, folds)
        expected, seconds = None, 0.0
        if folds is not None:
            trained = len(samples) - len(samples) // folds
            expected, seconds = expected_gain(
                word, recipe, backbone, trained, len(samples.classes), asked=word in asked
            )
        candidate = Candidate(
            name=word,
            features=f"{backbone.name}, {tuned.plan.words}",
            X=X,
            head=tuned if remember is None else CachedStrategy(tuned, fingerprint.hash_array(X), remember),
            cost=prediction_cost([part]),
            backbones=(backbone.name,),
            prior=_PRIOR,
            seconds=seconds,
            promise=expected,
        )
        plans.append(Plan(candidate, word, False, (part,), tuned))
    return plans


def feasible_fine_tunes(backbone: Backbone, words: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
    """Which of these strategies the network can do, and why not the others."""
    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.conversion.families import cut_network
    from headstart.finetune.freeze_plan import make_freeze_plan

    stages = cut_network(build_network(backbone))
    able, left_out = [], []
    for word in words:
        try:
            make_freeze_plan(parse_strategy(word), stages, backbone.name)
            able.append(word)
        except OptionError as error:
            left_out.append(LeftOut(word, backbone.name, str(error)))
    return able, left_out


def fit_fine_tune(winner: Plan, labels: Ints, setting: Mapping[str, Any]) -> Fitted:
    """The winning fine-tune, trained on everything that is not held out."""
    from headstart.backbones.deltas import apply_delta

    assert winner.tuned is not None
    found = winner.tuned.fit(winner.candidate.X, labels, setting)
    backbone = apply_delta(winner.parts[0].backbone, found.changes)
    return Fitted(Part(backbone, winner.parts[0].taps), found.form, found.notes)

"""Fine-tunes in a training run: checked before any work, compared and fitted like heads.

`check_fine_tunes` builds each strategy's freeze plan for the network, so that what cannot be done is said at once;
`plan_fine_tunes` makes them part of the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.choose.score_cache import CachedStrategy
from headstart.choose.strategy import About, Fitted, LeftOut
from headstart.embed.features import Part
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe, settle_recipe
from headstart.finetune.strategies import parse_strategy
from headstart.pipeline.candidates import prediction_cost
from headstart.pipeline.defaults import expected_gain
from headstart.records.arrays import Floats
from headstart.records.rows import Rows
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.finetune.fine_tune import FineTune
    from headstart.heads.base import PathScores

_PRIOR = 0.045
"""As much as the best frozen features': where the score cannot tell the two apart, the loss decides."""


@dataclass(frozen=True, eq=False)
class FineTuneStrategy:
    """A fine-tune of one backbone.

    head: the strategy's name. tuning: what trains. X: (n, d) the last layer's embeddings of the rows, for the head's
    initialisation. cache: the folder for out-of-fold scores; None to keep none.
    """

    about: About
    head: str
    parts: tuple[Part, ...]
    tuning: FineTune
    X: Floats
    cache: Path | None = None

    @property
    def signed_sqrt(self) -> bool:
        """A fine-tuned network's head looks at the features as they are."""
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the data decided while it was scored."""
        return tuple(self.tuning.notes)

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores of every mixture of start and end, and every L2-SP weight."""
        tuning = self.tuning
        runner = tuning if self.cache is None else CachedStrategy(tuning, fingerprint.hash_array(self.X), self.cache)
        return runner.path_scores(self.X, rows.target.values, rows.folds)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The network trained on all rows: a part with changed tensors, and its head."""
        from headstart.backbones.deltas import apply_delta

        result = self.tuning.fit(self.X, rows.target.values, configuration)
        (part,) = self.parts
        return Fitted((Part(apply_delta(part.backbone, result.changes), part.taps),), result.form, None, result.notes)


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
    scores: Path | None,
    folds: int | None = None,
    asked: Sequence[str] = (),
) -> list[FineTuneStrategy]:
    """A fine-tune for each strategy. X: (n, d) the last layer's embeddings of the samples, for the head's start.

    cache: keep activations and checkpoints. scores: a folder for out-of-fold scores. folds: how many there are, where
    the fine-tunes are to be scored fold by fold and may be given up; None where not. asked: those that the user named.
    """
    from headstart.finetune.fine_tune import FineTune

    part = Part(backbone, (backbone.last.name,))
    fine_tunes = []
    for word in strategies:
        tuning = FineTune(backbone, parse_strategy(word), recipe, samples, device, seed, cache, folds)
        expected, seconds = None, 0.0
        if folds is not None:
            images, classes = len(samples) - len(samples) // folds, len(samples.target.names)
            expected, seconds = expected_gain(word, recipe, backbone, images, classes, asked=word in asked)
        about = About(
            name=word,
            features=f"{backbone.name}, {tuning.plan.words}",
            cost=prediction_cost([part]),
            backbones=(backbone.name,),
            prior=_PRIOR,
            seconds=seconds,
            expected=expected,
        )
        fine_tunes.append(FineTuneStrategy(about, word, (part,), tuning, X, scores))
    return fine_tunes


def feasible_fine_tunes(backbone: Backbone, words: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
    """Which of these strategies the network can do, and why not the others."""
    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.conversion.families import cut_network
    from headstart.finetune.freeze_plan import make_freeze_plan

    stages = cut_network(build_network(backbone))
    feasible, left_out = [], []
    for word in words:
        try:
            make_freeze_plan(parse_strategy(word), stages, backbone.name)
            feasible.append(word)
        except OptionError as error:
            left_out.append(LeftOut(word, backbone.name, str(error)))
    return feasible, left_out

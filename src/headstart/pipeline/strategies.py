"""Which strategies take part in a training run: heads on frozen features, and fine-tunes.

`settle_options` checks the options against the data and this machine before any work; `plan_strategies` makes the
strategies of prepared data. Which of them wins is the race's to say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from headstart.backbones.packaged import TEXTS as ENCODERS
from headstart.choose.budgeted import ENOUGH_FOLDS, FIT, HOPE, format_time
from headstart.choose.strategy import LeftOut
from headstart.data.modality import TEXTS, modality_of
from headstart.data.splits import FOLDS_OF_FINE_TUNES
from headstart.errors import MissingExtra, OptionError
from headstart.pipeline.augmented import AugmentedStrategy, plan_augmented
from headstart.pipeline.candidates import ALLOWANCE, HeadStrategy, last_layer_views
from headstart.pipeline.comparison import plan_candidates, score_folder
from headstart.pipeline.defaults import FINE_TUNES, can_fine_tune, default_backbones, expected_gain
from headstart.pipeline.fine_tunes import FineTuneStrategy, check_fine_tunes, feasible_fine_tunes, plan_fine_tunes
from headstart.pipeline.self_trained import SelfTrainedStrategy, plan_self_trained
from headstart.pipeline.texts import plan_texts, settle_texts

if TYPE_CHECKING:
    from headstart.choose.budget import Budget
    from headstart.data.sources.dataset import Dataset
    from headstart.data.splits import Division
    from headstart.finetune.recipe import Recipe
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

Compared: TypeAlias = HeadStrategy | AugmentedStrategy | SelfTrainedStrategy | FineTuneStrategy
BASELINE = "probe"
"""The head that is measured beside what was named, so that it has something to be compared with."""
_FOR_HEADS = 0.1
_SPARE = 1.3
"""A budget is so many times what the fine-tune takes: images are embedded and heads compared before it."""


def settle_options(options: Options, loaded: Dataset, budget: Budget) -> Options:
    """The options with names of backbones, and with fine-tunes known to be possible.

    Raises before any image is touched where a fine-tune that was named cannot be done, or a pool means nothing.
    """
    if modality_of(loaded.samples) is TEXTS:
        if options.unlabelled is not None:
            raise OptionError("--unlabelled is a folder of images, and the data are texts: leave it out.")
        return settle_texts(options, ENCODERS[0])
    options = replace(options, backbones=default_backbones(options, len(loaded.samples), budget.left))
    if not options.named and not (options.auto and can_fine_tune()):
        return options
    if options.named:
        _check_named(options, len(loaded.samples))
    # All candidates are scored on the same folds: few, because a fine-tune is trained once for each. Named fine-tunes
    # are scored on every repeat of them; those that the race chooses on the first one alone.
    repeats = options.repeats or (None if options.auto else 1)
    return replace(options, folds=options.folds or FOLDS_OF_FINE_TUNES, repeats=repeats)


def _check_named(options: Options, images: int) -> None:
    from headstart.backbones.opening import open_backbone

    weights = None if options.weights is None else Path(options.weights)
    backbone = open_backbone(options.backbones[0], weights=weights)
    check_fine_tunes(backbone, options.named, options.recipe, images, options.folds or FOLDS_OF_FINE_TUNES)


def plan_strategies(
    prepared: Prepared, division: Division, options: Options, *, left: float = math.inf
) -> tuple[list[Compared], list[LeftOut], tuple[str, ...]]:
    """What is compared: heads, then fine-tunes; what is left out, and notes on that. left: seconds of the budget."""
    if modality_of(prepared.samples) is TEXTS:
        return plan_texts(prepared, division, options)
    heads, left_out = _heads(prepared, division, options)
    augmented = plan_augmented(prepared, division, options, heads, left)
    fine_tunes, impossible, notes = _fine_tunes(prepared, division, options, left)
    pooled, unused = plan_self_trained(prepared, division, options, heads)
    plain = [head for head in heads if head not in [strategy.plain for strategy in augmented]]
    return [*plain, *augmented, *pooled, *fine_tunes], left_out + impossible, notes + unused


def _heads(prepared: Prepared, division: Division, options: Options) -> tuple[list[HeadStrategy], list[LeftOut]]:
    """The heads that may win, after the plain probe as a baseline where others were named."""
    heads: list[HeadStrategy] = []
    left_out: list[LeftOut] = []
    if options.heads is not None or options.auto or not options.named:
        heads, left_out = plan_candidates(
            prepared, division, options, heads=options.heads, allowance=_allowance(options)
        )
    if options.auto or BASELINE in (options.heads or ()) or not (options.heads or options.named):
        return heads, left_out
    views = last_layer_views(prepared.backbones[:1])
    (probe,), _ = plan_candidates(prepared, division, options, heads=(BASELINE,), views=views)
    return [replace(probe, about=replace(probe.about, baseline=True)), *heads], left_out


def _fine_tunes(
    prepared: Prepared, division: Division, options: Options, left: float
) -> tuple[list[FineTuneStrategy], list[LeftOut], tuple[str, ...]]:
    """The fine-tunes that take part, those for which there is no time or no way, and why there are none."""
    if not options.auto and not options.named:
        return [], [], ()
    from headstart.device import choose_device

    words = options.named
    impossible: list[LeftOut] = []
    if options.auto:
        usual = [word for word in FINE_TUNES if word not in options.named]
        hopeless = [] if words else _too_long(usual, prepared, division, options, left)
        if hopeless and len(hopeless) == len(usual):  # none could be in time: torch need not be loaded
            quickest = f"Fine-tunes take no part: the quickest, {hopeless[0].name}: {hopeless[0].reason}."
            return [], hopeless, (quickest, *_longer_run(hopeless, prepared, division, options))
        try:
            feasible, impossible = feasible_fine_tunes(prepared.backbones[0], usual)
        except MissingExtra as error:
            return [], [], (f"Fine-tunes take no part: {error}",)
        words += tuple(feasible)
    fine_tunes = plan_fine_tunes(
        prepared.backbones[0],
        prepared.embedded[0].last[division.fit],
        prepared.samples.take(division.fit),
        words,
        fine_tune_recipe(options),
        device=choose_device(options.device),
        seed=options.seed,
        cache=options.cache,
        scores=score_folder(options),
        folds=None if math.isinf(options.seconds) and not options.auto else int(division.folds.max()) + 1,
        asked=options.named,
    )
    return fine_tunes, impossible, _longer_run(hopeless, prepared, division, options) if options.auto else ()


def _longer_run(
    hopeless: Sequence[LeftOut], prepared: Prepared, division: Division, options: Options
) -> tuple[str, ...]:
    """What the most promising fine-tune for which there is no time is expected to bring, and what it takes."""
    folds, backbone = int(division.folds.max()) + 1, prepared.backbones[0]
    images, classes = len(division.fit) - len(division.fit) // folds, len(prepared.samples.target.names)
    promises = []
    for entry in hopeless:
        expected, seconds = expected_gain(entry.name, options.recipe, backbone, images, classes)
        promises.append((expected.gain, -seconds * (min(ENOUGH_FOLDS, folds) + FIT), entry.name))
    gain, seconds, name = max(promises, default=(0.0, 0.0, ""))
    if gain <= 0:
        return ()
    minutes = math.ceil(-seconds * _SPARE / 60)
    return (
        f"A longer run may find more. On other data {name} put right {100 * gain:.0f} % of the errors that frozen "
        f"features left; here it takes about {format_time(-seconds)}: --budget {minutes}m.",
    )


def _too_long(
    words: Sequence[str], prepared: Prepared, division: Division, options: Options, left: float
) -> list[LeftOut]:
    """The fine-tunes that would not end in `left` seconds even were they three times as fast as modelled."""
    folds, backbone = int(division.folds.max()) + 1, prepared.backbones[0]
    images = len(division.fit) - len(division.fit) // folds
    hopeless = []
    for word in words:
        _, seconds = expected_gain(word, options.recipe, backbone, images, len(prepared.samples.target.names))
        needed = HOPE * seconds * (min(ENOUGH_FOLDS, folds) + FIT)
        if needed > left:
            reason = f"it needs about {format_time(needed)}, and {format_time(left)} were left"
            hopeless.append(LeftOut(word, backbone.name, reason))
    return hopeless


def fine_tune_recipe(options: Options) -> Recipe:
    """The recipe; where classes are to count alike, every class is drawn alike too."""
    return replace(options.recipe, balanced=True) if options.class_weight == "balanced" else options.recipe


def _allowance(options: Options) -> float:
    """Modelled seconds for heads: a tenth of the budget, where there is one."""
    if not options.auto or math.isinf(options.seconds):
        return ALLOWANCE
    return max(ALLOWANCE, _FOR_HEADS * options.seconds)

"""From prepared data to a comparison: which heads on which views (`planned`), and the race between them (`raced`).

What `train`, `rank` and `depth` have in common. It decides nothing of its own: `pipeline.candidates` says which heads
take part, `choose.race` which one wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.choose.race import RaceResult, race
from headstart.choose.score_cache import default_folder
from headstart.pipeline.candidates import ALLOWANCE, LeftOut, Plan, View, plan_heads

if TYPE_CHECKING:
    from headstart.choose.budget import Budget
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared


def score_folder(options: Options) -> Path | None:
    """Where out-of-fold scores are kept between runs; None where nothing is to be kept."""
    return default_folder() if options.cache else None


def plan_candidates(
    prepared: Prepared,
    division: Division,
    options: Options,
    *,
    heads: Sequence[str] | None,
    views: Sequence[View] | None = None,
    allowance: float = ALLOWANCE,
) -> tuple[list[Plan], list[LeftOut]]:
    """The heads that take part, and those that were left out. heads, views: see `pipeline.candidates.plan_heads`."""
    return plan_heads(
        prepared.backbones,
        prepared.embedded,
        division.fit,
        classes=len(prepared.samples.classes),
        fits=division.folds.shape[0] * (int(division.folds.max()) + 1),
        heads=heads,
        class_weight=options.class_weight,
        seed=options.seed,
        remember=score_folder(options),
        views=views,
        allowance=allowance,
    )


def run_race(
    plans: Sequence[Plan], prepared: Prepared, division: Division, options: Options, budget: Budget | None = None
) -> RaceResult:
    """The race between the plans' candidates on the division's folds."""
    return race(
        [each.candidate for each in plans],
        prepared.samples.labels[division.fit],
        division.folds,
        classes=prepared.samples.classes,
        groups=division.groups,
        metric=options.metric,
        min_gain=options.min_gain,
        seed=options.seed,
        budget=budget,
    )


def compare_views(
    prepared: Prepared, division: Division, views: Sequence[View], head: str, options: Options
) -> RaceResult:
    """One head's out-of-fold scores on each view, in their order, with paired intervals against the chosen one."""
    plans, _ = plan_candidates(prepared, division, options, heads=(head,), views=views)
    return run_race(plans, prepared, division, options)

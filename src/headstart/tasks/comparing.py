"""From prepared data to a comparison: which heads on which views (`planned`), and the race between them (`raced`).

What `train`, `rank` and `depth` have in common. It decides nothing of its own: `tasks.candidates` says which heads take
part, `choose.race` which one wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.choose.memory import default_folder
from headstart.choose.race import RaceResult, race
from headstart.tasks.candidates import ALLOWANCE, LeftOut, Plan, View, plan

if TYPE_CHECKING:
    from headstart.choose.budget import Budget
    from headstart.tasks.options import Options
    from headstart.tasks.prepare import Division, Prepared


def remembered(options: Options) -> Path | None:
    """Where out-of-fold scores are kept between runs; None where nothing is to be kept."""
    return default_folder() if options.cache else None


def planned(
    prepared: Prepared,
    division: Division,
    options: Options,
    *,
    heads: Sequence[str] | None,
    views: Sequence[View] | None = None,
    allowance: float = ALLOWANCE,
) -> tuple[list[Plan], list[LeftOut]]:
    """The heads that take part, and those that were left out. heads, views: see `tasks.candidates.plan`."""
    return plan(
        prepared.backbones,
        prepared.embedded,
        division.fit,
        classes=len(prepared.samples.classes),
        fits=division.folds.shape[0] * (int(division.folds.max()) + 1),
        heads=heads,
        class_weight=options.class_weight,
        seed=options.seed,
        remember=remembered(options),
        views=views,
        allowance=allowance,
    )


def raced(
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


def compare(prepared: Prepared, division: Division, views: Sequence[View], head: str, options: Options) -> RaceResult:
    """One head's out-of-fold scores on each view, in their order, with paired intervals against the chosen one."""
    plans, _ = planned(prepared, division, options, heads=(head,), views=views)
    return raced(plans, prepared, division, options)

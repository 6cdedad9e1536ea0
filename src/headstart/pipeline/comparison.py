"""From prepared data to a comparison: which heads on which views (`plan_candidates`), and the race (`run_race`).

What `train`, `rank` and `depth` have in common. It decides nothing of its own: `pipeline.candidates` says which heads
take part, `choose.race` which one wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.choose.race import RaceResult, race
from headstart.choose.score_cache import default_folder
from headstart.choose.strategy import LeftOut, Strategy
from headstart.pipeline.candidates import ALLOWANCE, HeadStrategy, View, plan_heads
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.choose.budget import Budget
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared


def score_folder(options: Options) -> Path | None:
    """Where out-of-fold scores are kept between runs; None where nothing is to be kept."""
    return default_folder() if options.cache else None


def rows_of(prepared: Prepared, division: Division) -> Rows:
    """The rows that are compared on and fitted to."""
    samples = prepared.samples.take(division.fit)
    return Rows(samples.target, division.folds, division.groups, samples.content)


def plan_candidates(
    prepared: Prepared,
    division: Division,
    options: Options,
    *,
    heads: Sequence[str] | None,
    views: Sequence[View] | None = None,
    allowance: float = ALLOWANCE,
) -> tuple[list[HeadStrategy], list[LeftOut]]:
    """The heads that take part, and those that were left out. heads, views: see `pipeline.candidates.plan_heads`."""
    return plan_heads(
        prepared.backbones,
        prepared.embedded,
        division.fit,
        classes=len(prepared.samples.target.names),
        fits=division.folds.shape[0] * (int(division.folds.max()) + 1),
        heads=heads,
        class_weight=options.class_weight,
        seed=options.seed,
        cache=score_folder(options),
        views=views,
        allowance=allowance,
    )


def run_race(strategies: Sequence[Strategy], rows: Rows, options: Options, budget: Budget | None = None) -> RaceResult:
    """The race between strategies, judged as the options say."""
    return race(strategies, rows, metric=options.metric, min_gain=options.min_gain, seed=options.seed, budget=budget)


def compare_views(
    prepared: Prepared, division: Division, views: Sequence[View], head: str, options: Options
) -> RaceResult:
    """One head's out-of-fold scores on each view, in their order, with paired intervals against the chosen one."""
    strategies, _ = plan_candidates(prepared, division, options, heads=(head,), views=views)
    return run_race(strategies, rows_of(prepared, division), options)

"""What a training says of its comparison: the line while it fits, and notes on what there was no time for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from headstart.checks import quantity
from headstart.choose.budget import format_seconds
from headstart.choose.race import RaceLine, RaceResult
from headstart.choose.strategy import LeftOut, Strategy
from headstart.model.details import short_features
from headstart.pipeline.options import Options
from headstart.progress import duration


def choice_words(strategy: Strategy) -> str:
    """The way in a phrase."""
    return f"{strategy.about.name} on {short_features(strategy.about.features)}"


def forecast_words(line: RaceLine) -> str:
    """How long the last fit takes, by what a fold took; empty for what is quick or was scored by an earlier run."""
    seconds = line.seconds / line.folds[0]
    return f", about {duration(seconds)}" if seconds >= 1 else ""


def limit_words(options: Options) -> str:
    """How long the comparison may take."""
    return "to their end" if math.isinf(options.seconds) else f"for at most {format_seconds(options.seconds)} in all"


def list_not_begun(strategies: Sequence[Strategy], race: RaceResult) -> list[LeftOut]:
    """The strategies that the race did not begin, and why."""
    return [
        LeftOut(strategies[number].about.name, strategies[number].about.features, reason)
        for number, reason in race.not_begun.items()
    ]


def stopped_notes(race: RaceResult, options: Options) -> tuple[str, ...]:
    """A note on a comparison that did not come to its end."""
    if not race.stopped:
        return ()
    more = (
        ""
        if math.isinf(options.seconds)
        else f" (of --budget {format_seconds(options.seconds)}; more time would try more)"
    )
    return (f"The comparison ended early: {race.stopped}{more}. What was scored is kept for the next run.",)


def in_part_notes(race: RaceResult, rows: int) -> tuple[str, ...]:
    """A note where the winner was not scored on all rows."""
    if len(race.scored) == rows:
        return ()
    return (
        f"There was time to score {race.best.name} on {quantity(race.best.folds[0], 'fold')}: its figures are of "
        f"{len(race.scored):,} of the {rows:,} images, and so are the other ways' beside it.",
    )

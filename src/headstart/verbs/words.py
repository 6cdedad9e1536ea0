"""What a ranking and a depth profile say to a person: what was found, and what to do next.

Words only; `verbs.rank` and `verbs.depth` measure.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from headstart.model.summary import gain_words

if TYPE_CHECKING:
    from headstart.metrics.intervals import Estimate
    from headstart.verbs.rank import Ranking


def next_command(ranking: Ranking, data: str = "DATA") -> str:
    """What to do after a ranking, in a sentence. data: the images' place, as the command line takes it."""
    ties = f"; tied with it: {', '.join(ranking.ties)}" if ranking.ties else ""
    weights = f" --weights {ranking.options.weights}" if ranking.options.weights else ""
    plan = f" --exclude {ranking.options.exclude}" if ranking.options.exclude else ""
    return (
        f"headstart train {data} --backbones {ranking.best.name}{weights}{plan} would use the chosen backbone: a "
        f"probe on its last layer reaches {ranking.estimate} {ranking.estimate.metric.replace('-', ' ')}, corrected "
        f"for the choice{ties}."
    )


def depth_words(*, best: str, score: Estimate, last: str, gain: Estimate | None, worse: bool, start: str) -> str:
    """Where a backbone's best layer lies and what follows from it, in two sentences.

    best, last: names of layers. score: of the best. gain: of the last against the best, None where they are the same.
    worse: whether the last is worse by more than noise. start: from where fine-tuning would train.
    """
    head = (
        "A multi-layer head takes the earlier layers in (headstart train compares it); fine-tuning"
        if worse
        else "A head on the last layer loses nothing that can be distinguished from noise; fine-tuning, if any,"
    )
    return f"{_best_layer(best, score, last, gain, worse)} {head} would {start}."


def _best_layer(best: str, score: Estimate, last: str, gain: Estimate | None, worse: bool) -> str:
    if gain is None:
        return f"The last layer, {last}, is the best: {score}."
    points = f"{gain_words(asdict(gain))} points"
    if worse:
        return (
            f"The data leave ImageNet after {best}, the best layer: {score}; the last layer is worse by more than "
            f"noise: {points}."
        )
    return f"{best} is the best layer: {score}; the last layer is tied with it: {points}."

"""One head on several views of the same images, compared by the race: what `ranking` and `depth` have in common."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.choose.memory import default_folder
from headstart.choose.race import RaceResult, race
from headstart.tasks.candidates import View, plan
from headstart.tasks.classify import Options
from headstart.tasks.prepare import Division, Prepared


def compare(prepared: Prepared, division: Division, views: Sequence[View], head: str, options: Options) -> RaceResult:
    """The head's out-of-fold scores on each view, in their order, with paired intervals against the chosen one."""
    classes = prepared.samples.classes
    plans, _ = plan(
        prepared.backbones,
        prepared.embedded,
        division.fit,
        classes=len(classes),
        fits=division.folds.shape[0] * (int(division.folds.max()) + 1),
        heads=(head,),
        class_weight=options.class_weight,
        seed=options.seed,
        remember=default_folder() if options.cache else None,
        views=views,
    )
    return race(
        [each.candidate for each in plans],
        prepared.samples.labels[division.fit],
        division.folds,
        classes=classes,
        groups=division.groups,
        metric=options.metric,
        min_gain=options.min_gain,
        seed=options.seed,
    )

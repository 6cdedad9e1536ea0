"""Train a detector or segmenter: collect, compare, fit, score what was kept apart, and keep what promises rest on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headstart.backbones.opening import open_backbone
from headstart.checks import at_least, one_of, quantity
from headstart.data.duplicates.near import MOST_COMPARED, near_groups
from headstart.data.series.keys import AUTO, check_rule
from headstart.data.sources.annotations.places import upright_size
from headstart.data.sources.dataset import Dataset
from headstart.data.splits import held_out_rows
from headstart.embed.spatial.canvas import canvas_for
from headstart.embed.spatial.taps import TapEngine
from headstart.errors import DataError
from headstart.metrics.boxes.average_precision import FEWEST
from headstart.metrics.boxes.matching import match
from headstart.model.spatial.evidence import UNITS, best_threshold, missed_evidence
from headstart.model.spatial.predictor import SpatialPredictor
from headstart.model.spatial.saved import SpatialModel
from headstart.pipeline.spatial.collect import Collected, collect
from headstart.pipeline.spatial.fit import HEADS, SpatialFit, answers, fit_spatial
from headstart.pipeline.spatial.groups import hold_groups
from headstart.records.boxes import Boxes
from headstart.records.samples import Samples
from headstart.tasks.boxes import BOXES
from headstart.tasks.masks import MASKS
from headstart.tasks.spatial import Scores, SpatialTask
from headstart.trust.missed import MissedEvidence
from headstart.trust.unlabelled_objects import SURE, unlabelled_objects

_SIZES_LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class SpatialOptions:
    """backbone: its name. size: the canvas's longer side in pixels, None for the task's own. heads: to compare. folds:
    of the comparison, None by the number of images. seed: of everything drawn. max_unreadable: the share of unreadable
    images above which the run stops. group_by: what stays in one fold, as of `train`. cache: keep thumbnails for the
    next run."""

    backbone: str = "lite0"
    size: int | None = None
    heads: tuple[str, ...] = HEADS
    folds: int | None = None
    seed: int = 0
    max_unreadable: float = 0.05
    group_by: str = AUTO
    cache: bool = True

    def __post_init__(self) -> None:
        for name in self.heads:
            one_of("heads", name, HEADS)
        if self.folds is not None:
            at_least("folds", self.folds, 2)
        check_rule(self.group_by)


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Count what is done inside under a name."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def train_spatial(data: Dataset, *, options: SpatialOptions | None = None) -> SpatialModel:
    """A measured detector (of boxes) or segmenter (of masks) on frozen taps.

    data: as `load_annotated` gives it; its test (or val) split is kept apart until the end. Raises `DataError` where
    there is too little to measure on.
    """
    options = options or SpatialOptions()
    task = MASKS if not isinstance(data.samples.target, Boxes) else BOXES
    clock = _Clock()
    held, split_notes = held_out_rows(data.samples)
    _check(data.samples, held)
    with clock.time("duplicates"):
        samples, duplicate_notes = _with_groups(data.samples, options.cache)
        held, leak_notes = _without_leaks(samples, held)
        grouped, group_notes = hold_groups(samples, options.group_by, cache=options.cache)
    engine = TapEngine(open_backbone(options.backbone), canvas_for(_sizes(samples), options.size or task.longest))
    with clock.time("features"):
        apart = samples.take(held == _HELD)
        data_fit = collect(
            grouped.take(held == _FIT), task, engine, seed=options.seed, max_unreadable=options.max_unreadable
        )
    with clock.time("heads"):
        fit = fit_spatial(data_fit, task, heads=options.heads, folds=options.folds, seed=options.seed)
    with clock.time("held out"):
        collected = collect(apart, task, engine, seed=options.seed, max_unreadable=1.0) if len(apart) else None
        outcome = _held_out(fit, collected, task, options.seed)
    notes = (
        *data.notes,
        *split_notes,
        *duplicate_notes,
        *leak_notes,
        *group_notes,
        *_few_notes(fit.measured[0].scores, task),
    )
    return _model(task, data, data_fit, fit, engine, outcome, notes, clock, options)


_FIT, _HELD, _OUT = 0, 1, 2


def _check(samples: Samples, held: Any) -> None:
    if (~held).sum() < 2:
        raise DataError(f"there are {quantity(int((~held).sum()), 'image')} to learn from: at least two are needed.")
    if not samples.target.take(np.flatnonzero(~held)).values.sum():
        raise DataError("no image to learn from has an object: there is nothing to learn.")


def _sizes(samples: Samples) -> Any:
    if isinstance(samples.target, Boxes):
        return samples.target.sizes
    step = max(1, len(samples) // _SIZES_LOOKED_AT)
    return [upright_size(item) for item in samples.items[::step]]  # type: ignore[arg-type]  # files, all of them


def _with_groups(samples: Samples, cache: bool) -> tuple[Samples, tuple[str, ...]]:
    """The samples with near duplicates held together."""
    if len(samples) > MOST_COMPARED:
        return samples, (f"More than {MOST_COMPARED:,} images: near duplicates were not searched for.",)
    groups = near_groups(samples, cache=cache)
    together = len(groups) - len(np.unique(groups))
    note = (f"{quantity(together, 'image')} repeat another one nearly or exactly; they stay in one fold.",)
    return replace(samples, groups=groups), note if together else ()


def _without_leaks(samples: Samples, held: Any) -> tuple[Any, tuple[str, ...]]:
    """0 for images to learn from, 1 for those kept apart, 2 for those left out because a duplicate is kept apart."""
    state = np.where(held, _HELD, _FIT)
    groups = np.arange(len(held)) if samples.groups is None else samples.groups
    leaking = ~held & np.isin(groups, groups[held])
    state[leaking] = _OUT
    count = int(leaking.sum())
    examples = ", ".join(samples.names[row] for row in np.flatnonzero(leaking)[:3])
    note = (
        f"{quantity(count, 'training image')} left out, because the part kept apart holds the same picture: {examples}."
    )
    return state, (note,) if count else ()


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What the winner reached on the split kept apart. kept: its judged answers."""

    scores: Scores
    kept: tuple[Any, ...]
    data: Collected


def _held_out(fit: SpatialFit, data: Collected | None, task: SpatialTask, seed: int) -> _HeldOut | None:
    if data is None:
        return None
    target = data.samples.target
    rows = list(range(len(data.samples)))
    kept = [
        task.keep(target, row, answer) for row, answer in zip(rows, answers(fit.head, data, task, rows), strict=True)
    ]
    return _HeldOut(task.score(target, kept, data.samples.groups, seed), tuple(kept), data)


def _few_notes(scores: Scores, task: SpatialTask) -> tuple[str, ...]:
    few = [f"{row['name']} ({row['count']})" for row in scores.per_class if row["count"] < FEWEST]
    unit = UNITS[task.name] if task is BOXES else "images"
    return (f"Fewer than {FEWEST} {unit}, so no figure of its own is given: {', '.join(few)}.",) if few else ()


def _model(
    task: SpatialTask,
    data: Dataset,
    data_fit: Collected,
    fit: SpatialFit,
    engine: TapEngine,
    outcome: _HeldOut | None,
    notes: Sequence[str],
    clock: _Clock,
    options: SpatialOptions,
) -> SpatialModel:
    target: Any = data_fit.samples.target
    winner = fit.measured[0]
    operating = best_threshold(match(target, winner.kept)) if task is BOXES else None
    evidence = _evidence(target, winner.kept, outcome)
    forgotten = _forgotten_note(data_fit.samples, winner.kept) if operating else ()
    predictor = SpatialPredictor(
        task,
        target.names,
        engine.backbone,
        engine.canvas,
        fit.head,
        operating[0] if operating else 0.0,
        {},
        evidence,
    )
    failures = (*data_fit.failures, *(outcome.data.failures if outcome else ()))
    return SpatialModel(
        predictor=predictor,
        head=winner.name,
        folds=fit.folds,
        scores=winner.scores,
        compared=tuple((entry.name, entry.scores.estimates[0]) for entry in fit.measured),
        gain=fit.gain,
        held_out=outcome.scores if outcome else None,
        operating=operating[1:] if operating else None,
        counts=target.objects() if isinstance(target, Boxes) else target.describe(),
        images=data_fit.samples.content,
        held_out_images=len(outcome.kept) if outcome else 0,
        failures=failures,
        notes=(*notes, *forgotten),
        seconds=clock.seconds,
        seed=options.seed,
        unit=UNITS["boxes"] if task is BOXES else "images",
        ignored=data.ignored,
    )


def _forgotten_note(samples: Samples, kept: Sequence[Any]) -> tuple[str, ...]:
    """A sentence on objects that are seen surely where nothing is labelled, the surest three by image and place."""
    target: Any = samples.target
    suspects = unlabelled_objects(target, kept)
    examples = "; ".join(
        f"{samples.names[s.row]}: {target.names[s.label]} at {s.corners[0]:.0f},{s.corners[1]:.0f}"
        for s in suspects[:3]
    )
    found = quantity(len(suspects), "object")
    note = (
        f"Perhaps not labelled: {found} seen as surely as those that are right {100 * SURE:.0f} times in a hundred, "
        f"where no label is; the surest: {examples}. 'headstart audit' lists them."
    )
    return (note,) if suspects else ()


def _evidence(target: Any, kept: Sequence[Any], outcome: _HeldOut | None) -> MissedEvidence:
    """From the split kept apart where there is one, which makes the promise exact; out of fold otherwise."""
    if outcome is None:
        return missed_evidence(target, kept, apart=False)
    return missed_evidence(outcome.data.samples.target, outcome.kept, apart=True)

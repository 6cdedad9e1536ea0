"""Where in a backbone the data leave ImageNet: a linear probe's score at every layer, on the same folds.

`depth` takes labelled images and returns a frozen `Depths`, one `Depth` a backbone: the score of each layer with its
interval, the best layer, whether the last is worse by more than noise, and from which stage fine-tuning would start. It
fits no model and fine-tunes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from headstart.backbones.graph import Backbone, Tap
from headstart.backbones.names import resolve_names
from headstart.checks import first_lines, quantity
from headstart.choose.race import BEHIND, CHOSEN, TIE, RaceLine, RaceResult
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.load import load_dataset
from headstart.data.splits import divide, repeats_for
from headstart.finetune.freeze_plan import first_of_units
from headstart.metrics.intervals import Estimate
from headstart.model.facts import DataFacts
from headstart.pipeline.candidates import tap_views
from headstart.pipeline.comparison import compare_views
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import data_facts, prepare
from headstart.records.notebook import NotebookText
from headstart.records.samples import Failure
from headstart.verbs.words import depth_words

_ROWS = 1500
"""Images times repeats up to which the folds are repeated."""


@dataclass(frozen=True)
class TapScore:
    """A layer's line.

    width: length of its embedding. score: of a linear probe on it, out of fold, with its own interval, not corrected
    for any choice. gain: its score minus the best layer's on the same images, with an interval; None for the best.
    status: 'chosen' (the best), 'tie' or 'behind'.
    """

    name: str
    width: int
    score: Estimate
    gain: Estimate | None
    status: str


@dataclass(frozen=True)
class Start:
    """From where fine-tuning would train: a stage, and the strategies (`finetune.strategies`) that begin there.

    last: everything from there on. surgical: that stage alone; for the last stage the two are the same.
    """

    stage: str
    last: str
    surgical: str

    def __str__(self) -> str:
        if self.last == "last-1":
            return f"train the last stage, {self.stage} ({self.last})"
        return f"start at {self.stage} ({self.last}; that stage alone: {self.surgical})"


@dataclass(frozen=True)
class Depth:
    """A backbone's layers, earliest first.

    best: the layer that the race chose: of those that are tied, the one of the lowest log-loss. baseline: the score of
    always answering the most frequent class. start: the stage after the best layer, or the last one there is.
    """

    backbone: str
    taps: tuple[TapScore, ...]
    best: TapScore
    baseline: float
    start: Start

    @property
    def last(self) -> TapScore:
        """The layer that is usually called the embedding."""
        return self.taps[-1]

    @property
    def leaves(self) -> bool:
        """Whether the last layer is worse than the best by more than noise.

        That is, by a 95 % paired interval, which is not widened for the best having been picked among all layers.
        """
        return self.last.status == BEHIND

    def words(self) -> str:
        """What was found and what follows from it, in two sentences."""
        return depth_words(
            best=self.best.name,
            score=self.best.score,
            last=self.last.name,
            gain=self.last.gain,
            worse=self.leaves,
            start=str(self.start),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "backbone": self.backbone,
            "taps": [asdict(tap) for tap in self.taps],
            "best": self.best.name,
            "last_is_worse": self.leaves,
            "baseline": self.baseline,
            "start": asdict(self.start),
            "words": self.words(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Depths(NotebookText):
    """What was found for each backbone, in the order asked for. failures: unreadable images. notes: for the user."""

    backbones: tuple[Depth, ...]
    data: DataFacts
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    options: Options

    def __repr__(self) -> str:
        lines = [f"Depth of {quantity(len(self.backbones), 'backbone')}"]
        for backbone in self.backbones:
            lines += [f"{backbone.backbone}: {backbone.words()}"]
            lines += [f"  {tap.name}: {tap.score}" for tap in backbone.taps]
        return first_lines("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "backbones": [profile.to_dict() for profile in self.backbones],
            "data": {**asdict(self.data), "unreadable": len(self.failures)},
            "notes": list(self.notes),
            "seed": self.options.seed,
        }


def depth(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Depths:
    """Score a linear probe at every layer (tap) of each backbone on labelled images.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        A folder of class folders, a table, paths or images with `labels`, or a `Dataset`, as `train` takes it.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: images of equal value are never parted between folds.
    options : Options, optional
        As of `train`; its heads, strategies and recipe take no part.

    Returns
    -------
    Depths
        A `Depth` for each backbone: the layers' scores with intervals, the best one, and where fine-tuning would start.

    Raises
    ------
    BackboneError
        For a backbone that cannot be had.
    DataError
        When the data cannot carry a measurement.

    Examples
    --------
    ::

        profile = depth("photos/").backbones[0]
        profile.best.name, profile.leaves
    """
    options = options or Options()
    dataset, exclusions = apply_plan(load_dataset(data, labels=labels, groups=groups), options.exclude)
    options = replace(options, backbones=resolve_names(options.backbones))
    prepared = prepare(dataset, options.backbones, options.run, weights=options.weights, fit=options.fit)
    # Fewer repeats of the folds than `train` makes, because every layer is probed and all on the same folds.
    images = len(prepared.samples)
    repeats = options.repeats or min(repeats_for(images), max(1, _ROWS // images))
    division = divide(prepared.samples, count=options.folds, repeats=repeats, seed=options.seed)
    return Depths(
        backbones=tuple(
            _depth(backbone, compare_views(prepared, division, tap_views(backbone), "probe", options))
            for backbone in prepared.backbones
        ),
        data=replace(data_facts(dataset, prepared, division), exclusions=exclusions),
        failures=prepared.failures,
        notes=(*prepared.notes, *division.notes),
        options=options,
    )


def _depth(backbone: Backbone, race_result: RaceResult) -> Depth:
    taps = tuple(_line(tap, entry) for tap, entry in zip(backbone.taps, race_result.lines, strict=True))
    start = start_after(race_result.winner, [tap.name for tap in backbone.taps])
    return Depth(backbone.name, taps, taps[race_result.winner], race_result.baseline, start)


def _line(tap: Tap, entry: RaceLine) -> TapScore:
    """No tap costs more than another here, so what is not behind is tied."""
    status = entry.status if entry.status in (CHOSEN, BEHIND) else TIE
    return TapScore(tap.name, tap.width, entry.score, None if status == CHOSEN else entry.gain, status)


def start_after(best: int, taps: Sequence[str]) -> Start:
    """Where fine-tuning starts when the tap at position `best` is the best: at the stage that follows it.

    >>> start_after(1, ["stem", "blocks.0", "blocks.1", "conv_head"])
    Start(stage='blocks.1', last='last-1', surgical='surgical:blocks.1')
    """
    firsts = first_of_units(taps)
    after = min(best + 1, len(taps) - 1)
    unit = max(i for i, first in enumerate(firsts) if first <= after)
    stage = taps[firsts[unit]]
    return Start(stage, f"last-{len(firsts) - unit}", f"surgical:{stage}")

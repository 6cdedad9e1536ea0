"""Which backbone suits these data: cheap scores of every one, then a measured comparison of the most promising.

`rank` takes labelled images and names of backbones and returns a frozen `Ranking`. Each backbone embeds the images
once; its last layer is scored by LogME, H-score and nearest neighbours. With more than three backbones the scores pick
three; what decides is a linear probe on the same folds (`choose.race`). It fits no model and saves none.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from headstart.backbones.graph import Backbone
from headstart.backbones.names import LOCAL, Unavailable, obtainable, resolve_names
from headstart.checks import first_lines, quantity
from headstart.choose.race import CHOSEN, TIE, RaceLine, RaceResult
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.embed.timing import seconds_per_image
from headstart.metrics.intervals import Estimate
from headstart.model.facts import DataFacts
from headstart.pipeline.candidates import last_layer_views
from headstart.pipeline.comparison import compare_views
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, data_facts, prepare
from headstart.pipeline.shortlist import Shortlist, shortlist
from headstart.progress import bar
from headstart.records.samples import Failure

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Ranked:
    """A backbone's line.

    logme, h_score: see `choose.transferability`; higher is better, and neither is an accuracy. neighbours: score of
    nearest neighbours, out of fold. probe: of a linear probe, out of fold, with its own interval, not corrected for the
    choice; None where it was not measured. gain: the probe's score minus the chosen one's on the same images, with an
    interval; None for the chosen one. status: the race's word ('chosen', 'tie', 'behind', 'costlier') or 'not
    measured'.
    seconds_per_image: of decoding and the forward pass, measured now on this machine. gigaflops: what the forward pass
    costs, where known.
    """

    name: str
    logme: float
    h_score: float
    neighbours: Estimate
    probe: Estimate | None
    gain: Estimate | None
    status: str
    seconds_per_image: float
    gigaflops: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """Backbones, best first.

    backbones: the chosen one, the others that were measured by their probe's score, then those that were not, by the
    cheap scores. unavailable: those that cannot be had here, with the reason. estimate: the chosen probe's score to
    expect on new images, corrected for the choice among the measured ones. baseline: the score of always answering the
    most frequent class. failures: unreadable images. notes: sentences for the user.
    """

    backbones: tuple[Ranked, ...]
    unavailable: tuple[Unavailable, ...]
    estimate: Estimate
    baseline: float
    data: DataFacts
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    options: Options

    def __repr__(self) -> str:
        lines = [f"{line.name}: {line.probe or 'not measured'}, {line.status}" for line in self.backbones]
        return first_lines("\n".join([f"Ranking of {quantity(len(lines), 'backbone')}", *lines]))

    @property
    def best(self) -> Ranked:
        """The chosen backbone."""
        return self.backbones[0]

    @property
    def ties(self) -> tuple[str, ...]:
        """The names of those that are not clearly worse or better than the chosen one."""
        return tuple(line.name for line in self.backbones if line.status == TIE)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "backbones": [asdict(line) for line in self.backbones],
            "unavailable": [asdict(backbone) for backbone in self.unavailable],
            "chosen": self.best.name,
            "ties": list(self.ties),
            "estimate": asdict(self.estimate),
            "baseline": self.baseline,
            "data": {**asdict(self.data), "unreadable": len(self.failures)},
            "notes": list(self.notes),
            "seed": self.options.seed,
        }


def rank(data: Any, labels: Any = None, *, groups: Any = None, options: Options | None = None) -> Ranking:
    """Rank backbones by how well linear probes on them do on labelled images.

    Parameters
    ----------
    data : path, sequence of images, or dataset
        A folder of class folders, a table, paths or images with `labels`, or a `Dataset`, as `train` takes it.
    labels : sequence of n labels, optional
        For a sequence of n images.
    groups : sequence of n values, optional
        For a sequence of n images: images of equal value are never parted between folds.
    options : Options, optional
        As of `train`; its heads, strategies and recipe take no part. Among its backbones 'local' stands for all whose
        weights are on this machine (the default when no options are given), 'all' for these and the whole zoo.

    Returns
    -------
    Ranking
        The backbones, best first; one that cannot be had here is listed with the reason.

    Raises
    ------
    UnknownBackbone
        For a misspelt name.
    DataError
        When the data cannot carry a measurement.

    References
    ----------
    LogME: You et al. 2021 (https://arxiv.org/abs/2102.11005). H-score: Bao et al. 2019.

    Examples
    --------
    ::

        ranking = rank("photos/", options=Options(backbones=("lite0", "lite2")))
        ranking.best.name, ranking.estimate.value
    """
    options = options or Options(backbones=(LOCAL,))
    dataset, exclusions = apply_plan(load_dataset(data, labels=labels, groups=groups), options.exclude)
    options = replace(options, backbones=resolve_names(options.backbones))
    weights = None if options.weights is None else Path(options.weights)
    names, unavailable = obtainable(options.backbones, weights=weights)
    prepared = prepare(dataset, names, options.run, weights=options.weights, fit=options.fit, last_only=True)
    division = divide(prepared.samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    lines, probes = _lines(prepared, division, options)
    return Ranking(
        backbones=lines,
        unavailable=unavailable,
        estimate=probes.estimate,
        baseline=probes.baseline,
        data=replace(data_facts(dataset, prepared, division), exclusions=exclusions),
        failures=prepared.failures,
        notes=(*prepared.notes, *division.notes),
        options=options,
    )


def _lines(prepared: Prepared, division: Division, options: Options) -> tuple[tuple[Ranked, ...], RaceResult]:
    """Every backbone's line, best first, and the race between the probes of the shortlisted."""
    cheap, views = shortlist(prepared, division, options), last_layer_views(prepared.backbones)
    probes = compare_views(prepared, division, [views[i] for i in cheap.chosen], "probe", options)
    probe_of = dict(zip(cheap.chosen, probes.lines, strict=True))
    seconds = _time_backbones(prepared, options)
    lines = [_line(i, prepared.backbones[i], cheap, probe_of.get(i), seconds[i]) for i in cheap.order]
    return tuple(sorted(lines, key=_place)), probes


def _time_backbones(prepared: Prepared, options: Options) -> list[float]:
    """Seconds an image of each backbone."""
    device = options.run.choose_device()
    seconds = []
    with bar("timing", len(prepared.backbones), unit="backbones") as advance:
        for backbone in prepared.backbones:
            seconds.append(seconds_per_image(prepared.samples.items, backbone, device))
            advance(1)
    return seconds


def _line(i: int, backbone: Backbone, cheap: Shortlist, probe: RaceLine | None, seconds: float) -> Ranked:
    """The line of the backbone with the number i. probe: its result, None where it was not measured."""
    cost = backbone.facts.get("gigaflops")
    return Ranked(
        name=backbone.name,
        logme=cheap.evidence[i],
        h_score=cheap.separation[i],
        neighbours=cheap.neighbours[i].score,
        probe=None if probe is None else probe.score,
        gain=None if probe is None or probe.status == CHOSEN else probe.gain,
        status=NOT_MEASURED if probe is None else probe.status,
        seconds_per_image=seconds,
        gigaflops=float(cost) if isinstance(cost, (int, float)) else None,
    )


def _place(line: Ranked) -> tuple[int, float]:
    """The chosen one, the measured by their score, the others as they come."""
    if line.probe is None:
        return 2, 0.0
    return (0, 0.0) if line.status == CHOSEN else (1, -line.probe.value)

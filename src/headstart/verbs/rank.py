"""Which backbone suits these data: cheap scores of every one, then a measured comparison of the most promising.

`rank` takes labelled images and names of backbones and returns a frozen `Ranking`. Each backbone embeds the images
once; its last layer is scored by LogME, H-score and nearest neighbours. With more than three backbones the scores pick
three; what decides is a linear probe on the same folds (`choose.race`). It fits no model and saves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from headstart.backbones.names import LOCAL, Unavailable, obtainable, resolve_names
from headstart.choose.race import CHOSEN, TIE, RaceLine, RaceResult
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.device import choose_device
from headstart.embed.timing import seconds_per_image
from headstart.metrics.intervals import Estimate
from headstart.model.facts import DataFacts
from headstart.pipeline.candidates import last_layer_views
from headstart.pipeline.comparison import compare_views
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, data_facts, prepare
from headstart.pipeline.shortlist import shortlist
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


@dataclass(frozen=True, eq=False)
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

    @property
    def best(self) -> Ranked:
        """The chosen backbone."""
        return self.backbones[0]

    @property
    def ties(self) -> tuple[str, ...]:
        """The names of those that are not clearly worse or better than the chosen one."""
        return tuple(each.name for each in self.backbones if each.status == TIE)

    def closing(self, data: str = "DATA") -> str:
        """What to do next, in a sentence. data: the images' place, as the command line takes it."""
        tied = f"; tied with it: {', '.join(self.ties)}" if self.ties else ""
        weights = f" --weights {self.options.weights}" if self.options.weights else ""
        plan = f" --exclude {self.options.exclude}" if self.options.exclude else ""
        return (
            f"headstart train {data} --backbones {self.best.name}{weights}{plan} would use the chosen backbone: a "
            f"probe on its last layer reaches {self.estimate} {self.estimate.metric.replace('-', ' ')}, corrected for "
            f"the choice{tied}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "backbones": [asdict(each) for each in self.backbones],
            "unavailable": [asdict(each) for each in self.unavailable],
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

    data, labels, groups: as `train` takes them. options: as of `train`; its heads, strategies and recipe take no part.
    Among its backbones `local` stands for all whose weights are on this machine (the default when no options are
    given), `all` for these and the whole zoo. A backbone that cannot be had is listed with the reason.
    Raises `UnknownBackbone` for a misspelt name, `DataError` when the data cannot carry a measurement.
    """
    loaded = data if isinstance(data, Dataset) else load_dataset(data, labels=labels, groups=groups)
    return rank_loaded(loaded, options or Options(backbones=(LOCAL,)))


def rank_loaded(loaded: Dataset, options: Options) -> Ranking:
    """As `rank`, for data that have been loaded already."""
    loaded, exclusions = apply_plan(loaded, options.exclude)
    options = replace(options, backbones=resolve_names(options.backbones))
    weights = None if options.weights is None else Path(options.weights)
    names, missing = obtainable(options.backbones, weights=weights)
    prepared = prepare(
        loaded,
        names,
        device=options.device,
        cache=options.cache,
        max_unreadable=options.max_unreadable,
        weights=options.weights,
        last_only=True,
    )
    division = divide(prepared.samples, count=options.folds, repeats=options.repeats, seed=options.seed)
    lines, probes = _lines(prepared, division, options)
    return Ranking(
        backbones=lines,
        unavailable=missing,
        estimate=probes.estimate,
        baseline=probes.baseline,
        data=replace(data_facts(loaded, prepared, division), exclusions=exclusions),
        failures=prepared.failures,
        notes=(*prepared.notes, *division.notes),
        options=options,
    )


def _lines(prepared: Prepared, division: Division, options: Options) -> tuple[tuple[Ranked, ...], RaceResult]:
    """Every backbone's line, best first, and the race between the probes of the shortlisted."""
    cheap, views = shortlist(prepared, division, options), last_layer_views(prepared.backbones)
    probes = compare_views(prepared, division, [views[i] for i in cheap.chosen], "probe", options)
    measured = dict(zip(cheap.chosen, probes.lines, strict=True))
    seconds = _seconds(prepared, options)
    lines = [
        _line(prepared, i, (cheap.evidence[i], cheap.separation[i], seconds[i]), cheap.neighbours[i], measured.get(i))
        for i in cheap.order
    ]
    return tuple(sorted(lines, key=_place)), probes


def _seconds(prepared: Prepared, options: Options) -> list[float]:
    device = choose_device(options.device)
    with bar("timing", len(prepared.backbones), unit="backbones") as advance:
        found = []
        for backbone in prepared.backbones:
            found.append(seconds_per_image(prepared.samples.images, backbone, device))
            advance(1)
    return found


def _line(prepared: Prepared, i: int, scores: Sequence[float], neighbours: RaceLine, probe: RaceLine | None) -> Ranked:
    backbone = prepared.backbones[i]
    cost = backbone.facts.get("gigaflops")
    return Ranked(
        backbone.name,
        scores[0],
        scores[1],
        neighbours.score,
        None if probe is None else probe.score,
        None if probe is None or probe.status == CHOSEN else probe.gain,
        NOT_MEASURED if probe is None else probe.status,
        scores[2],
        float(cost) if isinstance(cost, (int, float)) else None,
    )


def _place(line: Ranked) -> tuple[int, float]:
    """The chosen one, the measured by their score, the others as they come."""
    if line.probe is None:
        return 2, 0.0
    return (0, 0.0) if line.status == CHOSEN else (1, -line.probe.value)

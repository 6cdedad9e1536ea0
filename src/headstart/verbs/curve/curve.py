"""How accuracy grows with labels per class, and how many a target needs: from labelled images to a frozen `Curve`.

`learning_curve` embeds the images, measures one head with few labels per class and with many, does the same on random
features of the same networks, fits a curve to each and reads the target off the first. The head is the one that wins
most often in `train` and costs least: ridge regression on several layers of all backbones, its strength by exact
leave-one-out (docs/evidence.md). A test split takes no part. It trains no model for use and saves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headstart import checks
from headstart.backbones.graph import Backbone
from headstart.backbones.names import AUTO, resolve_names
from headstart.backbones.opening import open_backbone
from headstart.choose.curves.fit import CurvePoint, LearningCurve, fit_curve
from headstart.choose.curves.labels_needed import REACH, LabelsNeeded, labels_needed
from headstart.choose.curves.subsets import available, fits_for, ladder, largest, measure
from headstart.data.cleaning_plan import apply_plan
from headstart.data.sources.dataset import Dataset
from headstart.data.sources.load import load_dataset
from headstart.data.splits import divide
from headstart.device import choose_device
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.errors import BackboneError, MissingExtra
from headstart.heads.catalog import HEADS, make_head
from headstart.metrics.intervals import Estimate
from headstart.pipeline.candidates import LAYERS
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, prepare
from headstart.records.arrays import Floats, Ints
from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure
from headstart.verbs.curve import from_scratch
from headstart.verbs.curve.from_scratch import SCRATCH
from headstart.verbs.curve.series import Series
from headstart.verbs.curve.words import data_words, forecast_words, worth

PRETRAINED, RANDOM = "pretrained", "random"
HEAD = "ridge"
ALLOWANCE = 2.5
"""Modelled seconds for all the heads of one size, where one repeat of the folds does not take longer."""
MOST_SECONDS = 20.0
"""Modelled seconds for one head; a size that takes longer is left out."""
_REPEATS = 10
_AHEAD = (2, 4)


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy against labels per class, and what a target needs.

    series: the pretrained features first. whole: the pretrained features' accuracy with every image that is not tested
    on, None where classes are equal, for then the last size is that. answer: to the target. ahead: labels per class,
    two and four times what every class has, → the accuracy forecast with its band. counts: class → images. failures:
    unreadable images. notes: sentences for the user.
    """

    series: tuple[Series, ...]
    whole: Estimate | None
    answer: LabelsNeeded
    ahead: Mapping[int, Estimate]
    counts: Mapping[str, int]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A few lines for a person: what was measured, what pretraining is worth, what is forecast, and the answer."""
        lines = [("data", data_words(self.counts)), ("measured", f"{HEAD} on {self.series[0].features}")]
        said = worth(self.series)
        lines += [("pretraining", said)] if said else []
        lines += [("forecast", forecast_words(self.ahead))] if self.ahead else []
        return "\n".join(f"{name:<11} {words}" for name, words in [*lines, ("answer", self.answer.sentence)])

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {
            "answer": asdict(self.answer),
            "forecasts": [{"labels_per_class": size, **each.to_dict()} for size, each in self.ahead.items()],
            "series": [_series_values(each) for each in self.series],
            "whole": None if self.whole is None else self.whole.to_dict(),
            "counts": dict(self.counts),
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def _series_values(series: Series) -> dict[str, Any]:
    measured, curve = series.measured, series.curve
    columns = zip(measured.sizes, series.points, measured.heads, measured.tested, strict=True)
    return {
        "name": series.name,
        "features": series.features,
        "head": None if series.name == SCRATCH else HEAD,
        "points": [
            {"labels_per_class": int(size), **point.to_dict(), "draws": int(heads), "images": int(tested)}
            for size, point, heads, tested in columns
        ],
        "law": None if curve is None else asdict(curve.law),
    }


def learning_curve(
    data: Any,
    labels: Any = None,
    *,
    groups: Any = None,
    target: float = 0.95,
    backbones: Sequence[str] = (AUTO,),
    random: bool = True,
    scratch: bool = False,
    exclude: str | None = None,
    max_unreadable: float = 0.05,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> Curve:
    """Measure accuracy at rising numbers of labels per class, and say how many more `target` needs.

    data, labels, groups: as for `train`. target: the accuracy wanted, a share. random: also measure random features of
    the same networks (needs the extra `finetune`, once; where it is absent they are left out, with a note). scratch:
    also train the first network from random weights at up to three sizes: minutes, and the extra `finetune`. exclude: a
    plan that an audit has written, as for `Options`. Raises `DataError` when the data cannot carry a measurement,
    `OptionError` for an option out of its range.
    """
    checks.between("target", target, 0.01, 1)
    options = Options(
        backbones=resolve_names(backbones), max_unreadable=max_unreadable, seed=seed, device=device, cache=cache
    )
    if scratch:
        from_scratch.check_from_scratch(options.backbones[0])
    loaded = data if isinstance(data, Dataset) else load_dataset(data, labels=labels, groups=groups)
    loaded, _ = apply_plan(loaded, exclude)
    prepared = prepare(loaded, options.backbones, device=device, cache=cache, max_unreadable=max_unreadable)
    plan = _plan(prepared, seed)
    series, notes = [plan.series(PRETRAINED, prepared.backbones, prepared.embedded)], [*prepared.notes, *plan.notes]
    if random:
        networks, said = _random(prepared.backbones)
        notes += said
        if networks:
            embedded = [_embedded(prepared, each, device, cache) for each in networks]
            series.append(plan.series(RANDOM, networks, embedded))
    if scratch:
        series.append(plan.from_scratch(prepared, device))
    counts = prepared.samples.take(plan.rows).counts()
    first = series[0]
    return Curve(
        series=tuple(series),
        whole=plan.whole(prepared.embedded),
        answer=labels_needed(first.measured, first.curve, target, counts),
        ahead=_ahead(first.curve, counts),
        counts=counts,
        failures=prepared.failures,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class _Plan:
    """What every series shares.

    rows: the samples that take part. labels, folds, groups: of these. sizes: labels per class. fits: heads for each.
    fits_of_all: heads for all images; 0 where the classes are so equal that the last size is that, or where one takes
    too long.
    """

    rows: Ints
    labels: Ints
    groups: Ints | None
    folds: Ints
    sizes: tuple[int, ...]
    fits: tuple[int, ...]
    fits_of_all: int
    seed: int
    notes: tuple[str, ...]

    def series(self, name: str, backbones: Sequence[Backbone], embedded: Sequence[Embeddings]) -> Series:
        """The measurement on several layers of these backbones, with its curve."""
        measured = self._measure(embedded, self.sizes, self.fits, f"learning from few and many ({name})")
        words = " + ".join(f"{each.name}, {min(LAYERS, len(each.taps))} layers" for each in backbones)
        return Series(name, words, measured, fit_curve(measured, seed=self.seed))

    def from_scratch(self, prepared: Prepared, device: str) -> Series:
        """The first backbone's architecture, trained from random weights."""
        backbone = prepared.backbones[0]
        found = from_scratch.measure_from_scratch(
            backbone,
            prepared.samples.take(self.rows),
            self.folds,
            from_scratch.sizes_of(self.sizes),
            groups=self.groups,
            device=choose_device(device),
            seed=self.seed,
        )
        return Series(SCRATCH, f"{backbone.name}, the whole network", found, None)

    def whole(self, embedded: Sequence[Embeddings]) -> Estimate | None:
        """The accuracy with all images outside each fold, however many of each class; None where sizes say it."""
        if not self.fits_of_all:
            return None
        return self._measure(embedded, (len(self.labels),), (self.fits_of_all,), "learning from all").estimates()[0]

    def _measure(
        self, embedded: Sequence[Embeddings], sizes: Sequence[int], fits: Sequence[int], label: str
    ) -> CurvePoint:
        return measure(
            _several(embedded)[self.rows],
            self.labels,
            self.folds,
            head=lambda: make_head(HEAD, signed_sqrt=True),
            sizes=sizes,
            fits=fits,
            groups=self.groups,
            seed=self.seed,
            label=label,
        )


def _several(embedded: Sequence[Embeddings]) -> Floats:
    """(n, width): the last layers of each backbone side by side."""
    return np.concatenate([each.joined(list(each.taps)[-LAYERS:]) for each in embedded], axis=1)


def _plan(prepared: Prepared, seed: int) -> _Plan:
    """Folds over all that is not a test split, and the sizes that the classes and a bearable time allow."""
    division = divide(prepared.samples, count=None, repeats=_REPEATS, seed=seed)
    samples = prepared.samples.take(division.fit)
    there = available(samples.labels, division.folds)
    most = largest(there)
    width = sum(sum(tap.width for tap in each.taps[-LAYERS:]) for each in prepared.backbones)
    count = int(division.folds.max()) + 1

    def fits(size: int) -> int:
        """Heads to train with so many labels per class; 0 where one takes too long."""
        seconds = HEADS[HEAD].seconds(int(np.minimum(there, size).sum()), width, len(there), 1)
        return fits_for(seconds, count, allowance=ALLOWANCE) if seconds <= MOST_SECONDS or size == 1 else 0

    sizes = tuple(size for size in ladder(most) if fits(size))
    equal = int(there.max()) <= most == sizes[-1]
    notes = _noted(there, most, sizes[-1], samples.classes)
    if len(division.held_out):
        notes += (f"{checks.quantity(len(division.held_out), 'image')} of the split to be tested on take no part.",)
    return _Plan(
        rows=division.fit,
        labels=samples.labels,
        groups=division.groups,
        folds=division.folds,
        sizes=sizes,
        fits=tuple(fits(size) for size in sizes),
        fits_of_all=0 if equal else min(fits(int(there.max())), count),
        seed=seed,
        notes=notes,
    )


def _noted(there: Ints, most: int, last: int, classes: Sequence[str]) -> tuple[str, ...]:
    """Why the curve ends where it does, where that is not plain. there: images of each class to draw from."""
    few = [f"{name} ({count:,})" for name, count in zip(classes, there.tolist(), strict=True) if count < last]
    notes = []
    if few:
        notes.append(
            f"Fewer images to draw from than the largest sizes ask for, so used whole there: {', '.join(few)}."
        )
    if int(there.max()) > most:
        name, count = classes[int(there.argmin())], int(there.min())
        notes.append(
            f"The curve ends at {most:,} labels per class, although some classes have more: with "
            f"{checks.quantity(count, 'image')} of {name!r} to draw from, larger draws would be unequal."
        )
    if last < most:
        notes.append(f"Sizes above {last:,} labels per class would take minutes and are left out.")
    return tuple(notes)


def _random(backbones: Sequence[Backbone]) -> tuple[list[Backbone], list[str]]:
    """The same networks with random weights; none, and why, where one of them cannot be had."""
    try:
        return [open_backbone(f"random:{each.facts.get('asked', each.name)}") for each in backbones], []
    except MissingExtra as error:
        return [], [f"Random features are left out: making them needs the extra {error.extra!r} once."]
    except BackboneError as error:
        return [], [f"Random features are left out: {error}"]


def _embedded(prepared: Prepared, backbone: Backbone, device: str, cache: bool) -> Embeddings:
    samples = prepared.samples
    return embed(
        samples.images,
        backbone,
        content=samples.content,
        names=samples.names,
        taps=[tap.name for tap in backbone.taps[-LAYERS:]],
        device=choose_device(device),
        cache=open_cache(backbone) if cache else None,
        label="embedding, random weights",
    )


def _ahead(curve: LearningCurve | None, counts: Mapping[str, int]) -> dict[int, Estimate]:
    """What to expect of twice and four times the labels that every class has, as far as a forecast is given."""
    if curve is None:
        return {}
    sizes = [times * min(counts.values()) for times in _AHEAD]
    found = {}
    for size in (each for each in sizes if each <= REACH * curve.top):
        low, high = (float(end[0]) for end in curve.band([size]))
        how = "inverse power law, parametric bootstrap and model error"
        found[size] = Estimate(float(curve.at(size)), low, high, "accuracy", curve.confidence, how)
    return found

"""What a learning curve is measured on: the folds, the sizes, and how many heads are trained for each size.

`design_curve` takes prepared data and returns a `CurveDesign`, which measures one head on several layers of some
backbones (a `Series`), or a network trained from scratch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart import checks
from headstart.choose.curves.fit import CurvePoint, fit_curve
from headstart.choose.curves.subsets import available, fits_for, ladder, largest, measure
from headstart.data.splits import divide
from headstart.heads.catalog import HEADS, make_head
from headstart.pipeline.candidates import LAYERS
from headstart.records.arrays import Floats, Ints
from headstart.verbs.curve import from_scratch
from headstart.verbs.curve.from_scratch import SCRATCH
from headstart.verbs.curve.series import Series

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.metrics.intervals import Estimate
    from headstart.pipeline.prepare import Prepared
    from headstart.records.embeddings import Embeddings
    from headstart.records.run import Run

HEAD = "ridge"
ALLOWANCE = 2.5
"""Modelled seconds for all the heads of one size, where one repeat of the folds does not take longer."""
MOST_SECONDS = 20.0
"""Modelled seconds for one head; a size that takes longer is left out."""
_REPEATS = 10


@dataclass(frozen=True, eq=False)
class CurveDesign:
    """What every line of the curve is measured on.

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
        features = " + ".join(f"{network.name}, {min(LAYERS, len(network.taps))} layers" for network in backbones)
        return Series(name, features, measured, fit_curve(measured, seed=self.seed))

    def from_scratch(self, prepared: Prepared, run: Run) -> Series:
        """The first backbone's architecture, trained from random weights."""
        backbone = prepared.backbones[0]
        measured = from_scratch.measure_from_scratch(
            backbone,
            prepared.samples.take(self.rows),
            self.folds,
            from_scratch.sizes_of(self.sizes),
            groups=self.groups,
            device=run.choose_device(),
            seed=self.seed,
        )
        return Series(SCRATCH, f"{backbone.name}, the whole network", measured, None)

    def whole(self, embedded: Sequence[Embeddings]) -> Estimate | None:
        """The accuracy with all images outside each fold, however many of each class; None where sizes say it."""
        if not self.fits_of_all:
            return None
        return self._measure(embedded, (len(self.labels),), (self.fits_of_all,), "learning from all").estimates()[0]

    def _measure(
        self, embedded: Sequence[Embeddings], sizes: Sequence[int], fits: Sequence[int], label: str
    ) -> CurvePoint:
        return measure(
            _join_layers(embedded)[self.rows],
            self.labels,
            self.folds,
            head=lambda: make_head(HEAD, signed_sqrt=True),
            sizes=sizes,
            fits=fits,
            groups=self.groups,
            seed=self.seed,
            label=label,
        )


def _join_layers(embedded: Sequence[Embeddings]) -> Floats:
    """(n, width): the last layers of each backbone side by side."""
    return np.concatenate([part.joined(list(part.taps)[-LAYERS:]) for part in embedded], axis=1)


def design_curve(prepared: Prepared, seed: int) -> CurveDesign:
    """Folds over all that is not a test split, and the sizes that the classes and a bearable time allow."""
    division = divide(prepared.samples, count=None, repeats=_REPEATS, seed=seed)
    samples = prepared.samples.take(division.fit)
    counts = available(samples.labels, division.folds)
    most = largest(counts)
    width = sum(sum(tap.width for tap in backbone.taps[-LAYERS:]) for backbone in prepared.backbones)
    count = int(division.folds.max()) + 1

    def fits(size: int) -> int:
        """Heads to train with so many labels per class; 0 where one takes too long."""
        seconds = HEADS[HEAD].seconds(int(np.minimum(counts, size).sum()), width, len(counts), 1)
        if seconds > MOST_SECONDS and size > 1:
            return 0
        return min(fits_for(seconds, count, allowance=ALLOWANCE), len(division.folds) * count)

    sizes = tuple(size for size in ladder(most) if fits(size))
    equal = int(counts.max()) <= most == sizes[-1]
    notes = _size_notes(counts, most, sizes[-1], samples.classes)
    if len(division.held_out):
        notes += (f"{checks.quantity(len(division.held_out), 'image')} of the split to be tested on take no part.",)
    return CurveDesign(
        rows=division.fit,
        labels=samples.labels,
        groups=division.groups,
        folds=division.folds,
        sizes=sizes,
        fits=tuple(fits(size) for size in sizes),
        fits_of_all=0 if equal else min(fits(int(counts.max())), count),
        seed=seed,
        notes=notes,
    )


def _size_notes(counts: Ints, most: int, last: int, classes: Sequence[str]) -> tuple[str, ...]:
    """Why the curve ends where it does, where that is not plain. counts: images of each class to draw from."""
    few = [f"{name} ({count:,})" for name, count in zip(classes, counts.tolist(), strict=True) if count < last]
    notes = []
    if few:
        notes.append(
            f"Fewer images to draw from than the largest sizes ask for, so used whole there: {', '.join(few)}."
        )
    if int(counts.max()) > most:
        name, count = classes[int(counts.argmin())], int(counts.min())
        notes.append(
            f"The curve ends at {most:,} labels per class, although some classes have more: with "
            f"{checks.quantity(count, 'image')} of {name!r} to draw from, larger draws would be unequal."
        )
    if last < most:
        notes.append(f"Sizes above {last:,} labels per class would take minutes and are left out.")
    return tuple(notes)

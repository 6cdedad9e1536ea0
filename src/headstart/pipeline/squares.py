"""How images become the squares that a network takes: measured on the user's data where many of them are long.

`choose_fit` looks at the images' sizes. Where at least a fifth of them are clearly longer than 3:2, a few hundred are
embedded as the centre square, squeezed whole and padded whole, and a quick probe is scored out of fold on each; the
centre square, the usual way, stays unless another one measures better. Held-out images take no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from headstart.checks import quantity
from headstart.data.images.decode import FITS
from headstart.data.images.open import open_image
from headstart.data.sampling import random_rows, stratified_subsample
from headstart.data.splits import held_out_rows
from headstart.errors import DataError, UnreadableImage
from headstart.pipeline.probe import probe_probabilities
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import UNLABELLED, ImageSource, Samples
from headstart.records.targets import Classes

if TYPE_CHECKING:
    from headstart.data.duplicates.thumbnails import Thumbnails
    from headstart.records.run import Run

AUTO = "auto"
CROP = FITS[0]
BACKBONE = "lite0"
_LONG = 1.55
"""Longer side over shorter side; photographs of 3:2 are not long."""
_SHARE = 0.2
_MOST_PROBED = 500
_LEAST_GAIN = 0.005
_DONE = {
    "crop": "the centre square is looked at",
    "squeeze": "squeezed whole to a square",
    "pad": "shown whole, with bands beside them",
}
_NAMES = {"crop": "the centre square", "squeeze": "squeezing", "pad": "padding"}


@dataclass(frozen=True)
class FitChoice:
    """How images become squares. fit: one of `FITS`. note: what was measured; '' where nothing was."""

    fit: str
    note: str = ""


def choose_fit(samples: Samples, thumbnails: Thumbnails | None, wanted: str, run: Run) -> FitChoice:
    """The way that `wanted` names, or for 'auto' the one that measures best; the centre square for ordinary images.

    thumbnails: of the samples, whose sizes they tell; without them the sizes of a few hundred files are read.
    """
    if wanted != AUTO:
        return FitChoice(wanted)
    aspects = _aspects(samples, thumbnails)
    long = aspects[aspects > _LONG]
    if not len(long) or len(long) < _SHARE * len(aspects) or not isinstance(samples.target, Classes):
        return FitChoice(CROP)
    length = f"(median {np.median(long):.3g}:1)"
    share = len(long) / len(aspects)
    words = f"Images are long {length}" if share > 0.9 else f"Of the images {share:.0%} are long {length}"
    try:
        hits = _measure_fits(samples, run)
    except DataError:
        return FitChoice(CROP, f"{words}: the centre square is looked at; too few can be read to measure other ways.")
    fit = best_fit(hits)
    return FitChoice(fit, f"{words}: {_DONE[fit]}, because {_figures(fit, hits)}.")


def best_fit(hits: Mapping[str, Floats]) -> str:
    """The best of the ways: `crop` unless another one gains more than half a point and than one standard error.

    hits: way → (n,) 1 where the probe was right, of the same images.

    >>> best_fit({"crop": np.array([1.0, 0, 0, 0]), "squeeze": np.ones(4), "pad": np.zeros(4)})
    'squeeze'
    """
    other = max((fit for fit in FITS if fit != CROP), key=lambda fit: float(hits[fit].mean()))
    difference = hits[other] - hits[CROP]
    error = float(difference.std()) / np.sqrt(len(difference))  # of a paired difference's mean
    return other if float(difference.mean()) > max(_LEAST_GAIN, error) else CROP


def _figures(fit: str, hits: Mapping[str, Floats]) -> str:
    """What was measured, in words."""
    percents = {name: f"{100 * float(values.mean()):.0f} %" for name, values in hits.items()}
    others = ", ".join(f"{percents[name]} for {_NAMES[name]}" for name in hits if name != fit)
    how = f"a quick probe on {quantity(len(hits[fit]), 'image')}, out of fold"
    if fit == CROP:
        return f"showing them whole did not measure better ({percents[fit]} against {others}; {how})"
    return f"that measured {percents[fit]} against {others} ({how})"


def _aspects(samples: Samples, thumbnails: Thumbnails | None) -> Floats:
    """Longer side over shorter side of every image whose size is known."""
    if thumbnails is not None:
        sides = np.stack([thumbnails.fact("width"), thumbnails.fact("height")])
    else:
        rows = random_rows(len(samples), _MOST_PROBED)
        sizes = [size for row in rows.tolist() if (size := _size(samples.items[row])) is not None]
        sides = np.array(sizes, np.float32).reshape(-1, 2).T
    aspects: Floats = sides.max(axis=0) / np.maximum(sides.min(axis=0), 1)
    return aspects


def _size(image: ImageSource) -> tuple[int, int] | None:
    if isinstance(image, np.ndarray):
        return (image.shape[0], image.shape[1]) if image.ndim > 1 else None
    if hasattr(image, "size"):
        return image.size
    try:
        with open_image(image) as opened:
            return opened.size
    except UnreadableImage:
        return None


def _measure_fits(samples: Samples, run: Run) -> dict[str, Floats]:
    """Way → (n,) whether the probe was right, of the same images; raises `DataError` where it cannot be trained."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.features import embed_backbone

    samples = samples.take(~held_out_rows(samples)[0] & (samples.labels != UNLABELLED))
    samples = samples.take(stratified_subsample(samples.labels, _MOST_PROBED, run.seed))
    backbone = open_backbone(BACKBONE)
    embedded = [
        embed_backbone(
            samples, replace(backbone, spec=replace(backbone.spec, fit=fit)), run, taps=[backbone.last.name], label=fit
        )
        for fit in FITS
    ]
    rows = reduce(np.intersect1d, [table.rows for table in embedded])
    readable = _with_neighbours(samples.take(rows))
    tables = [table.take(np.isin(table.rows, rows)).last[readable] for table in embedded]
    samples = samples.take(rows).take(readable)
    return {fit: _hits(X, samples, run) for fit, X in zip(FITS, tables, strict=True)}


def _with_neighbours(samples: Samples) -> Ints:
    """The rows of classes that have at least two images, without which nothing can be predicted."""
    counts = np.bincount(samples.labels, minlength=1)
    return np.flatnonzero(counts[samples.labels] > 1)


def _hits(X: Floats, samples: Samples, run: Run) -> Floats:
    labels: Ints = np.unique(samples.labels, return_inverse=True)[1]
    if not len(labels) or labels.max() == 0:
        raise DataError("there are not two classes to tell apart.")
    hits: Floats = (probe_probabilities(X, labels, samples.groups, run).argmax(axis=1) == labels).astype(np.float32)
    return hits

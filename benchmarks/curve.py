"""Does the forecast of `headstart curve` hold? Small sets are drawn from large ones, where the later truth is known.

    python benchmarks/curve.py [--data FOLDER] [--sets trashnet,…,elpv,synthetic] [--labels 10,20,40] [--draws 4]

From each set, and from random halves of its classes, `--labels` images per class are drawn `--draws` times. Each is
treated as the command treats data: labels are drawn from its folds, a curve is fitted, and its band is read at 2, 4 and
8 times the largest size it could measure. The truth is the mean accuracy really measured with so many labels per class
drawn from the whole set (tested out of fold on all of it). Printed for each set and factor: how far forecast and truth
lie apart (points), how far a curve that stayed flat would be off, the band's mean width, and how often it holds the
truth; then the same over all sets. Draws from one set share images, so they are not independent trials.

`synthetic` are curves of other shapes than the one that is fitted (exponential, logistic in log m, two power laws one
after the other), beside the power law itself, with binomial noise shared by all sizes.

Left out unless named: corn_leaf, charts and dogs20, on which the band's constants were chosen; and rice_leaf, half of
whose files are rotated copies of the other half, so that the truth at larger sizes has seen its own test images.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from common import arguments, heading, missing, numbers, row, samples_of, words
from headstart.backbones.opening import open_backbone
from headstart.choose.curves.errors import summarise_draws
from headstart.choose.curves.fit import CurvePoint, LearningCurve, fit_curve
from headstart.choose.curves.subsets import available, fits_for, ladder, largest, measure
from headstart.data.splits import assign_folds, folds_for
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.heads.catalog import HEADS, make_head
from headstart.pipeline.candidates import LAYERS
from headstart.records.arrays import Floats, Ints
from headstart.verbs.curve.design import ALLOWANCE

SETS = (
    *("trashnet", "pacs/photo", "pacs/art_painting", "pacs/cartoon", "pacs/sketch", "elpv"),
    "synthetic",
)
FACTORS = (2, 4, 8)
RATES = (0.8, 0.9)
_TRUTH_FOLDS = 10


@dataclass(frozen=True)
class Forecast:
    """One forecast with what came true, all in shares. bands: stated rate → its ends. last: what was measured."""

    name: str
    factor: int
    truth: float
    said: float
    last: float
    bands: dict[float, tuple[float, float]]

    def held(self, rate: float) -> bool:
        """Whether the band holds the truth."""
        low, high = self.bands[rate]
        return low <= self.truth <= high


def embed_layers(name: str, root: Path) -> tuple[Floats, Ints]:
    """Several layers of both packaged backbones, and the labels."""
    samples = samples_of(name, root)
    backbones = [open_backbone(backbone) for backbone in ("lite0", "lite2")]
    embeddings = [embed(samples.items, b, content=samples.content, cache=open_cache(b)) for b in backbones]
    return np.concatenate([each.joined(list(each.taps)[-LAYERS:]) for each in embeddings], axis=1), samples.labels


def measure_point(
    X: Floats, y: Ints, seed: int, *, sizes: tuple[int, ...] | None = None, count: int | None = None
) -> CurvePoint:
    """As the command measures, with fewer draws; or at given sizes, on more folds."""
    classes = int(y.max()) + 1
    folds = assign_folds(y, count=count or folds_for(len(y), classes), repeats=10 if sizes is None else 1, seed=seed)
    sizes = sizes or ladder(largest(available(y, folds)))
    number = int(folds.max()) + 1
    seconds = [HEADS["ridge"].seconds(size * classes, X.shape[1], classes, 1) for size in sizes]
    fits = [number if count else fits_for(each, number, allowance=ALLOWANCE) for each in seconds]
    return measure(X, y, folds, head=lambda: make_head("ridge", signed_sqrt=True), sizes=sizes, fits=fits, seed=seed)


def problems(X: Floats, y: Ints, halves: int) -> Iterator[tuple[Floats, Ints]]:
    """The whole set, then random halves of its classes."""
    yield X, y
    classes = int(y.max()) + 1
    for number in range(halves if classes > 3 else 0):
        kept = np.random.default_rng(number).permutation(classes)[: (classes + 1) // 2]
        rows = np.isin(y, kept)
        yield X[rows], np.unique(y[rows], return_inverse=True)[1].astype(np.int64)


def draw_rows(y: Ints, labels: int, seed: int) -> Ints:
    """`labels` rows of each class."""
    generator = np.random.default_rng([labels, seed])
    return np.concatenate([generator.permutation(np.flatnonzero(y == k))[:labels] for k in np.unique(y)])


def set_forecasts(name: str, X: Floats, y: Ints, labels: list[int], draws: int) -> Iterator[Forecast]:
    """Every forecast whose truth can be measured."""
    most = int(np.bincount(y).min()) * (_TRUTH_FOLDS - 1) // _TRUTH_FOLDS
    tops = {each: each - -(-each // 5) for each in labels}  # four of five folds
    later = sorted({top * factor for top in tops.values() for factor in FACTORS if top * factor <= most})
    if not later:
        return
    truth = dict(
        zip(later, measure_point(X, y, 1000, sizes=tuple(later), count=_TRUTH_FOLDS).accuracy.tolist(), strict=True)
    )
    for each in labels:
        if tops[each] * FACTORS[0] > most:
            continue
        for seed in range(draws):
            rows = draw_rows(y, each, seed)
            found = measure_point(X[rows], y[rows], seed)
            curve = fit_curve(found)
            if curve is not None:
                yield from forecasts(name, found, curve, lambda size: truth.get(round(size)))


def forecasts(
    name: str, found: CurvePoint, curve: LearningCurve, truth: Callable[[float], float | None]
) -> Iterator[Forecast]:
    """What the curve says at 2, 4 and 8 times its last size, where the truth is known."""
    for factor in FACTORS:
        size = float(found.sizes[-1]) * factor
        true = truth(size)
        if true is not None:
            bands = {rate: band(replace(curve, confidence=rate), size) for rate in RATES}
            yield Forecast(name, factor, true, float(curve.at(size)), float(found.accuracy[-1]), bands)


def band(curve: LearningCurve, size: float) -> tuple[float, float]:
    """The ends of the band at one size."""
    low, high = curve.band([size])
    return float(low[0]), float(high[0])


def shapes(generator: np.random.Generator) -> dict[str, Callable[[Floats], Floats]]:
    """Curves of four shapes with random constants."""
    ceiling, gap, rate = generator.uniform(0.75, 1), generator.uniform(0.2, 0.5), generator.uniform(0.25, 1.0)
    scale, bend = generator.uniform(5, 60), generator.uniform(5, 40)
    return {
        "power law": lambda m: ceiling - gap * m**-rate,
        "exponential": lambda m: ceiling - gap * np.exp(-((m / scale) ** 0.6)),
        "logistic in log m": lambda m: ceiling - gap / (1 + (m / 4) ** (0.5 + rate)),
        "two power laws": lambda m: ceiling - gap * np.where(m < bend, m**-0.3, bend**-0.3 * (m / bend) ** -rate),
    }


def synthetic_forecasts(draws: int) -> Iterator[Forecast]:
    """Forecasts of made curves: rows differ in difficulty, a head's luck moves all its answers."""
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        classes, labels = int(generator.choice([2, 5, 10])), int(generator.choice([12, 25, 50]))
        for name, true in shapes(generator).items():
            found = simulate_point(true, classes, labels, generator)
            curve = fit_curve(found)
            assert curve is not None
            yield from forecasts(
                f"synthetic: {name}", found, curve, lambda size, true=true: float(true(np.array(size)))
            )


def simulate_point(
    true: Callable[[Floats], Floats], classes: int, labels: int, generator: np.random.Generator
) -> CurvePoint:
    """What might be measured where the mean accuracy with m labels per class is `true(m)`."""
    from scipy.special import ndtr, ndtri

    y = np.repeat(np.arange(classes), labels)
    folds = assign_folds(y, repeats=6, seed=int(generator.integers(1000)))
    sizes = ladder(labels * 4 // 5)
    level = ndtri(np.clip(true(np.array(sizes, np.float64)), 0.001, 0.999)) * np.sqrt(2.0)
    hard = generator.standard_normal(len(y))
    luck = np.empty((len(sizes), *folds.shape))
    for i, size in enumerate(sizes):
        per_head = generator.normal(0, 0.25 / np.sqrt(size), (len(folds), int(folds.max()) + 1))
        luck[i] = np.take_along_axis(per_head, folds, axis=1)
    chance = ndtr(level[:, None, None] + hard + luck)
    right = generator.random(chance.shape) < chance
    return summarise_draws(np.array(sizes, np.float64), right, np.ones_like(right), y, folds)


def line(name: str, factor: int, found: list[Forecast]) -> str:
    """One row of the table."""
    off = np.array([each.said - each.truth for each in found])
    flat = np.array([each.last - each.truth for each in found])
    errors = (f"{100 * np.sqrt((each**2).mean()):.1f}" for each in (off, flat))
    held = []
    for rate in RATES:
        held.append(f"{100 * np.mean([high - low for low, high in (each.bands[rate] for each in found)]):.1f}")
        held.append(f"{100 * np.mean([each.held(rate) for each in found]):.0f} %")
    return row(name, f"{factor}×", len(found), f"{100 * off.mean():+.1f}", *errors, *held)


def main() -> None:
    """Parse the options and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", type=words, default=SETS)
    parser.add_argument("--labels", type=numbers, default=(10, 20, 40))
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--halves", type=int, default=2)
    options = parser.parse_args()
    bands = [title for rate in RATES for title in (f"{100 * rate:.0f} % band's width", "holds")]
    print(heading("set", "labels", "forecasts", "bias", "error", "error if flat", *bands))
    every: list[Forecast] = []
    for name in options.sets:
        start = time.perf_counter()
        if name == "synthetic":
            found = list(synthetic_forecasts(50 * options.draws))
        elif reason := missing(name, options.data):
            print(row(name, f"skipped: {reason}"))
            continue
        else:
            X, y = embed_layers(name, options.data)
            found = [
                each
                for part in problems(X, y, options.halves)
                for each in set_forecasts(name, *part, options.labels, options.draws)
            ]
        for kind in dict.fromkeys(each.name for each in found):
            for factor in FACTORS:
                those = [each for each in found if (each.name, each.factor) == (kind, factor)]
                if those:
                    print(line(kind, factor, those), flush=True)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        every += found
    for kind, kept in (("real sets", False), ("made curves", True)):
        for factor in FACTORS:
            those = [each for each in every if each.factor == factor and each.name.startswith("synthetic") == kept]
            if those:
                print(line(f"**{kind}**", factor, those))


if __name__ == "__main__":
    main()

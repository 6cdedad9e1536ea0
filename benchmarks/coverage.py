"""Does the corrected interval hold the truth? Many small training sets are drawn from a large labelled one.

    python benchmarks/coverage.py [--draws 200] [--rows 60,100,200] [--sets synthetic,pacs,charts]
                                  [--folds 5] [--fold-by-fold] [--data FOLDER]

For each draw: the race over cheap heads on the drawn rows, as in training; the winner fitted on all of
them; its accuracy on the rows that were not drawn is the truth. Printed for each set and size: the mean
truth, how far the raw and the corrected number lie above it on average (points), and how often the
corrected 95 % interval and, for comparison, the exact binomial interval around the raw number hold it. Then
how well the rule of choice does against others on the same draws: mean truth relative to 'the highest score
wins', and the mean cost of what was chosen.

With `--fold-by-fold` the race is that of a budget: all but the two cheapest heads stand in for fine-tunes. They are
scored fold by fold, the most promising next, and most are given up on the way; the table then also says how many of
their folds were done.

`synthetic` are Gaussian classes; the others are folders under --data (default HEADSTART_TEST_DATA or
../shared/data) and are embedded with both packaged backbones first. A set whose folder is absent is left
out and said so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from common import arguments, heading, missing, numbers, percent, row, words
from headstart.choose.race import RaceResult, race
from headstart.choose.selection import cost_tiers
from headstart.choose.strategy import About, ExpectedGain
from headstart.data.splits import assign_folds
from headstart.heads.catalog import make_head
from headstart.metrics.intervals import clopper_pearson
from headstart.pipeline.candidates import HeadStrategy
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.records.targets import Classes

HEADS = ("ridge", "lda", "class-mean", "knn")
BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
WHOLE = ("class-mean", "knn")
LAYERS = 5


@dataclass(frozen=True, eq=False)
class Population:
    """A large labelled set: y (n,), and features in words → (matrix, cost per image, root of the linear
    heads)."""

    name: str
    y: Ints
    features: Mapping[str, tuple[Floats, float, bool]]


def synthetic(seed: int = 0, n: int = 20_000, classes: int = 5, width: int = 64) -> Population:
    """Gaussian classes seen through two sets of features: a cheap one, and a dearer one with less noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    centres = rng.normal(size=(classes, width))
    spread = np.linspace(4.5, 1.5, width)

    def seen(noise: float) -> Floats:
        return (centres[y] + noise * spread * rng.normal(size=(n, width))).astype(np.float32)

    return Population("synthetic", y, {"cheap": (seen(1.0), 1.0, False), "dear": (seen(0.95), 2.5, False)})


def embedded(folder: Path) -> Population:
    """A folder of class folders (for `pacs`: of domains of class folders), through both packaged
    backbones."""
    from headstart.backbones.opening import open_backbone
    from headstart.embed.extract import embed

    paths = sorted(folder.rglob("*.jpg"))
    y = np.unique([path.parent.name for path in paths], return_inverse=True)[1].astype(np.int64)
    small, large = (embed(paths, open_backbone(name)) for name in BACKBONES)
    several = [found.joined(list(found.taps)[-LAYERS:]) for found in (small, large)]
    features = {
        "lite0 last layer": (small.last, 1.0, False),
        "lite0 five layers": (several[0], 1.0, True),
        "lite0 + lite2 five layers each": (np.concatenate(several, axis=1), 2.7, True),
    }
    return Population(folder.name, y[small.rows], features)


def candidates(population: Population, rows: Ints, fold_by_fold: bool) -> list[HeadStrategy]:
    """Every cheap head on every set of features; only linear heads on several layers."""
    found = [
        HeadStrategy(About(name, words, cost), name, root, (), X[rows])
        for words, (X, cost, root) in population.features.items()
        for name in (HEADS[:2] if root else HEADS)
    ]
    if not fold_by_fold:
        return found
    sure = [each for each in found if each.about.name in WHOLE and each.about.cost == found[0].about.cost]
    others = [each for each in found if each not in sure]
    return sure + [
        replace(each, about=replace(each.about, seconds=float(i + 1), expected=ExpectedGain(0.1, i / len(others))))
        for i, each in enumerate(others)
    ]


def draw(y: Ints, size: int, rng: np.random.Generator) -> Ints:
    """`size` rows at random, at least two of every class."""
    two = [rng.choice(np.flatnonzero(y == k), 2, replace=False) for k in np.unique(y)]
    sure = np.concatenate(two)
    rest = np.setdiff1d(np.arange(len(y)), sure)
    return np.concatenate([sure, rng.choice(rest, size - len(sure), replace=False)])


def truths(population: Population, rows: Ints, found: RaceResult) -> list[float]:
    """The accuracy on rows that were not drawn of every candidate, fitted with its setting on those that
    were."""
    y = population.y
    rest = np.setdiff1d(np.arange(len(y)), rows)
    result = []
    for entry in found.lines:
        X, _, root = population.features[entry.features]
        head = make_head(entry.name, signed_sqrt=root, configuration=entry.configuration).fit(X[rows], y[rows])
        result.append(float((head.predict(X[rest]) == y[rest]).mean()))
    return result


def trials(population: Population, size: int, asked: argparse.Namespace) -> Iterator[tuple[RaceResult, list[float]]]:
    """The race's result and every candidate's truth, for each draw."""
    rng = np.random.default_rng(asked.seed)
    names = [str(k) for k in np.unique(population.y)]
    for number in range(asked.draws):
        rows = draw(population.y, size, rng)
        y = population.y[rows]
        dealt = assign_folds(y, count=asked.folds, seed=number)
        found = race(
            candidates(population, rows, asked.fold_by_fold), Rows(Classes(y, tuple(names)), dealt), seed=number
        )
        yield found, truths(population, rows, found)


def others(found: RaceResult) -> dict[str, int]:
    """Which candidate other rules would have taken."""
    score = np.array([entry.score.value for entry in found.lines])
    loss = np.array([entry.log_loss for entry in found.lines])
    tier = cost_tiers(np.array([entry.cost for entry in found.lines]))
    tied = np.array([entry.status != "behind" for entry in found.lines])
    cheap = tied & (tier == tier[tied].min())
    return {
        "highest score wins": int(np.lexsort((loss, -score))[0]),
        "any tie: the cheaper": int(np.lexsort((loss, -np.where(cheap, score, -1)))[0]),
        "lowest log-loss wins": int(loss.argmin()),
        "Headstart's rule": found.winner,
    }


def done(found: RaceResult) -> float:
    """The share of folds that were done of the candidates that are scored fold by fold, 1 where there are none."""
    reasons = [entry.reason for entry in found.lines] + list(found.not_begun.values())
    folds_done = [int(reason.split()[1]) if reason.startswith("after") else 0 for reason in reasons if reason]
    through = sum(not entry.reason for entry in found.lines if entry.name not in WHOLE)
    return (sum(folds_done) + 5 * through) / (5 * (len(folds_done) + through))


def measure(population: Population, size: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Coverage, bias and the rules' truths over all draws."""
    lines, rules = [], []
    for found, truth in trials(population, size, asked):
        mine, estimate = truth[found.winner], found.estimate
        low, high = clopper_pearson(found.raw * size, size)
        lines.append(
            (
                mine,
                found.raw - mine,
                estimate.value - mine,
                estimate.low <= mine <= estimate.high,
                low <= mine <= high,
                estimate.high - estimate.low,
                done(found) if asked.fold_by_fold else 1.0,
            )
        )
        rules.append({k: (truth[i], found.lines[i].cost) for k, i in others(found).items()})
    return {"means": np.mean(lines, axis=0), "rules": rules}


def report(population: Population, size: int, asked: argparse.Namespace) -> None:
    """Print one line of the table, and the rules below it."""
    start = time.perf_counter()
    found = measure(population, size, asked)
    truth, raw, corrected, held, naive, width, share = found["means"]
    points = (f"{100 * truth:.1f}", f"{100 * raw:+.1f}", f"{100 * corrected:+.1f}")
    intervals = (percent(held), percent(naive), f"{100 * width:.1f}")
    seconds = f"{time.perf_counter() - start:.0f}"
    print(row(population.name, size, asked.draws, *points, *intervals, f"{share:.0%}", seconds), flush=True)
    if asked.fold_by_fold:
        return
    rules = found["rules"]
    best = np.mean([line["highest score wins"][0] for line in rules])
    for name in rules[0]:
        gain = np.mean([line[name][0] for line in rules]) - best
        cost = np.mean([line[name][1] for line in rules])
        print(f"    {name:22} {100 * gain:+.2f} points, cost {cost:.2f}")


def main() -> None:
    """Parse the options and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rows", type=numbers, default=(60, 100, 200))
    parser.add_argument("--sets", type=words, default=("synthetic", "pacs", "charts"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fold-by-fold", action="store_true")
    asked = parser.parse_args()
    points = ("truth", "raw - truth", "corrected - truth")
    intervals = ("interval holds it", "binomial around raw holds it", "interval's width")
    print(heading("set", "rows", "draws", *points, *intervals, "folds done", "s"))
    for name in asked.sets:
        if name != "synthetic" and (reason := missing(name, asked.data)):
            print(f"({name} is left out: {reason})")
            continue
        population = synthetic(asked.seed) if name == "synthetic" else embedded(asked.data / name)
        for size in asked.rows:
            if size >= 2 * len(np.unique(population.y)):
                report(population, size, asked)


if __name__ == "__main__":
    main()

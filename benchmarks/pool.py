"""What a pool of unlabelled images is worth: self-training with it against a ridge head on the labelled images alone.

    python benchmarks/pool.py [--sets trashnet,corn_leaf,charts,...] [--labels 2,5,20] [--draws 2] [--backbones lite0]
        [--natural] [--pool 40]

Of every set half of the images (the pool) stand beside so many labelled ones a class (with --natural: so many times the
classes, drawn at random), and the other half, never seen, is scored: accuracy, five layers of each backbone. Gains over
the ridge head: the pool in the set's own class shares; in drawn ones (Dirichlet, 1); with a quarter of the classes
unknown; the first as the race would have it. Thresholds were set on other sets (docs/evidence/adapt.md). A table in
Markdown.
"""

from __future__ import annotations

import numpy as np

from adapt import Sets, drawn
from common import arguments, heading, machine, numbers, row, words
from headstart.adaptation.pool import prepare, train_with_pool
from headstart.choose.race import race
from headstart.choose.strategy import About
from headstart.data.splits import assign_folds, folds_for, repeats_for
from headstart.heads.ridge import RidgeProbe
from headstart.heads.side_by_side import blas_threads
from headstart.pipeline.candidates import HeadStrategy
from headstart.pipeline.self_trained import SelfTrainedStrategy
from headstart.records.rows import Rows
from headstart.records.targets import Classes

KINDS = ("ridge", "same shares", "other shares", "unknown classes", "race")


def measure(X: np.ndarray, y: np.ndarray, count: int, seed: int, natural: bool, most: int) -> list[float]:
    """Accuracies on the images that took no part: of the ridge head, and with each pool."""
    random = np.random.default_rng(seed)
    labelled, pool, test = division(random, y, np.arange(len(y)), count, natural)
    pool = pool[:most]
    ridge = plain(X, y, labelled, test)
    result = [ridge, pooled(X, y, labelled, pool, test), pooled(X, y, labelled, shifted(X, y, pool, seed), test)]
    return [*result, ridge + unknown(random, X, y, count, natural), raced(X, y, labelled, pool, test, seed)]


def division(
    random: np.random.Generator, y: np.ndarray, rows: np.ndarray, count: int, natural: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labelled, pool and test."""
    order = random.permutation(rows)
    classes = np.unique(y[rows])
    if natural:
        firsts = np.concatenate([order[y[order] == k][:1] for k in classes])
        others = order[~np.isin(order, firsts)]
        labelled = np.concatenate([firsts, others[: (count - 1) * len(classes)]])
    else:
        labelled = np.concatenate([order[y[order] == k][:count] for k in classes])
    rest = order[~np.isin(order, labelled)]
    return labelled, rest[: len(rest) // 2], rest[len(rest) // 2 :]


def right(scores: np.ndarray, truth: np.ndarray) -> float:
    return 100 * float((scores.argmax(axis=1) == truth).mean())


def plain(X: np.ndarray, y: np.ndarray, labelled: np.ndarray, test: np.ndarray) -> float:
    classes, numbers_of = np.unique(y[labelled], return_inverse=True)
    head = RidgeProbe(signed_sqrt=True).fit(X[labelled], numbers_of)
    return right(head.form_.scores(X[test]), np.searchsorted(classes, y[test]))


def pooled(X: np.ndarray, y: np.ndarray, labelled: np.ndarray, pool: np.ndarray, test: np.ndarray) -> float:
    together = prepare(X[labelled], X[pool])
    classes, numbers_of = np.unique(y[labelled], return_inverse=True)
    head = train_with_pool(together, np.arange(len(labelled)), numbers_of.astype(np.int64), len(classes))
    return right(head.form(together).scores(X[test]), np.searchsorted(classes, y[test]))


def shifted(X: np.ndarray, y: np.ndarray, pool: np.ndarray, seed: int) -> np.ndarray:
    """The pool in drawn class shares."""
    rows, _ = drawn((pool[:, None], y[pool]), seed)
    return rows[:, 0]


def unknown(random: np.random.Generator, X: np.ndarray, y: np.ndarray, count: int, natural: bool) -> float:
    """The gain where a quarter of the classes, which nobody labelled, is in the pool; 0 with two classes."""
    classes = random.permutation(int(y.max()) + 1)
    strange = np.isin(y, classes[: max(1, len(classes) // 4)])
    if len(classes) < 3:
        return 0.0
    labelled, pool, test = division(random, y, np.flatnonzero(~strange), count, natural)
    pool = np.concatenate([pool, random.permutation(np.flatnonzero(strange))[: strange.sum() // 2]])
    return pooled(X, y, labelled, pool, test) - plain(X, y, labelled, test)


def raced(X: np.ndarray, y: np.ndarray, labelled: np.ndarray, pool: np.ndarray, test: np.ndarray, seed: int) -> float:
    """The winner of a race of the two."""
    labels, classes = y[labelled], int(y.max()) + 1
    names = tuple(str(k) for k in range(classes))
    folds = assign_folds(
        labels, None, count=folds_for(len(labels), classes), repeats=repeats_for(len(labels)), seed=seed
    )
    head = HeadStrategy(About("ridge", "", 1.0), "ridge", True, (), X[labelled])
    together = prepare(X[labelled], X[pool])
    trained = SelfTrainedStrategy(About("self-trained", "", 1.0, prior=0.01), (), together, "")
    result = race([head, trained], Rows(Classes(labels, names), folds, None), resamples=200, seed=seed)
    return pooled(X, y, labelled, pool, test) if result.winner else plain(X, y, labelled, test)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", default="trashnet,corn_leaf,charts,pacs/art_painting,pacs/sketch")
    parser.add_argument("--labels", default="2,5,20")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--backbones", default="lite0")
    parser.add_argument("--natural", action="store_true")
    parser.add_argument("--pool", type=int, default=100_000, help="images of the pool at most")
    options = parser.parse_args()
    sets = [Sets(options.data, name) for name in words(options.backbones)]
    print(machine())
    print(heading("labels a class", "set", *KINDS))
    with blas_threads(1):
        for count in numbers(options.labels):
            lines = []
            for name in words(options.sets):
                X, y = np.concatenate([one.of(name)[0] for one in sets], axis=1), sets[0].of(name)[1]
                draws = [measure(X, y, count, seed, options.natural, options.pool) for seed in range(options.draws)]
                lines.append(np.mean(draws, axis=0))
                print(row(count, name, *cells(lines[-1])), flush=True)
            print(row(count, "mean", *cells(np.mean(lines, axis=0))), flush=True)


def cells(values: np.ndarray) -> list[str]:
    """The accuracy, and the gains over it."""
    return [f"{values[0]:.1f}", *(f"{value - values[0]:+.1f}" for value in values[1:])]


if __name__ == "__main__":
    main()

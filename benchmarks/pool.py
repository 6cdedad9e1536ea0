"""What a pool of unlabelled images is worth: self-training with it against a ridge head on the labelled images alone.

    python benchmarks/pool.py [--sets trashnet,corn_leaf,charts,...] [--labels 2,5,20] [--draws 2]

Of every set half of the images (the pool) stand beside so many labelled ones a class, and the other half, never seen,
is scored: accuracy, the layers of lite0. `shifted`: the pool in drawn class shares (Dirichlet, 1). `race`:
self-training only where it does better on labelled folds. The penalty is the stronger of the two that the race has. A
table in Markdown.
"""

from __future__ import annotations

import numpy as np

from adapt import Sets, drawn
from common import arguments, heading, machine, numbers, row, words
from headstart.adaptation.pool import train_with_pool
from headstart.data.splits import assign_folds, folds_for
from headstart.heads.base import iterate_folds
from headstart.heads.ridge import RidgeProbe
from headstart.heads.side_by_side import blas_threads

RIDGE = 0.5


def measure(X: np.ndarray, y: np.ndarray, count: int, seed: int) -> dict[str, float]:
    """Accuracies on the images that took no part."""
    random = np.random.default_rng(seed)
    classes = int(y.max()) + 1
    order = random.permutation(len(y))
    labelled = np.concatenate([order[y[order] == k][:count] for k in range(classes)])
    rest = np.setdiff1d(order, labelled)
    rest = random.permutation(rest)
    pool, test = rest[: len(rest) // 2], rest[len(rest) // 2 :]

    def right(scores: np.ndarray, rows: np.ndarray) -> float:
        return 100 * float((scores.argmax(axis=1) == y[rows]).mean())

    def self_trained(train: np.ndarray, others: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return train_with_pool(X[train], y[train], others, classes, ridge=RIDGE).scores(X[rows])

    def ridge(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return RidgeProbe(signed_sqrt=True).fit(X[train], y[train]).form_.scores(X[rows])

    result = {
        "ridge": right(ridge(labelled, test), test),
        "self-trained": right(self_trained(labelled, X[pool], test), test),
    }
    result["shifted"] = right(self_trained(labelled, drawn((X[pool], y[pool]), seed)[0], test), test)
    folds = assign_folds(y[labelled], None, count=folds_for(len(labelled), classes), repeats=1, seed=seed)
    gains = []
    for _, _, train, held in iterate_folds(folds):
        inner, outer = labelled[train], labelled[held]
        gains.append(right(self_trained(inner, X[pool], outer), outer) - right(ridge(inner, outer), outer))
    result["race"] = result["self-trained"] if np.mean(gains) >= 0 else result["ridge"]
    return result


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", default="trashnet,corn_leaf,charts,pacs/art_painting,pacs/sketch")
    parser.add_argument("--labels", default="2,5,20")
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    sets = Sets(options.data, "lite0")
    print(machine())
    print(
        heading("labels a class", "set", "ridge", "self-trained", "pool in other shares", "as the race would have it")
    )
    with blas_threads(1):
        for count in numbers(options.labels):
            lines = []
            for name in words(options.sets):
                X, y = sets.of(name)
                draws = [measure(X, y, count, seed) for seed in range(options.draws)]
                lines.append([np.mean([draw[key] for draw in draws]) for key in draws[0]])
                plain, *others = lines[-1]
                print(row(count, name, f"{plain:.1f}", *(f"{value - plain:+.1f}" for value in others)), flush=True)
            plain, *others = np.mean(lines, axis=0)
            print(row(count, "mean", f"{plain:.1f}", *(f"{value - plain:+.1f}" for value in others)), flush=True)


if __name__ == "__main__":
    main()

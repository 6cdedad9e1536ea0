"""Run every fine-tune of the race to its end on the shared sets and keep what it said, for `benchmarks/auto.py`.

    python benchmarks/auto_records.py OUT [--data FOLDER] [--sets pacs/sketch,…] [--images 105] [--tested 250]
                                      [--seed 0]

For each set and strategy: the out-of-fold scores of every setting, fold by fold, the processor seconds of each fold,
and the scores of the test images by a model trained on all training images, with its seconds. One file a strategy; what
is there already is not run again. Processor seconds (of all threads) and not the clock's, so that other work on the
machine does not count; run it with OMP_NUM_THREADS=1 beside other work. It takes about thirty minutes a set then.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import common
from common import words
from headstart.backbones.opening import open_backbone
from headstart.data.splits import assign_folds as lay
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.finetune.fine_tune import FineTune
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import parse_strategy
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from strategies import draw, samples_of

SETS = (
    *("pacs/sketch", "rice_leaf", "trashnet", "charts", "corn_leaf"),
    *("pacs/cartoon", "dogs20", "pacs/art_painting", "pacs/photo"),
)
STRATEGIES = ("last-1", "last-2", "last-4", "surgical-first", "full")
FOLDS = 5


def record(word: str, samples: Samples, tested: Ints, X: Floats, seed: int) -> dict[str, np.ndarray]:
    """A strategy's out-of-fold scores (settings, n, classes), its test scores, and the seconds of each part."""
    train = tested < 0
    own = samples.take(train)
    folds = lay(own.labels, own.groups, count=FOLDS, seed=seed)[0]
    tuned = FineTune(
        open_backbone("lite0"), parse_strategy(word), Recipe(), own, choose_device("cpu"), seed, cache=True
    )
    scores, seconds = None, []
    for fold in range(int(folds.max()) + 1):  # fewer where a class has fewer images
        start = time.process_time()
        part = tuned.path_scores(X[train], own.labels, np.where(folds == fold, 0, -1)[None])
        seconds.append(time.process_time() - start)
        scores = part.scores[:, 0] if scores is None else scores + part.scores[:, 0]
    start = time.process_time()
    whole = FineTune(
        open_backbone("lite0"), parse_strategy(word), Recipe(), samples, choose_device("cpu"), seed, cache=True
    )
    test = whole.path_scores(X, samples.labels, tested[None]).scores[:, 0][:, ~train]
    return {
        "out_of_fold": scores,
        "folds": folds,
        "seconds": np.array(seconds),
        "test": test,
        "test_seconds": np.array(time.process_time() - start),
        "settings": np.array([str(setting) for setting in part.configurations]),
    }


def places(out: Path, options: argparse.Namespace) -> Iterator[tuple[str, str, Path]]:
    """Set, strategy and file of each record."""
    for name in options.sets:
        for word in options.strategies:
            yield name, word, out / f"{name.replace('/', '-')}-{options.images}-{options.seed}-{word}.npz"


def arguments(doc: str) -> argparse.ArgumentParser:
    """The options that this command and `auto.py` share."""
    parser = common.arguments(doc)
    parser.add_argument("out", type=Path, help="folder of the records")
    parser.add_argument("--sets", type=words, default=SETS)
    parser.add_argument("--strategies", type=words, default=STRATEGIES)
    parser.add_argument("--images", type=int, default=105)
    parser.add_argument("--tested", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    """Record whatever is not there yet."""
    options = arguments(__doc__).parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, word, place in places(options.out, options):
        if place.exists():
            continue
        samples, tested = draw(samples_of(name, options.data), options.images, options.tested, options.seed)
        X = embed(samples.items, open_backbone("lite0"), content=samples.content).last
        found = record(word, samples, tested[0], X, options.seed)
        np.savez_compressed(place, **found)
        right = found["test"][0].argmax(1) == samples.labels[tested[0] == 0]
        print(
            f"{name} {word}: {right.mean():.3f}, seconds {found['seconds'].round()} {found['test_seconds']:.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

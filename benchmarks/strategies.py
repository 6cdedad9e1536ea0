"""Strategies side by side: accuracy with its interval, and seconds, on photographs unlike ImageNet's.

    python benchmarks/strategies.py [--data FOLDER] [--sets rice_leaf,pacs/sketch,elpv] [--strategies last-1,full,…]
                                    [--images 140] [--tested 300] [--seed 0] [--json FILE]

For each set it draws about `--images` images, alike many of each class, and tests on up to `--tested` others. Copies of
one photograph, rotated or mirrored ones too, never lie on both sides: they are found by comparing 16 × 16 thumbnails in
all eight orientations, and one of each is kept. Every strategy trains once, with the default recipe on lite0 and the
seed given; beside the fine-tunes stand heads on the same frozen embeddings. It prints a Markdown table: accuracy on the
test images with its 95 % interval (Wilson), the paired difference to the linear probe, log-loss (not calibrated), and
seconds from cold caches (embedding included, for fine-tunes the boundary cache too; loading libraries excluded).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import common
from common import heading, row, words
from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.embed.features import join_parts
from headstart.finetune.fine_tune import FineTune
from headstart.finetune.loop import mean_loss
from headstart.finetune.recipe import Recipe
from headstart.finetune.strategies import parse_strategy
from headstart.heads.catalog import make_head
from headstart.metrics.intervals import paired_difference, wilson
from headstart.records.arrays import Floats
from headstart.records.samples import Samples

SETS = ("rice_leaf", "pacs/sketch", "elpv")
HEADS = ("probe", "ridge", "svm", "multi-layer probe")
STRATEGIES = (
    *("last-1", "last-2", "gradual", "full"),
    *("surgical-first", "surgical-middle", "norm-only", "bias-only", "scratch"),
)
_THUMBNAIL = 16
_ALIKE = 0.97


def samples_of(name: str, root: Path) -> Samples:
    """The images of one set, one of each group of copies."""
    found = common.samples_of(name, root)
    if name == "elpv":
        return found
    samples = resolve_duplicates(found)[0]
    return samples.take(originals(samples))


def originals(samples: Samples) -> np.ndarray:
    """The rows that are not a turned or mirrored copy of an earlier one."""
    thumbnails = [_thumbnail(path) for path in samples.items]
    turned = np.stack([[_unit(each) for each in _orientations(thumbnail)] for thumbnail in thumbnails])
    plain = turned[:, 0]
    alike = np.max([plain @ turned[:, i].T for i in range(8)], axis=0) > _ALIKE
    kept: list[int] = []
    for i in range(len(plain)):
        if not alike[i, kept].any():
            kept.append(i)
    return np.array(kept)


def _thumbnail(path: Any) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L").resize((_THUMBNAIL, _THUMBNAIL)), np.float64)


def _orientations(thumbnail: np.ndarray) -> Iterator[np.ndarray]:
    for turns in range(4):
        yield np.rot90(thumbnail, turns)
        yield np.rot90(thumbnail.T, turns)


def _unit(thumbnail: np.ndarray) -> np.ndarray:
    centred = thumbnail.ravel() - thumbnail.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def draw(samples: Samples, images: int, tested: int, seed: int) -> tuple[Samples, np.ndarray]:
    """Training rows then test rows, and the fold of each: 0 is tested, -1 always trained on."""
    labels = max(1, round(images / len(samples.classes)))
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(samples))
    train = np.concatenate([order[samples.labels[order] == label][:labels] for label in range(len(samples.classes))])
    test = order[~np.isin(order, train)][:tested]
    folds = np.concatenate([np.full(len(train), -1), np.zeros(len(test), np.int64)])
    return samples.take(np.concatenate([train, test])), folds[None]


def with_head(name: str, samples: Samples, folds: np.ndarray, backbone: Backbone, seed: int) -> tuple[Floats, float]:
    """Scores of the test rows by a head on frozen embeddings, and seconds."""
    start = time.perf_counter()
    found = embed(samples.items, backbone, content=samples.content)
    several = name.startswith("multi-layer ")
    taps = tuple(tap.name for tap in backbone.taps[-5:]) if several else (backbone.last.name,)
    X, held = join_parts([found], [taps]).X, folds[0] == 0
    head = make_head(name.removeprefix("multi-layer "), signed_sqrt=several, seed=seed)
    head.fit(X[~held], samples.labels[~held])
    return head.form_.scores(X[held]), time.perf_counter() - start


def with_strategy(
    word: str, samples: Samples, folds: np.ndarray, backbone: Backbone, seed: int
) -> tuple[Floats, float]:
    """Scores of the test rows by a fine-tune, and seconds."""
    recipe = Recipe(interpolate=False)
    start = time.perf_counter()
    X = embed(samples.items, backbone, content=samples.content).last
    tuned = FineTune(backbone, parse_strategy(word), recipe, samples, choose_device("cpu"), seed, cache=True)
    scores = tuned.path_scores(X, samples.labels, folds).scores[0, 0]
    return scores[folds[0] == 0], time.perf_counter() - start


def measure(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for each strategy on one set."""
    backbone = open_backbone("lite0")
    samples, folds = draw(samples_of(name, options.data), options.images, options.tested, options.seed)
    held = folds[0] == 0
    y = samples.labels[held]
    print(f"\n{name}: {(~held).sum()} training images of {len(samples.classes)} classes, {len(y)} tested\n", flush=True)
    print(heading("strategy", "accuracy (95 %)", "against the probe, points", "log-loss", "seconds"))
    lines, probe = [], None
    for word in (*HEADS, *options.strategies):
        run = with_head if word in HEADS else with_strategy
        scores, seconds = run(word, samples, folds, backbone, options.seed)
        right = scores.argmax(1) == y
        probe = right if probe is None else probe
        lines.append(_line(name, word, right, probe, mean_loss(scores, y), seconds))
        print(_row(lines[-1]), flush=True)
    return lines


def _line(name: str, word: str, right: Any, probe: Any, loss: float, seconds: float) -> dict[str, Any]:
    low, high = wilson(int(right.sum()), len(right))
    wins, losses = int((right & ~probe).sum()), int((probe & ~right).sum())
    gain = paired_difference(wins, losses, len(right)) if wins + losses else (0.0, 0.0)
    return {
        "set": name,
        "strategy": word,
        "accuracy": float(right.mean()),
        "interval": [float(low), float(high)],
        "gain": (wins - losses) / len(right),
        "gain_interval": [float(end) for end in gain],
        "log_loss": loss,
        "seconds": seconds,
    }


def _row(line: dict[str, Any]) -> str:
    (low, high), (worse, better) = line["interval"], line["gain_interval"]
    return row(
        line["strategy"],
        f"{100 * line['accuracy']:.1f} ({100 * low:.1f}–{100 * high:.1f})",
        f"{100 * line['gain']:+.1f} ({100 * worse:+.1f} to {100 * better:+.1f})",
        f"{line['log_loss']:.3f}",
        f"{line['seconds']:.1f}",
    )


def main() -> None:
    """Read the options, measure every set, print and keep."""
    parser = common.arguments(__doc__)
    parser.add_argument("--sets", type=words, default=SETS)
    parser.add_argument("--strategies", type=words, default=STRATEGIES)
    parser.add_argument("--images", type=int, default=140)
    parser.add_argument("--tested", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        _warm_up(options)
        for name in options.sets:
            lines += measure(name, options)
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))


def _warm_up(options: argparse.Namespace) -> None:
    """Load the libraries, so that the first strategy does not pay for them."""
    from headstart.backbones.conversion.convert import build_network

    build_network(open_backbone("lite0"))
    samples, _ = draw(samples_of(options.sets[0], options.data), 10, 1, 0)
    embed(samples.items, open_backbone("lite0"), content=samples.content)


if __name__ == "__main__":
    main()

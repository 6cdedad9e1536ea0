"""What benchmarks of boxes and masks share: draws of n training images, fitted and scored on a test split."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbones.opening import open_backbone
from headstart.data.sources.annotations.load import load_annotated
from headstart.embed.spatial.canvas import canvas_for
from headstart.embed.spatial.taps import TapEngine
from headstart.heads.spatial.network import CellNetwork, train_network
from headstart.pipeline.spatial.collect import Collected, collect
from headstart.pipeline.spatial.fit import answers
from headstart.tasks.spatial import SpatialTask


def arguments(description: str, sizes: Sequence[int]) -> argparse.Namespace:
    """The folder of the data, sizes, draws, backbone and canvas."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=list(sizes))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first draw's seed")
    parser.add_argument("--backbone", default="lite0")
    parser.add_argument("--size", type=int, help="the canvas's longer side, in pixels; the task's own by default")
    return parser.parse_args()


def measure(task: SpatialTask, options: argparse.Namespace, *, void: Sequence[str] = ()) -> None:
    """Print a line a draw and the mean of draws: seconds of CPU for taps and head, and both scores, of both heads."""
    samples = load_annotated(options.data, task=task.name, void=void).samples
    assert samples.splits is not None
    learn, test = samples.take(samples.splits == "train"), samples.take(samples.splits == "test")
    sizes = [(4, 3)] if task.name == "masks" else test.target.sizes  # type: ignore[attr-defined]
    engine = TapEngine(open_backbone(options.backbone), canvas_for(sizes, options.size or task.longest))
    start = time.process_time()
    judge = collect(test, task, engine, seed=0)
    print(f"{len(test)} test images; taps {1000 * (time.process_time() - start) / len(test):.0f} ms an image")
    for count in options.images:
        lines = [_draw(task, learn, judge, engine, count, seed) for seed in _seeds(options)]
        for head in ("ridge", "network"):
            table = np.array([line[head] for line in lines])
            mean, spread = table.mean(axis=0), table.std(axis=0)
            print(
                f"{count:4d} images, {head:7}: {mean[0]:5.1f} s; first score {mean[1]:.3f} (SD {spread[1]:.3f}), "
                f"second {mean[2]:.3f}; answers {1000 * mean[3]:.0f} ms an image; "
                f"draws {np.round(table[:, 1], 3).tolist()}",
                flush=True,
            )


def _seeds(options: argparse.Namespace) -> range:
    return range(options.first, options.first + options.draws)


def _draw(
    task: SpatialTask, learn: Any, judge: Collected, engine: TapEngine, count: int, seed: int
) -> dict[str, tuple[float, float, float, float]]:
    rows = np.random.default_rng(seed).permutation(len(learn))[:count]
    start = time.process_time()
    data = collect(learn.take(np.sort(rows)), task, engine, seed=seed)
    features = time.process_time() - start
    everything = np.arange(len(data.lessons.labels))
    outcome = {}
    for name in ("ridge", "network"):
        start = time.process_time()
        head = _fit(name, task, data, everything, seed)
        seconds = features + time.process_time() - start
        outcome[name] = (seconds, *_score(head, task, judge))
    return outcome


def _fit(name: str, task: SpatialTask, data: Collected, rows: Any, seed: int) -> CellNetwork:
    if name == "ridge":
        return task.solve(task.floor(data.lessons, rows))
    loss = task.loss(data.lessons, rows)
    return train_network(
        data.lessons.X, loss, task.start(loss), training=task.training(len(rows)), seed=seed, rows=rows
    )


def _score(head: CellNetwork, task: SpatialTask, judge: Collected) -> tuple[float, float, float]:
    rows = list(range(len(judge.samples)))
    start = time.process_time()
    given = list(answers(head, judge, task, rows))
    seconds = (time.process_time() - start) / len(rows)
    kept = [task.keep(judge.samples.target, row, answer) for row, answer in zip(rows, given, strict=True)]
    first, second = task.score(judge.samples.target, kept, None, 0).estimates
    return first.value, second.value, seconds

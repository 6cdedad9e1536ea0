"""Seconds per epoch of fine-tuning: activations cached, activations recomputed, and the plain way, in one run.

    python benchmarks/finetune.py [--data FOLDER] [--nets lite0,resnet50,vit_s] [--strategies last-1-block,last-1,…]
                                  [--images N] [--batch 32] [--rounds 3] [--json FILE]

cached: the frozen stages ran once, into a file; an epoch is the product's loop over that file. recomputed: the frozen
stages run every epoch, through the fast engine, decoding and augmentation included; so does `full`, where no stage is
frozen. plain: a tutorial's loop in a process of its own, with the allocator as it is: float32, NCHW, requires_grad off
for what is frozen, the whole network in training mode every step, SGD with momentum on the rest; once with the images
decoded beforehand, once with PIL and torchvision's transforms in a DataLoader, with none or two workers, whichever is
faster. All train the same parameters with the same number of threads. The product keeps batch-norm statistics as they
are, as its default is, where a tutorial's loop moves them.

The ways take turns, an epoch each, after one epoch each to warm up; figures are medians over the rounds, scaled to
1,500 images, ratios those of one round. A strategy that trains the same parameters as one before it is timed once. The
targets are judged against the plain way without decoding; where nothing is cached, the best is the recomputed way.
ResNet-50 and ViT-S have random weights: the time of a step does not depend on them.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.backbones.graph import open_backbone
from headstart.data.sources import load
from headstart.device import choose, keep_freed_memory, threads
from headstart.finetune.feed import Feed
from headstart.finetune.strategies import parse
from headstart.folders import cache_folder
from headstart.records import Samples

NETS = {
    "lite0": ("lite0", "packaged weights", 192),
    "resnet50": ("random:resnet50", "random weights", 64),
    "vit_s": ("random:vit_small_patch16_224", "random weights", 64),
}
"""Name, whose weights, and images an epoch is timed on: fewer where a step is slow."""
STRATEGIES = ("last-1-block", "last-1", "last-2", "full")
TARGETS = {
    ("lite0", "last-1-block"): 13.0,
    ("lite0", "last-2"): 4.0,
    ("lite0", "full"): 3.5,
    ("resnet50", "last-1-block"): 13.0,
    ("resnet50", "last-1"): 6.0,
    ("resnet50", "full"): 3.5,
    ("vit_s", "full"): 3.5,
}
"""Plain over the product's best, without decoding."""
SCALE = 1500
CACHED_PASSES = 256
"""A timed epoch from the cache reads at least so many images, some of them several times: a few would be too quick."""


def samples_of(folder: Path, images: int) -> Samples:
    """So many photographs, spread over all classes; solar cells where the folder is not there."""
    if folder.is_dir():
        found = load(folder).samples
    else:
        from headstart.data.solar import solar_cells

        found = solar_cells().samples
    if len(found) < images:
        sys.exit(f"{images} images were asked for, and {folder} has {len(found)}.")
    return found.take(np.linspace(0, len(found) - 1, images).astype(np.int64))


# the ways, each in a process of its own ------------------------------------------------------------------------------


class Product:
    """Headstart's way, from a file of activations and without one."""

    def __init__(self, net: str, samples: Samples, batch: int) -> None:
        import torch

        from headstart.backbones.convert import network
        from headstart.backbones.stages import cut
        from headstart.finetune.folding import pairs

        self.backbone, self.samples, self.batch = open_backbone(NETS[net][0]), samples, batch
        self.device = choose("cpu")
        self.feeds: dict[str, Feed] = {}
        self.memory = keep_freed_memory()
        torch.set_num_threads(threads())
        self.stages = cut(network(self.backbone))
        self.pairs = pairs(self.stages, self.backbone.spec.size)
        self.stages.network.to(memory_format=torch.channels_last)

    def trains(self, word: str) -> list[str]:
        """The parameters that a strategy trains."""
        from headstart.finetune.freeze import plan

        return sorted(plan(parse(word), self.stages, self.backbone.name).trained)

    def prepare(self, word: str) -> dict[str, Any]:
        """Build what the strategy trains and what it reads from; the facts of both."""
        from headstart.finetune import precision
        from headstart.finetune.folding import folded
        from headstart.finetune.freeze import plan
        from headstart.finetune.recipe import Recipe, settle
        from headstart.finetune.start import plain_start
        from headstart.finetune.tail import head_of, tail

        for feed in self.feeds.values():
            feed.close()
        strategy = parse(word)
        found = plan(strategy, self.stages, self.backbone.name)
        settings = settle(Recipe(batch=self.batch), strategy, len(self.samples))
        self.settings = dataclasses.replace(settings, epochs=1, patience=0)
        boundary = found.phases[0].boundary
        start = plain_start(self.backbone.last.width, len(self.samples.classes))
        self.tail = tail(self.stages, found.phases[0], start, head_of(start), settings)
        facts = self._open(boundary, cache_folder() / "of this strategy" / word)
        sample = next(iter(self.feeds["recomputed"].batches([(np.arange(self.batch), np.zeros(self.batch, int))])))
        with folded(self.pairs):
            chosen, reason = precision.choose(self.tail, sample, self.device, "auto", f"{self.backbone.name} {word}")
        self.autocast = precision.autocast(chosen, "cpu")
        return {**facts, "trains": found.words, "precision": chosen, "why": reason, "memory": self.memory}

    def _open(self, boundary: int, folder: Path) -> dict[str, Any]:
        from headstart.finetune.feed import CachedFeed, open_feed

        arguments = (self.samples, self.stages.blocks(), boundary, self.backbone.spec)
        opened = partial(open_feed, *arguments, epochs=10**6, device=self.device, augment=self.settings.augment)
        begin = time.perf_counter()
        self.feeds = {"recomputed": opened(cache=False)}
        facts = {"set_up": time.perf_counter() - begin, "kept": "", "build": None}
        if boundary:
            begin = time.perf_counter()
            feed = opened(views=self.settings.views, folder=folder)
            if isinstance(feed, CachedFeed):
                self.feeds["cached"] = feed
                facts["build"] = (time.perf_counter() - begin) / len(self.samples) * SCALE
            facts["kept"] = feed.reason
        return facts

    def time(self, way: str) -> float:
        """Seconds of one epoch of the product's loop, for 1,500 images."""
        from headstart.finetune.folding import folded
        from headstart.finetune.loop import Work, train

        rows = np.arange(len(self.samples))
        if way == "cached":
            rows = np.tile(rows, -(-CACHED_PASSES // len(rows)))
        labels = self.samples.labels
        classes = len(self.samples.classes)
        work = Work(self.feeds[way], labels, rows, None, classes, 0, 0, 0.0, {}, self.autocast)
        times: list[float] = []
        with folded(self.pairs):
            stopped = train(self.tail, work, self.settings, None, lambda done: times.append(time.perf_counter()))
        if stopped:
            raise SystemExit(f"training stopped: {stopped}")
        return (times[-1] - times[0]) / len(rows) * SCALE


class Plain:
    """The tutorials' way."""

    def __init__(self, net: str, samples: Samples, batch: int) -> None:
        import torch

        torch.set_num_threads(threads())
        self.backbone, self.samples, self.batch = open_backbone(NETS[net][0]), samples, batch
        self.decoded = torch.stack([image for image, _ in self._photographs()])
        self.labels = torch.from_numpy(samples.labels.astype(np.int64))

    def _photographs(self) -> Any:
        from torchvision import transforms

        spec = self.backbone.spec
        mean, std = ([value / 255 for value in values] for values in (spec.mean, spec.std))
        steps = [
            transforms.RandomResizedCrop(spec.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
        return Photographs(self.samples, transforms.Compose(steps))

    def prepare(self, word: str) -> dict[str, Any]:
        """A network with a new classifier, frozen as the strategy says."""
        import torch

        from headstart.backbones.convert import network
        from headstart.backbones.stages import cut
        from headstart.finetune.freeze import plan

        self.network = network(self.backbone)
        trained = plan(parse(word), cut(self.network), self.backbone.name).trained
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad = name in trained
        self.network.reset_classifier(len(self.samples.classes))
        parameters = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)
        return {}

    def time(self, way: str) -> float:
        """Seconds of one epoch, for 1,500 images."""
        begin = time.perf_counter()
        self._epoch(self._batches() if way == "decoded" else self._loader(int(way.removeprefix("workers "))))
        return (time.perf_counter() - begin) / len(self.samples) * SCALE

    def _epoch(self, batches: Any) -> None:
        from torch import nn

        self.network.train()
        criterion = nn.CrossEntropyLoss()
        for images, labels in batches:
            self.optimizer.zero_grad()
            loss = criterion(self.network(images), labels)
            loss.backward()
            self.optimizer.step()

    def _batches(self) -> Iterator[Any]:
        import torch

        for rows in torch.randperm(len(self.labels)).split(self.batch):
            yield self.decoded[rows], self.labels[rows]

    def _loader(self, workers: int) -> Any:
        from torch.utils.data import DataLoader

        return DataLoader(self._photographs(), batch_size=self.batch, shuffle=True, num_workers=workers)


class Photographs:
    """What torch calls a dataset: pictures read and changed when they are asked for."""

    def __init__(self, samples: Samples, change: Callable[[Any], Any]) -> None:
        self.samples, self.change = samples, change

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[Any, int]:
        with Image.open(self.samples.images[row]) as image:
            return self.change(image.convert("RGB")), int(self.samples.labels[row])


WAYS = {"product": Product, "plain": Plain}


def serve(options: argparse.Namespace) -> None:
    """A child's life: a line of JSON in, (method, argument), a line out."""
    with os.fdopen(os.dup(1), "w") as answers, contextlib.redirect_stdout(sys.stderr):
        way = WAYS[options.way](options.nets[0], samples_of(options.data, options.images), options.batch)
        for line in sys.stdin:
            method, argument = json.loads(line)
            print(json.dumps(getattr(way, method)(argument)), file=answers, flush=True)


class Child:
    """A way in a process of its own, idle until asked."""

    def __init__(self, way: str, net: str, images: int, options: argparse.Namespace) -> None:
        command = [sys.executable, __file__, "--way", way, "--nets", net, "--images", str(images)]
        command += ["--data", str(options.data), "--batch", str(options.batch)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, method: str, argument: str) -> Any:
        """The answer to one line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, argument]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"a process ended with status {self._process.wait()}: its error is above.")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# the comparison ------------------------------------------------------------------------------------------------------


def measure(net: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for each strategy on one network, printed as it comes."""
    images = options.images or NETS[net][2]
    if images < options.batch:
        sys.exit(f"--images must be at least --batch, {options.batch}; found {images}.")
    print(f"\n{net} ({NETS[net][1]}), timed on {images} images\n\n{HEADER}", flush=True)
    product, plain = (Child(way, net, images, options) for way in WAYS)
    lines: list[dict[str, Any]] = []
    for word in options.strategies:
        trained = product.ask("trains", word)
        same = next((line for line in lines if line["trained"] == trained), None)
        found = {**same, "same": same["strategy"]} if same else compared(word, product, plain, options.rounds)
        lines.append({**found, "net": net, "strategy": word, "images": images, "trained": trained})
        print(row(lines[-1]), flush=True)
    product.close()
    plain.close()
    return lines


def compared(word: str, product: Child, plain: Child, rounds: int) -> dict[str, Any]:
    """The facts of a strategy, seconds of each way by round, and the ratios' medians and ranges."""
    facts = product.ask("prepare", word)
    plain.ask("prepare", word)
    ways = {"decoded": plain, "recomputed": product} | ({} if facts["build"] is None else {"cached": product})
    for name, child in ways.items():
        child.ask("time", name)
    loader = min(("workers 0", "workers 2"), key=partial(plain.ask, "time"))
    ways[loader] = plain
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, child in ways.items():
            seconds[name].append(child.ask("time", name))
    best = seconds.get("cached", seconds["recomputed"])
    ratios = {
        "plain": _ratio(seconds["decoded"], best),
        "with_decoding": _ratio(seconds[loader], best),
        "recomputed": _ratio(seconds["recomputed"], best),
    }
    return {**facts, "loader": loader, "seconds": seconds, "ratios": ratios}


def _ratio(over: list[float], under: list[float]) -> list[float]:
    """Median, least and greatest of the rounds' ratios."""
    found = [a / b for a, b in zip(over, under, strict=True)]
    return [statistics.median(found), min(found), max(found)]


HEADER = (
    "| strategy | plain, decoding (workers) | plain, decoded | recomputed | cached | trains in | building the cache "
    "| repaid after, epochs | plain / best | with decoding | recomputed / cached | target |\n" + "|---" * 12 + "|"
)


def row(line: dict[str, Any]) -> str:
    """A line of the table."""
    median = {name: statistics.median(found) for name, found in line["seconds"].items()}
    ratios = {name: f"{middle:.1f}× ({low:.1f}–{high:.1f})" for name, (middle, low, high) in line["ratios"].items()}
    kept = "cached" in median
    saved = median["recomputed"] - median["cached"] if kept else 0.0
    repaid = f"{line['build'] / saved:.1f}" if saved > 0 else "never" if kept else "–"
    cells = [
        line["strategy"] + (f" = {line['same']}" if "same" in line else ""),
        f"{median[line['loader']]:.1f} ({line['loader'].removeprefix('workers ')})",
        f"{median['decoded']:.1f}",
        f"{median['recomputed']:.1f}",
        f"{median['cached']:.1f}" if kept else "–",
        line["precision"],
        f"{line['build']:.1f}" if kept else "–",
        repaid,
        ratios["plain"],
        ratios["with_decoding"],
        ratios["recomputed"] if kept else "–",
        verdict(line),
    ]
    return f"| {' | '.join(cells)} |"


def verdict(line: dict[str, Any]) -> str:
    """The target of a line and whether it was reached."""
    target = TARGETS.get((line["net"], line["strategy"]))
    if target is None:
        return "–"
    return f"{target:g}×: {'reached' if line['ratios']['plain'][0] >= target else 'not reached'}"


def words(text: str) -> list[str]:
    return text.split(",")


def main() -> None:
    """Read the options, measure every network, print and keep."""
    here = Path(os.environ.get("HEADSTART_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=here / "pacs" / "photo", help="folder with a folder per class")
    parser.add_argument("--nets", type=words, default=list(NETS))
    parser.add_argument("--strategies", type=words, default=list(STRATEGIES))
    parser.add_argument("--images", type=int, help="images an epoch is timed on (lite0 192, the others 64)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        serve(options)
        return
    if unknown := set(options.nets) - set(NETS):
        parser.error(f"--nets knows {', '.join(NETS)}; found {', '.join(sorted(unknown))}.")
    device = choose("cpu")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"precision {device.precision} ({device.reason}), {threads()} threads{load}")
    print(f"seconds per epoch of {SCALE:,} images, batches of {options.batch}, medians of {options.rounds} rounds")
    lines = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        for net in options.nets:
            lines += measure(net, options)
    for line in lines:
        print(f"\n{line['net']} {line['strategy']}: trains {line['trains']}, in {line['precision']}: {line['why']}")
        print(f"  engine ready after {line['set_up']:.1f} s. {line['kept']}")
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()

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
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from common import DATA, arguments, heading, machine, row, words
from finetune_ways import NETS, SCALE, WAYS, samples_of

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
        found = {**same, "same": same["strategy"]} if same else compare(word, product, plain, options.rounds)
        lines.append({**found, "net": net, "strategy": word, "images": images, "trained": trained})
        print(format_line(lines[-1]), flush=True)
    product.close()
    plain.close()
    return lines


def compare(word: str, product: Child, plain: Child, rounds: int) -> dict[str, Any]:
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


HEADER = heading(
    *("strategy", "plain, decoding (workers)", "plain, decoded", "recomputed", "cached", "trains in"),
    *("building the cache", "repaid after, epochs", "plain / best", "with decoding", "recomputed / cached", "target"),
)


def format_line(line: dict[str, Any]) -> str:
    """A line of the table."""
    median = {name: statistics.median(found) for name, found in line["seconds"].items()}
    ratios = {name: f"{middle:.1f}× ({low:.1f}–{high:.1f})" for name, (middle, low, high) in line["ratios"].items()}
    kept = "cached" in median
    saved = median["recomputed"] - median["cached"] if kept else 0.0
    repaid = f"{line['build'] / saved:.1f}" if saved > 0 else "never" if kept else "–"
    return row(
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
    )


def verdict(line: dict[str, Any]) -> str:
    """The target of a line and whether it was reached."""
    target = TARGETS.get((line["net"], line["strategy"]))
    if target is None:
        return "–"
    return f"{target:g}×: {'reached' if line['ratios']['plain'][0] >= target else 'not reached'}"


def main() -> None:
    """Read the options, measure every network, print and keep."""
    parser = arguments(__doc__, data=DATA / "pacs" / "photo")
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
    print(machine())
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

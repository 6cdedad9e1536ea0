"""The second training run on the same data against the first.

    python benchmarks/second_train.py [--images 10000] [--backbones lite0,lite2]

Makes class folders of distinct JPEGs (photographs of solar cells from elpv-dataset, saved anew with small changes of
brightness), then runs `headstart train --strategy frozen` twice in processes of their own with one fresh cache folder,
and prints both times, their parts, and the ratio (target: at least 10 at 10,000 images). The learned bytes must be
equal. Heads alone: a race goes on in the second run where time ended it in the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from common import arguments
from headstart.demo.solar import solar_cells

TARGET = 10.0


def make_set(root: Path, count: int) -> None:
    """Distinct pictures in two class folders."""
    samples = solar_cells().samples
    for i in range(count):
        row = i % len(samples)
        with Image.open(samples.items[row]) as image:
            values = np.asarray(image.convert("L"), np.int16) + 3 * (i // len(samples))
        folder = root / samples.classes[samples.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(folder / f"{i:06}.jpg", quality=92)


def train(data: Path, model: Path, cache: Path, backbones: str) -> tuple[float, dict[str, float]]:
    """Wall seconds of one run, and what its steps took."""
    command = [sys.executable, "-m", "headstart", "train", str(data), "-o", str(model), "--backbones", backbones]
    command += ["--strategy", "frozen"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HEADSTART_CACHE": str(cache)})
    return time.perf_counter() - start, json.loads((model / "manifest.json").read_text())["seconds"]


def main() -> None:
    """Parse the options, run twice and print."""
    parser = arguments(__doc__, data=None)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--backbones", default="lite0,lite2")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_set(root / "data", given.images)
        first, parts = train(root / "data", root / "one", root / "cache", given.backbones)
        second, again = train(root / "data", root / "two", root / "cache", given.backbones)
        same = (root / "one/head.safetensors").read_bytes() == (root / "two/head.safetensors").read_bytes()
    print(f"{given.images:,} images, {given.backbones}")
    print(f"first   {first:8.1f} s  {parts}")
    print(f"second  {second:8.1f} s  {again}")
    ratio = first / second
    print(f"ratio   {ratio:8.1f}    target {TARGET:.0f}: {'reached' if ratio >= TARGET else 'not reached'}")
    print(f"learned bytes equal: {'yes' if same else 'NO'}")


if __name__ == "__main__":
    main()

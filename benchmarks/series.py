"""Images in series: what Headstart promises where each thing was photographed several times, and what is true.

    python benchmarks/series.py [--data FOLDER] [--sets corn_leaf,…] [--draws 3] [--shots 20] [--strength 0.5]
                                [--independent]

Each image of a set is photographed six times on paper: other exposure and white balance, shifted, turned, zoomed,
noise, blur, JPEG (`--strength` scales it all; 0.5 shifts by 2.5 %, turns by 2° and changes the exposure by an eighth).
A draw trains on `--shots` photographs a class of half of the things and tests on the others. Three ways: folds as if
each image stood alone (`--group-by none`), what Headstart finds by itself, and the true groups. With `--independent`
the images are taken as they are: there, nothing should be found. Prints a Markdown table: true accuracy on new things,
each way's estimate, and in how many draws its 95 % interval held the truth.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from common import SETS, arguments, heading, missing, row, samples_of, words
from headstart.pipeline.options import Options
from headstart.records.samples import Samples
from headstart.verbs.train.train import train

TIMES, MOST_THINGS = 6, 30
WAYS = ("none", "auto", "groups")
Parts: TypeAlias = tuple[list[Any], ...]
"""Images to train on, their labels and things; images to test on, and their labels."""


def photograph(image: Image.Image, random: np.random.Generator, strength: float) -> Image.Image:
    """One more photograph of what an image shows."""
    width, height = image.size
    angle = np.deg2rad(random.normal(0, 4 * strength))
    zoom = 1.05 + abs(random.normal(0, 0.08 * strength))
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    x, y = width / 2, height / 2
    across, down = random.normal(0, 0.05 * strength, 2)
    warp = (
        cosine,
        sine,
        x - cosine * x - sine * y + across * width,
        -sine,
        cosine,
        y + sine * x - cosine * y + down * height,
    )
    background = tuple(int(level) for level in np.asarray(image).reshape(-1, 3).mean(axis=0))
    moved = image.transform(image.size, Image.Transform.AFFINE, warp, Image.Resampling.BICUBIC, fillcolor=background)
    light = np.asarray(moved).astype(np.float32) / 255
    light = light ** np.exp(random.normal(0, 0.25 * strength)) * np.exp(random.normal(0, 0.25 * strength))
    light = light * np.exp(random.normal(0, 0.06 * strength, 3)) + random.normal(0, 0.02 * strength, light.shape)
    shot = Image.fromarray((np.clip(light, 0, 1) * 255).astype(np.uint8))
    if random.random() < 0.5:
        shot = shot.filter(ImageFilter.GaussianBlur(abs(random.normal(0, strength))))
    stream = io.BytesIO()
    shot.save(stream, "JPEG", quality=int(random.integers(50, 95)))
    return Image.open(stream).convert("RGB")


def draw(samples: Samples, options: argparse.Namespace, seed: int) -> Parts:
    """Photographs to train on with their labels and things, and of other things to test on with their labels."""
    random = np.random.default_rng(seed)
    train_part: Parts = ([], [], [])
    test_part: Parts = ([], [])
    for label, name in enumerate(samples.classes):
        rows = random.permutation(np.flatnonzero(samples.labels == label))
        half = min(len(rows) // 2, MOST_THINGS)
        things = max(2, -(-options.shots // (TIMES - 2)))
        shots = [(thing, shot) for thing in rows[:things] for shot in range(TIMES)]
        for place in random.permutation(len(shots))[: options.shots]:
            train_part[0].append(np.asarray(photograph(opened(samples, shots[place][0]), random, options.strength)))
            train_part[1].append(name)
            train_part[2].append(str(shots[place][0]))
        for thing in rows[half : 2 * half]:
            test_part[0].append(np.asarray(photograph(opened(samples, thing), random, options.strength)))
            test_part[1].append(name)
    return (*train_part, *test_part)


def draw_independent(samples: Samples, options: argparse.Namespace, seed: int) -> Parts:
    """As `draw`, each image once and as it is."""
    random = np.random.default_rng(seed)
    parts: Parts = ([], [], [], [], [])
    for label, name in enumerate(samples.classes):
        rows = random.permutation(np.flatnonzero(samples.labels == label))
        cut = min(options.shots, len(rows) // 2)
        for number, thing in enumerate(rows[: cut + 60]):
            image = np.asarray(opened(samples, thing))
            for part, value in zip(parts[:3] if number < cut else parts[3:], (image, name, str(thing)), strict=False):
                part.append(value)
    return parts


def opened(samples: Samples, row_number: int) -> Image.Image:
    """One of the images in RGB."""
    item = samples.items[row_number]
    return (Image.open(item) if isinstance(item, Path) else Image.fromarray(np.asarray(item))).convert("RGB")


def measure(name: str, options: argparse.Namespace) -> str:
    """One line of the table."""
    samples = samples_of(name, options.data)
    truth: dict[str, list[float]] = {way: [] for way in WAYS}
    estimates: dict[str, list[float]] = {way: [] for way in WAYS}
    held, series = dict.fromkeys(WAYS, 0), 0
    for seed in range(options.draws):
        images, labels, things, tested, answers = (draw_independent if options.independent else draw)(
            samples, options, seed
        )
        for way in WAYS[:2] if options.independent else WAYS:
            more = {"groups": things} if way == "groups" else {}
            choice = Options(strategies=(), seed=seed, group_by="none" if way == "none" else "auto")
            model = train(images, labels, options=choice, **more)
            right = np.mean(np.array(model.predictor.predict(tested).labels) == np.array(answers))
            truth[way].append(float(right))
            estimates[way].append(model.estimate.value)
            held[way] += model.estimate.low <= right <= model.estimate.high
            series += way == "auto" and model.data.series > 0
    cells = []
    for way in WAYS[:2] if options.independent else WAYS:
        cells += [f"**{np.mean(truth[way]):.3f}**", f"{np.mean(estimates[way]):.3f}", f"{held[way]} of {options.draws}"]
    return row(name, *cells, f"{series} of {options.draws}")


def main() -> None:
    """Parse the options and print the table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--independent", action="store_true")
    parser.add_argument("--sets", type=words, default=SETS)
    options = parser.parse_args()
    ways = WAYS[:2] if options.independent else WAYS
    print(heading("set", *(f"{way}: {title}" for way in ways for title in ("true", "estimate", "held")), "found"))
    for name in options.sets:
        reason = missing(name, options.data)
        print(row(name, f"skipped: {reason}") if reason else measure(name, options), flush=True)


if __name__ == "__main__":
    main()

"""The audit measured: near copies that were planted, and labels that were flipped on purpose.

    python benchmarks/audit.py [--data FOLDER] [--sets rice_leaf,trashnet,…] [--images 1000] [--share 0.05] [--seed 0]

Of each set at most `--images` images are drawn. Copies: a `--share` of them is copied, each copy turned or mirrored and
then recompressed (JPEG, quality 60), resized by 0.8, cropped (up to 6 % off each side), brightened by 15 %, or all of
it; a sixth of the copies is only turned or mirrored. Recall is the share of copies that end in the group of their
original. Precision is the share of images in the copies' groups that are the original, a copy, or were in a group with
it before anything was planted. Labels: a `--share` of them is replaced by another class at random, near copies are held
together, and a probe on several layers of lite0 scores out of fold; recall and precision are those of the list of
likely mislabelled images, and (`train`) of the list that a training run of all cheap heads on lite0 makes of its
winner's answers. Labels that were wrong before count against the precision. It prints a Markdown table.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from common import SETS, arguments, heading, row, samples_of, words
from headstart.backbones.opening import open_backbone
from headstart.data.duplicates.near import NearDuplicates, find_near_duplicates, merge_groups
from headstart.data.duplicates.thumbnails import make_thumbnail, make_thumbnails
from headstart.data.images.decode import read_image
from headstart.data.sources.dataset import Dataset
from headstart.embed.features import embed_backbone
from headstart.pipeline.options import Options
from headstart.pipeline.probe import probe_probabilities
from headstart.records.run import Run
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.trust.label_errors import find_label_issues
from headstart.verbs.audit.findings import MISLABEL
from headstart.verbs.train.train import train

_LAYERS = 5
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def some(samples: Samples, images: int, seed: int) -> Samples:
    """At most so many images."""
    rows = np.random.default_rng(seed).permutation(len(samples))[:images]
    return samples.take(np.sort(rows))


def turned(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Turned by quarters or mirrored, never as it was."""
    return image.transpose(Image.Transpose(int(generator.integers(0, 7))))


def recompressed(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """As JPEG of quality 60."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def resized(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By 0.8."""
    return image.resize((round(image.width * 0.8), round(image.height * 0.8)), Image.Resampling.BICUBIC)


def cropped(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Up to 6 % off each side."""
    left, top, right, bottom = generator.uniform(0, 0.06, 4)
    width, height = image.size
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return image.crop(tuple(round(edge) for edge in box))


def brightened(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By 15 %, clipped at white."""
    return ImageEnhance.Brightness(image).enhance(1.15)


CHANGES: dict[str, tuple[Change, ...]] = {
    "turned": (turned,),
    "JPEG": (turned, recompressed),
    "resized": (turned, resized),
    "cropped": (turned, cropped),
    "brightened": (turned, brightened),
    "all": (turned, resized, cropped, brightened, recompressed),
}


def planted(samples: Samples, rows: np.ndarray, seed: int) -> tuple[np.ndarray, list[str]]:
    """The thumbnails of changed copies of these rows, and what was done to each."""
    generator = np.random.default_rng(seed)
    kinds = [list(CHANGES)[i % len(CHANGES)] for i in range(len(rows))]
    made = []
    for number, kind in zip(rows, kinds, strict=True):
        image = read_image(samples.items[number])
        for change in CHANGES[kind]:
            image = change(image, generator)
        made.append(make_thumbnail(image)[0])
    return np.stack(made), kinds


def copies(samples: Samples, share: float, seed: int) -> tuple[dict[str, Any], NearDuplicates]:
    """How the search for near copies does."""
    grey = make_thumbnails(samples).grey
    start = time.process_time()
    before = find_near_duplicates(grey)
    seconds = time.process_time() - start
    n = len(samples)
    rows = np.random.default_rng(seed).choice(n, max(1, round(share * n)), replace=False)
    extra, kinds = planted(samples, rows, seed)
    group = _numbers(find_near_duplicates(np.concatenate([grey, extra])), n + len(extra))
    family = _numbers(before, n)
    source = np.concatenate([np.arange(n), rows])
    hits = [bool(group[n + i] == group[row]) for i, row in enumerate(rows)]
    others = [(i, j) for i in range(n, n + len(extra)) for j in np.flatnonzero(group == group[i]) if i != j]
    right = [family[source[i]] == family[source[j]] for i, j in others]
    missed = [kind for kind, hit in zip(kinds, hits, strict=True) if not hit]
    line = {
        "images": n,
        "there": sum(len(each) - 1 for each in before.groups),
        "groups": len(before.groups),
        "planted": len(rows),
        "recall": float(np.mean(hits)),
        "precision": float(np.mean(right)) if right else float("nan"),
        "missed": ", ".join(f"{missed.count(kind)} {kind}" for kind in CHANGES if kind in missed),
        "seconds": seconds,
    }
    return line, before


def _numbers(near: NearDuplicates, n: int) -> np.ndarray:
    """A group number for each row."""
    number = np.arange(n)
    for rows in near.groups:
        number[list(rows)] = rows[0]
    return number


def flipped(samples: Samples, near: NearDuplicates, share: float, seed: int) -> dict[str, Any]:
    """How the search for wrong labels does."""
    generator = np.random.default_rng(seed)
    backbone = open_backbone("lite0")
    embeddings = embed_backbone(samples, backbone, Run())
    X = embeddings.joined([tap.name for tap in backbone.taps[-_LAYERS:]])
    rows = generator.choice(len(samples), max(1, round(share * len(samples))), replace=False)
    labels = samples.labels.copy()
    labels[rows] = (labels[rows] + generator.integers(1, len(samples.classes), len(rows))) % len(samples.classes)
    probabilities = probe_probabilities(X, labels, merge_groups(samples, near.groups), Run(seed=seed, cache=False))
    listed = find_label_issues(labels, probabilities).rows
    right = np.isin(listed, rows)
    by_train = np.isin(doubted(replace(samples, target=Classes(labels, samples.classes))), rows)
    return {
        "flipped": len(rows),
        "listed": len(listed),
        "recall": float(right.sum() / len(rows)),
        "precision": float(right.mean()) if len(listed) else float("nan"),
        "train_recall": float(by_train.sum() / len(rows)),
        "train_precision": float(by_train.mean()) if len(by_train) else float("nan"),
        "accuracy": float((probabilities.argmax(axis=1) == samples.labels).mean()),
    }


def doubted(samples: Samples) -> np.ndarray:
    """The rows that `train`, comparing all heads that are cheap enough, calls likely mislabelled."""
    model = train(Dataset(samples), options=Options(backbones=("lite0",), strategies=()))
    place = {name: row for row, name in enumerate(samples.names)}
    return np.array([place[issue.name] for issue in model.suspects if issue.kind == MISLABEL], np.int64)


def main() -> None:
    """Read the options, measure every set, print."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", type=words, default=(*SETS, "dogs20"))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    planted_titles = ("near copies there (groups)", "planted: recall", "precision", "missed", "CPU s")
    wrong_titles = ("flipped: recall", "precision", "listed / flipped", "accuracy", "train: recall", "precision")
    print(heading("set", "images", *planted_titles, *wrong_titles))
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        for name in options.sets:
            samples = some(samples_of(name, options.data), options.images, options.seed)
            near, found = copies(samples, options.share, options.seed)
            print(_row(name, near, flipped(samples, found, options.share, options.seed)), flush=True)


def _row(name: str, near: dict[str, Any], wrong: dict[str, Any]) -> str:
    return row(
        name,
        f"{near['images']:,}",
        f"{near['there']} ({near['groups']})",
        f"{near['recall']:.0%} of {near['planted']}",
        f"{near['precision']:.0%}",
        near["missed"] or "–",
        f"{near['seconds']:.1f}",
        f"{wrong['recall']:.0%}",
        f"{wrong['precision']:.0%}",
        f"{wrong['listed']} / {wrong['flipped']}",
        f"{wrong['accuracy']:.1%}",
        f"{wrong['train_recall']:.0%}",
        f"{wrong['train_precision']:.0%}",
    )


if __name__ == "__main__":
    main()

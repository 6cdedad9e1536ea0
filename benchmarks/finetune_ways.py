"""The ways of fine-tuning that `benchmarks/finetune.py` times: Headstart's loop, and a tutorial's.

A way takes a network's name, photographs and a batch size; `prepare` builds what a strategy trains and says how,
`time` gives the seconds of one epoch, scaled to 1,500 images. Each is to run in a process of its own: threads and
freed memory are set for the whole process.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.backbones.opening import open_backbone
from headstart.data.sources.load import load_dataset
from headstart.device import choose_device, keep_freed_memory, threads
from headstart.finetune.batches import BatchSource
from headstart.finetune.strategies import parse_strategy
from headstart.records.samples import Samples
from headstart.storage.folders import cache_folder

NETS = {
    "lite0": ("lite0", "packaged weights", 192),
    "resnet50": ("random:resnet50", "random weights", 64),
    "vit_s": ("random:vit_small_patch16_224", "random weights", 64),
}
"""Name, whose weights, and images an epoch is timed on: fewer where a step is slow."""
SCALE = 1500
CACHED_PASSES = 256
"""A timed epoch from the cache reads at least so many images, some of them several times: a few would be too quick."""


def samples_of(folder: Path, images: int) -> Samples:
    """So many photographs, spread over all classes; solar cells where the folder is not there."""
    if folder.is_dir():
        found = load_dataset(folder).samples
    else:
        from headstart.demo.solar import solar_cells

        found = solar_cells().samples
    if len(found) < images:
        sys.exit(f"{images} images were asked for, and {folder} has {len(found)}.")
    return found.take(np.linspace(0, len(found) - 1, images).astype(np.int64))


class Product:
    """Headstart's way, from a file of activations and without one."""

    def __init__(self, net: str, samples: Samples, batch: int) -> None:
        import torch

        from headstart.backbones.conversion.convert import build_network
        from headstart.backbones.conversion.families import cut_network
        from headstart.finetune.fold_batchnorm import foldable_pairs

        self.backbone, self.samples, self.batch = open_backbone(NETS[net][0]), samples, batch
        self.device = choose_device("cpu")
        self.feeds: dict[str, BatchSource] = {}
        self.memory = keep_freed_memory()
        torch.set_num_threads(threads())
        self.stages = cut_network(build_network(self.backbone))
        self.pairs = foldable_pairs(self.stages, self.backbone.spec.size)
        self.stages.network.to(memory_format=torch.channels_last)

    def trains(self, word: str) -> list[str]:
        """The parameters that a strategy trains."""
        from headstart.finetune.freeze_plan import make_freeze_plan

        return sorted(make_freeze_plan(parse_strategy(word), self.stages, self.backbone.name).trained)

    def prepare(self, word: str) -> dict[str, Any]:
        """Build what the strategy trains and what it reads from; the facts of both."""
        from headstart.finetune import precision
        from headstart.finetune.fold_batchnorm import folded_batchnorm
        from headstart.finetune.freeze_plan import make_freeze_plan
        from headstart.finetune.head_init import linear_init
        from headstart.finetune.recipe import Recipe, settle_recipe
        from headstart.finetune.tail import build_tail, torch_head

        for feed in self.feeds.values():
            feed.close()
        strategy = parse_strategy(word)
        found = make_freeze_plan(strategy, self.stages, self.backbone.name)
        config = settle_recipe(Recipe(batch=self.batch), strategy, len(self.samples))
        self.config = dataclasses.replace(config, epochs=1, patience=0)
        boundary = found.phases[0].boundary
        head_init = linear_init(self.backbone.last.width, len(self.samples.classes))
        self.tail = build_tail(self.stages, found.phases[0], head_init, torch_head(head_init), config)
        facts = self._open(boundary, cache_folder() / "of this strategy" / word)
        sample = next(iter(self.feeds["recomputed"].batches([(np.arange(self.batch), np.zeros(self.batch, int))])))
        with folded_batchnorm(self.pairs):
            chosen, reason = precision.choose_precision(
                self.tail, sample, self.device, "auto", f"{self.backbone.name} {word}"
            )
        self.autocast = precision.autocast(chosen, "cpu")
        return {**facts, "trains": found.words, "precision": chosen, "why": reason, "memory": self.memory}

    def _open(self, boundary: int, folder: Path) -> dict[str, Any]:
        from headstart.finetune.batches import CachedBatches, open_batches

        arguments = (self.samples, self.stages.blocks(), boundary, self.backbone.spec)
        opened = partial(open_batches, *arguments, epochs=10**6, device=self.device, augment=self.config.augment)
        begin = time.perf_counter()
        self.feeds = {"recomputed": opened(cache=False)}
        facts = {"set_up": time.perf_counter() - begin, "kept": "", "build": None}
        if boundary:
            begin = time.perf_counter()
            feed = opened(views=self.config.views, folder=folder)
            if isinstance(feed, CachedBatches):
                self.feeds["cached"] = feed
                facts["build"] = (time.perf_counter() - begin) / len(self.samples) * SCALE
            facts["kept"] = feed.reason
        return facts

    def time(self, way: str) -> float:
        """Seconds of one epoch of the product's loop, for 1,500 images."""
        from headstart.finetune.fold_batchnorm import folded_batchnorm
        from headstart.finetune.loop import TrainingJob, train_tail

        rows = np.arange(len(self.samples))
        if way == "cached":
            rows = np.tile(rows, -(-CACHED_PASSES // len(rows)))
        labels = self.samples.labels
        classes = len(self.samples.classes)
        work = TrainingJob(self.feeds[way], labels, rows, None, classes, 0, 0, 0.0, {}, self.autocast)
        times: list[float] = []
        with folded_batchnorm(self.pairs):
            stopped = train_tail(self.tail, work, self.config, None, lambda done: times.append(time.perf_counter()))
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

        from headstart.backbones.conversion.convert import build_network
        from headstart.backbones.conversion.families import cut_network
        from headstart.finetune.freeze_plan import make_freeze_plan

        self.network = build_network(self.backbone)
        trained = make_freeze_plan(parse_strategy(word), cut_network(self.network), self.backbone.name).trained
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
        with Image.open(self.samples.items[row]) as image:
            return self.change(image.convert("RGB")), int(self.samples.labels[row])


WAYS = {"product": Product, "plain": Plain}

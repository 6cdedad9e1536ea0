"""How long each strategy would take on this machine: heads by their modelled cost, fine-tunes by a few timed steps.

`forecast_heads` and `forecast_fine_tunes` return frozen `Forecast`s. A fine-tune is timed on real images: a few through
decoding, augmentation and the frozen stages, then a few steps of training, thrown away. Nothing is kept or scored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.finetune.batches import BatchRequest, BatchSource
from headstart.finetune.recipe import Recipe, TrainingConfig, settle_recipe
from headstart.finetune.strategies import Strategy, parse_strategy
from headstart.heads.catalog import HEADS

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.backbones.conversion.stages import Stages
    from headstart.backbones.graph import Backbone
    from headstart.device import Device
    from headstart.finetune.freeze_plan import Phase
    from headstart.records.arrays import Floats
    from headstart.records.samples import Samples

STRATEGIES = ("last-1", "last-2", "full")
_STEPS = 2
_IMAGES = 8
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Forecast:
    """What comparing a strategy on folds, and fitting it once more, would take.

    seconds: in all. once: of these, before the first step (the frozen stages over all images and views). steps: of
    training, over all models. step: seconds of one; 0 for heads. models: how many are trained. measured: whether
    anything was timed; heads are modelled, good to a factor of three.
    """

    strategy: str
    seconds: float
    once: float
    steps: int
    step: float
    models: int
    measured: bool

    def words(self) -> str:
        """The time, as precisely as it is known.

        >>> Forecast("last-1", 130.0, 10.0, 1200, 0.1, 6, True).words()
        'about 2 min'
        """
        return f"about {duration(self.seconds)}"


def duration(seconds: float) -> str:
    """A time in a word or two.

    >>> [duration(s) for s in (0.2, 7.4, 34.0, 100.0, 5400.0, 90_000.0)]
    ['1 s', '7 s', '30 s', '2 min', '1.5 h', '25 h']
    """
    if seconds < _MINUTE:
        return f"{max(1, round(seconds)) if seconds < 10 else 10 * round(seconds / 10)} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    hours = seconds / _HOUR
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def forecast_heads(names: Sequence[str], *, images: int, width: int, classes: int, fits: int) -> tuple[Forecast, ...]:
    """The modelled seconds of heads on the last layer. width: of its embedding. fits: folds times repeats."""
    return tuple(
        Forecast(name, HEADS[name].seconds(images, width, classes, fits), 0.0, 0, 0.0, fits + 1, False)
        for name in names
    )


def forecast_fine_tunes(
    backbone: Backbone,
    X: Floats,
    samples: Samples,
    strategies: Sequence[str] = STRATEGIES,
    recipe: Recipe | None = None,
    *,
    images: int,
    folds: int,
    device: Device,
) -> tuple[Forecast, ...]:
    """Time a few steps of each strategy on this machine, and multiply.

    X: (m, d) embeddings of `samples`, some of the images; images: how many there are to train on in all. folds: of the
    comparison, once. Of several phases each counts as the costliest. The time to score what is left out is not counted,
    and precision is taken to be f32. Raises `MissingExtra` without torch, `OptionError` where a strategy is impossible.
    """
    from headstart.backbones.conversion.convert import build_network
    from headstart.backbones.conversion.families import cut_network
    from headstart.device import keep_freed_memory, threads

    whole = build_network(backbone)
    import torch

    keep_freed_memory()
    torch.set_num_threads(threads())
    stages = cut_network(whole)
    whole.to(device.kind, memory_format=torch.channels_last)
    recipe = recipe or Recipe()
    clock = _Clock(backbone, stages, X, samples, device)
    return tuple(_fine_tune(clock, parse_strategy(word), recipe, images, folds) for word in strategies)


def _fine_tune(clock: _Clock, strategy: Strategy, recipe: Recipe, images: int, folds: int) -> Forecast:
    from headstart.finetune.freeze_plan import make_freeze_plan

    fold = max(1, images - images // folds)
    config, last = settle_recipe(recipe, strategy, fold), settle_recipe(recipe, strategy, images)
    phases = make_freeze_plan(strategy, clock.stages, clock.backbone.name).phases
    deepest = min(phases, key=lambda phase: phase.boundary)
    steps = len(phases) * (folds * _steps(config, fold) + _steps(last, images))
    step = clock.step(deepest, config)
    image = clock.image(deepest.boundary, config.augment)
    if deepest.boundary == 0:  # nothing is cached: every step reads its images anew
        once, step = 0.0, step + config.batch * image
    else:
        once = images * (1 + config.views) * image
    return Forecast(strategy.name, once + steps * step, once, steps, step, folds + 1, True)


def _steps(config: TrainingConfig, images: int) -> int:
    return config.epochs * math.ceil(images / config.batch)


class _Clock:
    """Times steps of training and passes of images through frozen stages, for one backbone and some samples."""

    def __init__(self, backbone: Backbone, stages: Stages, X: Floats, samples: Samples, device: Device) -> None:
        self.backbone, self.stages, self.X, self.samples, self.device = backbone, stages, X, samples, device

    def step(self, phase: Phase, config: TrainingConfig) -> float:
        """Seconds of a step of training on random activations; the first, which warms up, does not count."""
        from headstart.finetune.fold_batchnorm import foldable_pairs, folded_batchnorm
        from headstart.finetune.head_init import random_head
        from headstart.finetune.loop import TrainingJob, train_tail
        from headstart.finetune.precision import autocast
        from headstart.finetune.tail import build_tail, torch_head

        classes = len(self.samples.classes)
        rows = np.arange(config.batch * (1 + _STEPS))
        start = random_head(self.X, classes)
        tail = build_tail(self.stages, phase, start, torch_head(start).to(self.device.kind), config)
        noise = _Noise(self._shape(phase.boundary), self.device)
        context = autocast("f32", self.device.kind)
        work = TrainingJob(noise, rows % classes, rows, None, classes, 0, 0, 0.0, {}, context)
        with folded_batchnorm(foldable_pairs(self.stages, self.backbone.spec.size)):
            train_tail(tail, work, _once(config), None, lambda done: None)
        return float(np.mean(np.diff(noise.times)[1:]))

    def image(self, boundary: int, augment: str) -> float:
        """Seconds to decode an image, make a view of it and pass it through the frozen stages."""
        from headstart.device import threads
        from headstart.finetune.frozen_prefix import freeze, open_prefix
        from headstart.finetune.views import Views

        source = Views(self.samples, self.backbone.spec, augment, 0)
        count = min(_IMAGES, len(self.samples))
        views: list[Any] = []
        seconds = _timed(lambda: views.extend(source.load(row, 1) for row in range(count))) / threads()
        if boundary:
            engine = open_prefix(freeze(self.stages.blocks(), boundary, self.backbone.spec), self.device)
            batch = np.zeros((max(engine.batch, 1), *views[0].shape), np.uint8)
            batch[: min(count, len(batch))] = np.stack(views)[: len(batch)]
            engine.run(batch, len(batch))  # the first pass warms up
            return seconds / count + _timed(lambda: engine.run(batch, len(batch))) / len(batch)
        return seconds / count

    def _shape(self, boundary: int) -> tuple[int, ...]:
        import torch

        side = self.backbone.spec.size
        image = torch.zeros(1, 3, side, side, device=self.device.kind)
        if boundary == 0:
            return tuple(image.shape[1:])
        with torch.inference_mode():
            return tuple(self.stages.blocks().prefix(boundary)(image).shape[1:])


def _once(config: TrainingConfig) -> TrainingConfig:
    """One epoch without early stopping."""
    from dataclasses import replace

    return replace(config, epochs=1, patience=0)


def _timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class _Noise(BatchSource):
    """Random activations, and when each batch was asked for; the last time is that after the last batch."""

    views, reason = 0, "random activations"

    def __init__(self, shape: tuple[int, ...], device: Device) -> None:
        self.shape, self._device = shape, device
        self.times: list[float] = []

    def batches(self, order: Iterable[BatchRequest]) -> Iterator[Tensor]:
        """As the contract says."""
        import torch

        for rows, _ in order:
            x = torch.rand(len(rows), *self.shape, device=self._device.kind)
            if len(self.shape) == 3:
                x = x.to(memory_format=torch.channels_last)
            self._note()
            yield x
        self._note()

    def _note(self) -> None:
        import torch

        if self._device.kind == "cuda":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def close(self) -> None:
        """Nothing is open."""

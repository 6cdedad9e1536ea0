"""Batches for the training loop: the inputs of the trained part of a network.

`open_batches` decides how the batches are made, and says why. Either the frozen stages run once per image and view, and
their activations lie on the disk for all epochs (`CachedBatches`); or images are decoded, augmented and passed through
the frozen stages each time they are asked for (`StreamedBatches`), with new views in every epoch. Both give the same
numbers for the same row and view, but for the rounding of cached ones to bfloat16. Training itself is not here. Needs
torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headstart.checks import at_least, one_of, quantity
from headstart.data.images.spec import ImageSpec
from headstart.device import Device, choose_device, keep_freed_memory, threads
from headstart.embed.engine import Engine
from headstart.errors import InternalError
from headstart.finetune.activation_cache import CachedActivations, cache_activations
from headstart.finetune.augment import KINDS
from headstart.finetune.frozen_prefix import Normaliser, Prefix, TorchPrefix, freeze, open_prefix
from headstart.finetune.views import Views, prefetch
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.storage.disk_budget import OverBudget

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.backbones.conversion.stages import Stages

_BATCHES_AHEAD = 3
_IMAGES_A_PIECE = 8

BatchRequest = tuple[Ints, Ints]
"""Rows of the samples, and the number of the view of each."""


class BatchSource(ABC):
    """Activations, or images, by row and view.

    shape: of one image's numbers as torch has them: (channels, rows, columns) of a map or an image, (tokens, channels).
    views: how many augmented views there are beside the clean view 0; None: without limit. reason: a sentence for the
    user: cached or streamed, how large, and why.
    """

    shape: tuple[int, ...]
    views: int | None
    reason: str

    @abstractmethod
    def batches(self, order: Iterable[BatchRequest]) -> Iterator[Tensor]:
        """A batch for each (rows, views): float32 (len(rows), *shape) on the device, maps with channels last.

        order may be endless; a few batches are read ahead. Raises `DataError` when an image cannot be read any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Close files; there are no more batches."""


def open_batches(
    samples: Samples,
    stages: Stages,
    frozen: int,
    spec: ImageSpec,
    *,
    epochs: int,
    device: Device | None = None,
    augment: str = "light",
    seed: int = 0,
    views: int = 4,
    cache: bool = True,
    limit: int | None = None,
    folder: Path | None = None,
) -> BatchSource:
    """Batches of the inputs of the stages after the first `frozen` ones, for all samples.

    stages: the network as it is now; the frozen stages are copied. spec: what the network expects. epochs: how often
    each image will be asked for, in all. augment: one of `augment.KINDS`. seed: of the views. views: augmented views of
    an image where activations are cached; fewer when they do not fit. cache: False streams anyway. limit: bytes that
    all cached activations may take; None for the disk budget's. folder: where they lie.
    Raises `OptionError` for a wrong option and `DataError` when an image cannot be read.
    """
    one_of("augmentation", augment, KINDS)
    at_least("views", views, 0)
    device = device or choose_device()
    if device.kind == "cpu":
        keep_freed_memory()
    streamed = Views(samples, spec, augment, seed, keep=True)
    if frozen == 0:
        reason = "images are streamed: no stage is frozen, so every epoch passes each through the whole network."
        return StreamedBatches(streamed, None, device, reason)
    prefix = freeze(stages, frozen, spec)
    try:
        if not cache:
            raise OverBudget("keeping activations was switched off")
        images = Views(samples, spec, augment, seed)
        views = 0 if augment == "none" else views
        cached = cache_activations(prefix, images, device, views=views, epochs=epochs, limit=limit, folder=folder)
        return CachedBatches(cached, prefix.shape, device)
    except OverBudget as error:
        through = quantity(frozen, "frozen stage")
        reason = f"images are streamed, every epoch through the {through} again: {error}."
        return StreamedBatches(streamed, prefix, device, reason)


class CachedBatches(BatchSource):
    """Rows from a file of activations; `shape` is theirs as torch has it."""

    def __init__(self, cached: CachedActivations, shape: tuple[int, ...], device: Device) -> None:
        self.shape, self.views, self.reason = shape, cached.views, cached.reason
        self._file, self._device = cached.file, device
        self._views_per_image = 1 + cached.views

    def batches(self, order: Iterable[BatchRequest]) -> Iterator[Tensor]:
        """As the contract says."""
        import torch

        for (bits,) in prefetch(self._read, ([request] for request in order), workers=1, depth=_BATCHES_AHEAD):
            rows = bits.to(self._device.kind, non_blocking=True).view(torch.bfloat16).float()
            yield _reshape(rows, self.shape)

    def _read(self, request: BatchRequest) -> Tensor:
        """The bits of some rows, (n, numbers) int16; for a GPU in memory that it can fetch from by itself."""
        import torch

        file = self._file.rows.view(np.int16)
        positions = self._positions(*request)
        bits = torch.empty(len(positions), file.shape[1], dtype=torch.int16, pin_memory=self._device.kind == "cuda")
        np.take(file, positions, axis=0, out=bits.numpy(), mode="clip")  # "raise" would copy everything twice
        return bits

    def _positions(self, rows: Ints, views: Ints) -> Ints:
        images = len(self._file.rows) // self._views_per_image
        if np.any((rows < 0) | (rows >= images) | (views < 0) | (views >= self._views_per_image)):
            raise InternalError(f"a source of {images} images with {self._views_per_image} views was asked for others.")
        return rows.astype(np.int64) * self._views_per_image + views

    def close(self) -> None:
        """As the contract says."""
        self._file.close()


class StreamedBatches(BatchSource):
    """Images decoded, augmented and passed through the frozen stages (if any) when they are asked for."""

    def __init__(self, images: Views, prefix: Prefix | None, device: Device, reason: str) -> None:
        size = images.spec.size
        self.shape = (3, size, size) if prefix is None else prefix.shape
        self.views = 0 if images.kind == "none" else None
        self.reason = reason
        self._images, self._device = images, device
        self._engine = None if prefix is None else open_prefix(prefix, device)

    def batches(self, order: Iterable[BatchRequest]) -> Iterator[Tensor]:
        """As the contract says."""
        if self._engine is None or isinstance(self._engine, TorchPrefix):
            return self._run_torch(order, self._engine)
        return self._run_engine(order, self._engine)

    def _run_torch(self, order: Iterable[BatchRequest], engine: TorchPrefix | None) -> Iterator[Tensor]:
        """The frozen stages run in this thread, between the steps of training: they share the device anyway."""
        import torch

        run = engine.tensor if engine else Normaliser(self._images.spec, torch.device(self._device.kind))
        pieces = (_pieces(request, _IMAGES_A_PIECE) for request in order)
        for parts in prefetch(self._pixels, pieces, workers=2 * threads(), depth=_BATCHES_AHEAD):
            images = torch.from_numpy(np.concatenate(parts))
            yield run(images.pin_memory() if self._device.kind == "cuda" else images)

    def _run_engine(self, order: Iterable[BatchRequest], engine: Engine) -> Iterator[Tensor]:
        import torch

        def run(piece: BatchRequest) -> Floats:
            """The activations of one piece, a row each."""
            return engine.run(self._pixels(piece, engine.batch), len(piece[0]))

        pieces = (_pieces(request, engine.batch) for request in order)
        for parts in prefetch(run, pieces, workers=engine.requests + threads(), depth=_BATCHES_AHEAD):
            yield _reshape(torch.from_numpy(np.concatenate(parts)), self.shape)

    def _pixels(self, piece: BatchRequest, room: int = 0) -> NDArray[np.uint8]:
        """The views of a piece in a buffer for at least `room` images, (…, size, size, 3) uint8."""
        rows, views = piece
        size = self._images.spec.size
        pixels = np.zeros((max(len(rows), room), size, size, 3), np.uint8)
        for i, (row, number) in enumerate(zip(rows.tolist(), views.tolist(), strict=True)):
            pixels[i] = self._images.load(row, number)
        return pixels

    def close(self) -> None:
        """As the contract says; nothing is open between batches."""


def _pieces(request: BatchRequest, most: int) -> list[BatchRequest]:
    rows, views = request
    return [(rows[i : i + most], views[i : i + most]) for i in range(0, len(rows), most)]


def _reshape(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Rows (N, numbers), channels last, as (N, *shape); maps keep their channels last in memory."""
    if len(shape) != 3:
        return rows.reshape(-1, *shape)
    channels, height, width = shape
    return rows.reshape(-1, height, width, channels).permute(0, 3, 1, 2)

"""Decides whether the activations of frozen stages are cached on disk, and of how many views, and fills the cache.

Keeping V augmented views beside the clean one costs 1 + V passes through the frozen stages, once; streaming costs one
an epoch. So activations are kept where 1 + V passes are fewer than the epochs and they fit the disk budget
(`storage.disk_budget`), if need be with fewer views. What an earlier run left saves passes and decides nothing: the
same command trains on the same views whatever lies on the disk. It trains nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.checks import quantity
from headstart.device import Device
from headstart.embed import batching
from headstart.embed.engine import Engine
from headstart.finetune.augment import AUGMENTING
from headstart.finetune.frozen_prefix import Prefix, open_prefix
from headstart.finetune.views import Views
from headstart.heads.side_by_side import check_time
from headstart.progress import bar
from headstart.records.arrays import Ints
from headstart.storage.disk_budget import OverBudget, format_bytes, remove_file
from headstart.storage.row_file import RowFile, open_row_file

_BATCHES_AHEAD = 4


@dataclass(frozen=True, eq=False)
class CachedActivations:
    """A full file of activations, with row `image * (1 + views) + view`, and the sentence that says why it is kept."""

    file: RowFile
    views: int
    reason: str


def cache_activations(
    prefix: Prefix,
    images: Views,
    device: Device,
    *,
    views: int,
    epochs: int,
    limit: int | None = None,
    folder: Path | None = None,
) -> CachedActivations:
    """The activations of all images, computed where an earlier run has not left them.

    views: augmented views an image, 0 for the clean one alone. epochs: how often each image will be asked for.
    limit, folder: see `open_row_file`. Raises `OverBudget`, with the reason, when they are not to be kept.
    """
    refusal = ""
    for count in range(views, min(views, 1) - 1, -1):
        key = _key(prefix, images, device, count)
        if 1 + count >= epochs:
            raise OverBudget(refusal or _no_gain(count, epochs))
        try:
            file = open_row_file(key, len(images.samples) * (1 + count), prefix.numbers, limit=limit, folder=folder)
            with _closed_on_error(file):
                return _fill_missing(file, prefix, images, device, count, refusal)
        except OverBudget as error:
            refusal = refusal or str(error)
    raise OverBudget(refusal)


def _no_gain(views: int, epochs: int) -> str:
    number, passes = quantity(1 + views, "view"), quantity(1 + views, "pass", "passes")
    return f"keeping the activations of {number} of each would take {passes}, and there are {quantity(epochs, 'epoch')}"


def _key(prefix: Prefix, images: Views, device: Device, views: int) -> str:
    """Names all that the rows of a file depend on; the clean views depend on no augmentation and no seed."""
    augmentation = (AUGMENTING, images.kind, images.seed, views) if views else ()
    return fingerprint.hash_parts(list(images.samples.content), prefix.cache_key(device), *augmentation)


def _fill_missing(
    file: RowFile, prefix: Prefix, images: Views, device: Device, views: int, refusal: str
) -> CachedActivations:
    with file.filling() as absent:
        if len(absent):
            _fill(file, absent, 1 + views, images, open_prefix(prefix, device))
    return CachedActivations(file, views, _reason(file, prefix, len(images.samples), views, len(absent), refusal))


def _fill(file: RowFile, absent: Ints, views_per_image: int, images: Views, engine: Engine) -> None:
    def load(place: int) -> NDArray[np.uint8]:
        """The view at one place of the file, (size, size, 3) uint8."""
        return images.load(*divmod(place, views_per_image))

    with bar("frozen stages", len(absent), unit="views") as advance:
        batches = batching.run_batches(load, absent.tolist(), images.spec, engine, ahead=_BATCHES_AHEAD)
        with contextlib.closing(batches):
            for done in batches:
                check_time()
                file.fill(done.positions, done.rows)
                advance(len(done.positions))


@contextlib.contextmanager
def _closed_on_error(file: RowFile) -> Iterator[None]:
    """Close the file when it cannot be filled; what is there already serves the next run, unless the disk is full."""
    try:
        yield
    except BaseException as error:
        file.close()
        if isinstance(error, OverBudget):
            remove_file(file.path)
        raise


def _reason(file: RowFile, prefix: Prefix, n_images: int, views: int, computed: int, refusal: str) -> str:
    row, total = file.rows[:1].nbytes, file.rows.nbytes
    size = (
        f"{quantity(n_images, 'image')} × {quantity(1 + views, 'view')} × {row / 1e3:,.0f} kB = {format_bytes(total)}"
    )
    came = "all from an earlier run" if computed == 0 else f"{quantity(computed, 'pass', 'passes')} now"
    fewer = f"; with more views {refusal}" if refusal else ""
    return f"activations after {prefix.name} are kept on the disk for all epochs: {size}, {came}{fewer}."

"""Augmented views of samples by row and number, and a prefetcher that keeps the order.

`Views` decodes a view of a row; `prefetch` runs such work in threads, a few batches before they are needed, and gives
the results in order: they do not depend on the threads. Nothing here needs torch.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from headstart.data.images.spec import ImageSpec
from headstart.device import threads
from headstart.errors import DataError, UnreadableImage
from headstart.finetune import augment
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from PIL.Image import Image

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

MOST_BYTES = 512 << 20


class Views:
    """The views of samples as a network's input.

    keep: hold the clean views in memory once decoded, where all of them take at most half a gigabyte.
    """

    def __init__(self, samples: Samples, spec: ImageSpec, kind: str, seed: int, *, keep: bool = False) -> None:
        self.samples, self.spec, self.kind, self.seed = samples, spec, kind, seed
        self._keep = keep and len(samples) * spec.size**2 * 3 <= MOST_BYTES
        self._clean_views: dict[int, NDArray[np.uint8]] = {}
        self._recent = _Recent(self._read_source, 2 + threads())

    def load(self, row: int, number: int) -> NDArray[np.uint8]:
        """One view, (size, size, 3) uint8, not to be written to. Raises `DataError` with the image's name."""
        try:
            if number == 0 or self.kind == "none":
                return self._clean(row)
            content = self.samples.content[row]
            return augment.augment_image(
                self._recent.get(row), self.spec, self.kind, seed=self.seed, content=content, number=number
            )
        except UnreadableImage as error:
            raise DataError(
                f"{self.samples.names[row]} could be read before and cannot be read now ({error}): put it back, or "
                "take it out of the data and start again."
            ) from error

    def _clean(self, row: int) -> NDArray[np.uint8]:
        if (clean := self._clean_views.get(row)) is not None:
            return clean
        clean = self.spec.load(self.samples.items[row])
        if self._keep:
            self._clean_views[row] = clean
        return clean

    def _read_source(self, row: int) -> Image:
        return augment.read_source(self.samples.items[row], self.spec, self.kind)


class _Recent:
    """The images read last, so that several views of one, asked for one after the other, read it once."""

    def __init__(self, read: Callable[[int], Image], most: int) -> None:
        self._read, self._most = read, most
        self._images: OrderedDict[int, Future[Image]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, row: int) -> Image:
        """The image of a row; one that another thread is reading is waited for."""
        with self._lock:
            image = self._images.get(row)
            future = image or self._images.setdefault(row, Future())
            while len(self._images) > self._most:
                self._images.popitem(last=False)
        if image is None:
            try:
                future.set_result(self._read(row))
            except BaseException as error:
                future.set_exception(error)
        return future.result()


def prefetch(
    work: Callable[[_Piece], _Result], batches: Iterable[Sequence[_Piece]], *, workers: int, depth: int
) -> Generator[list[_Result], None, None]:
    """The results of `work` on each batch's pieces, batch by batch in order, at most `depth` batches ahead.

    An exception of a piece is raised where its batch would come. Closing the iterator stops the work.
    """
    pool = ThreadPoolExecutor(workers)
    waiting: deque[list[Future[_Result]]] = deque()
    try:
        for pieces in batches:
            waiting.append([pool.submit(work, piece) for piece in pieces])
            if len(waiting) > depth:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

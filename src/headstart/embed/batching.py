"""Images → rows: loading and inference at the same time, in bounded memory.

A few workers each load (decode, usually) a batch into a buffer of their own and pass it through the engine; while some
wait for the engine, the others load. Decoding and inference run outside the interpreter's lock, so threads are enough.
At any moment a worker holds one batch, and a bounded queue holds what is done. Nothing is cached here.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from headstart.device import threads
from headstart.embed.engine import Engine
from headstart.errors import UnreadableImage
from headstart.records.arrays import Floats

_DONE_AHEAD = 32

Load = Callable[[int], NDArray[np.uint8]]
"""Position → the network's input (size, size, 3); raises `UnreadableImage`. Called from several threads."""


@dataclass(frozen=True, eq=False)
class BatchResult:
    """What became of some images: rows (len(positions), width) and where they belong; or why there are none."""

    positions: tuple[int, ...]
    rows: Floats
    unreadable: tuple[tuple[int, str], ...] = ()


def run_batches(
    load: Load, wanted: Sequence[int], size: int, engine: Engine, *, ahead: int = _DONE_AHEAD
) -> Generator[BatchResult, None, None]:
    """Load and infer the images at the positions `wanted`; batches come as they are done, in any order.

    size: the side of what `load` returns, in pixels. ahead: how many batches may wait to be taken. Closing the
    iterator, or an exception where it is used, stops the workers before it returns. An image that cannot be read is
    reported; any other exception of a worker is raised here.
    """
    line = _Line(load, size, engine, _batches(wanted, engine), queue.Queue(ahead))
    workers = [threading.Thread(target=line.work, daemon=True) for _ in range(_workers(engine, len(wanted)))]
    for worker in workers:
        worker.start()
    try:
        for _ in range(len(workers)):
            while (done := line.done.get()) is not None:
                if isinstance(done, BaseException):
                    raise done
                yield done
    finally:
        line.stop(workers)


def _workers(engine: Engine, images: int) -> int:
    """As many as keep the engine's requests and the processors busy."""
    return max(1, min(engine.requests + threads(), images))


def _batches(wanted: Sequence[int], engine: Engine) -> Iterator[tuple[int, ...]]:
    """Positions in batches; a small request is spread over the workers."""
    share = -(-len(wanted) // _workers(engine, len(wanted)))
    positions = iter(wanted)
    while batch := tuple(islice(positions, max(1, min(engine.batch, share)))):
        yield batch


@dataclass(eq=False)
class _Line:
    """What the workers share. A worker puts None into `done` when it has nothing left to do."""

    load: Load
    size: int
    engine: Engine
    batches: Iterator[tuple[int, ...]]
    done: queue.Queue[BatchResult | BaseException | None]
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Take batches until there are none; what goes wrong is put into `done` too."""
        buffer = np.zeros((self.engine.batch, self.size, self.size, 3), np.uint8)
        try:
            while not self.stopped.is_set() and (batch := self._next()):
                self.done.put(self._through(batch, buffer))
            self.done.put(None)
        except BaseException as error:
            self.done.put(error)

    def _next(self) -> tuple[int, ...] | None:
        with self.lock:
            return next(self.batches, None)

    def _through(self, batch: tuple[int, ...], buffer: NDArray[np.uint8]) -> BatchResult:
        read: list[int] = []
        unreadable: list[tuple[int, str]] = []
        for position in batch:
            try:
                buffer[len(read)] = self.load(position)
                read.append(position)
            except UnreadableImage as reason:
                unreadable.append((position, str(reason)))
        rows = self.engine.run(buffer, len(read)) if read else np.zeros((0, 0), np.float32)
        return BatchResult(tuple(read), rows, tuple(unreadable))

    def stop(self, workers: Sequence[threading.Thread]) -> None:
        """Let every worker end, emptying the queue that it may be waiting to put something into."""
        self.stopped.set()
        for worker in workers:
            while worker.is_alive():
                with contextlib.suppress(queue.Empty):
                    self.done.get_nowait()
                worker.join(0.005)

"""Runs items through an engine: loading and inference at the same time, in bounded memory.

A few workers each load a batch into a buffer of their own and pass it through the engine; while some wait for the
engine, the others load. Decoding and inference run outside the interpreter's lock, so threads are enough. At any moment
a worker holds one batch, and a bounded queue holds the results. What an item is only the `InputSpec` knows. Nothing is
cached here.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.device import threads
from headstart.embed.engine import Engine
from headstart.errors import UnreadableImage
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.data.spec import InputSpec

_DONE_AHEAD = 32

Load = Callable[[int], NDArray[Any]]
"""Position → the network's input for the item there; raises `UnreadableImage`. Called from several threads."""


@dataclass(frozen=True, eq=False)
class BatchResult:
    """Rows (len(positions), width) and the positions they belong to; and of unreadable items position and reason."""

    positions: tuple[int, ...]
    rows: Floats
    unreadable: tuple[tuple[int, str], ...] = ()


def run_batches(
    load: Load, positions: Sequence[int], spec: InputSpec, engine: Engine, *, ahead: int = _DONE_AHEAD
) -> Generator[BatchResult, None, None]:
    """Load and infer the items at `positions`; batches come as they are done, in any order.

    spec: of what `load` returns; it makes the buffers. ahead: how many batches may wait to be taken. Closing the
    iterator, or an exception where it is used, stops the workers before it returns. An item that cannot be read is
    reported; any other exception of a worker is raised here.
    """
    batches = _batches(positions, engine)
    pool = _Pool(load, spec, engine, batches, queue.Queue(ahead))
    workers = [threading.Thread(target=pool.work, daemon=True) for _ in range(_workers(engine, len(positions)))]
    for worker in workers:
        worker.start()
    try:
        for _ in range(len(workers)):
            while (done := pool.done.get()) is not None:
                if isinstance(done, BaseException):
                    raise done
                yield done
    finally:
        pool.stop(workers)


def _workers(engine: Engine, items: int) -> int:
    """As many as keep the engine's requests and the processors busy."""
    return max(1, min(engine.requests + threads(), items))


def _batches(positions: Sequence[int], engine: Engine) -> Iterator[tuple[int, ...]]:
    """Positions in batches; a small request is spread over the workers."""
    share = -(-len(positions) // _workers(engine, len(positions)))
    remaining = iter(positions)
    while batch := tuple(islice(remaining, max(1, min(engine.batch, share)))):
        yield batch


@dataclass(eq=False)
class _Pool:
    """What the workers share. A worker puts None into `done` when it has nothing left to do."""

    load: Load
    spec: InputSpec
    engine: Engine
    batches: Iterator[tuple[int, ...]]
    done: queue.Queue[BatchResult | BaseException | None]
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Take batches until there are none; an exception is put into `done` too."""
        buffer = self.spec.buffer(self.engine.batch)
        try:
            while not self.stopped.is_set() and (batch := self._next_batch()):
                self.done.put(self._infer(batch, buffer))
            self.done.put(None)
        except BaseException as error:
            self.done.put(error)

    def _next_batch(self) -> tuple[int, ...] | None:
        with self.lock:
            return next(self.batches, None)

    def _infer(self, batch: tuple[int, ...], buffer: NDArray[Any]) -> BatchResult:
        readable: list[int] = []
        unreadable: list[tuple[int, str]] = []
        for position in batch:
            try:
                buffer[len(readable)] = self.load(position)
                readable.append(position)
            except UnreadableImage as reason:
                unreadable.append((position, str(reason)))
        rows = self.engine.run(buffer, len(readable)) if readable else np.zeros((0, 0), np.float32)
        return BatchResult(tuple(readable), rows, tuple(unreadable))

    def stop(self, workers: Sequence[threading.Thread]) -> None:
        """Let every worker end, emptying the queue that it may be waiting to put something into."""
        self.stopped.set()
        for worker in workers:
            while worker.is_alive():
                with contextlib.suppress(queue.Empty):
                    self.done.get_nowait()
                worker.join(0.005)

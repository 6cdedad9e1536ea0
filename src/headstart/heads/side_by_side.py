"""Folds fitted side by side, each on one thread of the BLAS, and given up when the time is used up.

The BLAS's own threads wait for each other in a loop that keeps a processor busy: with other work on the processors a
fold's many small products and factors take up to forty times as long (docs/evidence.md). One thread a fold is never
slower than that, and the numbers do not depend on how many processors there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from headstart.device import threads

_Item = TypeVar("_Item")
_over: ContextVar[Callable[[], bool] | None] = ContextVar("over", default=None)


class OutOfTimeError(Exception):
    """The scoring of a head did not come to its end within its time."""


@contextmanager
def time_limit(over: Callable[[], bool]) -> Iterator[None]:
    """Within it, heads end with `OutOfTimeError` soon after `over` has become true: after a fold, or a few strengths.

    >>> with time_limit(lambda: True):
    ...     run_side_by_side(print, [1])
    Traceback (most recent call last):
    headstart.heads.side_by_side.OutOfTimeError
    """
    token = _over.set(over)
    try:
        yield
    finally:
        _over.reset(token)


def check_time() -> None:
    """Raise `OutOfTimeError` where the time is used up."""
    over = _over.get()
    if over is not None and over():
        raise OutOfTimeError


@contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Within it, the BLAS uses so many threads; None leaves that to it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count, user_api="blas"):
        yield


def run_side_by_side(work: Callable[[_Item], None], items: Iterable[_Item]) -> None:
    """Do the work for every item, as many at once as there are processors, each on one thread of the BLAS."""
    over = _over.get()  # a thread of the pool has a context of its own

    def timed(item: _Item) -> None:
        """Do the work for one item, unless the time is used up."""
        if over is not None and over():
            raise OutOfTimeError
        work(item)

    with blas_threads(1), ThreadPoolExecutor(threads()) as pool:
        pending = [pool.submit(timed, item) for item in items]
        try:
            for future in pending:
                future.result()
        finally:
            for future in pending:
                future.cancel()

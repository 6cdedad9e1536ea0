"""Progress on a terminal: what runs, how fast, how long still. Silent when standard error is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[int], None]
"""Report that so many more items are done."""

_shown: list[Progress] = []
"""The display that is on the terminal now; a bar inside another one is a line of the same display."""


def _ignore(count: int) -> None:
    return None


@contextmanager
def bar(label: str, total: int, *, unit: str = "images", shown: bool | None = None) -> Iterator[Advance]:
    """A progress bar for `total` items; the context's value is called with the number of items just done.

    `shown=None` shows it on a terminal only.

    >>> with bar("embedding", 3, shown=False) as advance:
    ...     advance(3)
    """
    if not (sys.stderr.isatty() if shown is None else shown) or total == 0:
        yield _ignore
        return
    with _display() as progress:
        task = progress.add_task(label, total=total, rate="", counts=f"0/{total:,} {unit}")

        def advance(count: int) -> None:
            """Show `count` more items as done."""
            progress.advance(task, count)
            task_entry = next(entry for entry in progress.tasks if entry.id == task)
            rate = f"{task_entry.speed:,.0f}/s" if task_entry.speed and task_entry.speed >= 1 else ""
            progress.update(task, rate=rate, counts=f"{task_entry.completed:,.0f}/{total:,} {unit}")

        try:
            yield advance
        finally:
            progress.remove_task(task)


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """A line that says what goes on; the context's value is called with each new text. On a terminal only.

    >>> with status() as say:
    ...     say("comparing")
    """
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with _display() as progress:
        task = progress.add_task("", total=None, rate="", counts="")
        try:
            yield lambda text: progress.update(task, description=text)
        finally:
            progress.remove_task(task)


@contextmanager
def _display() -> Iterator[Progress]:
    if _shown:
        yield _shown[-1]
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        _shown.append(progress)
        try:
            yield progress
        finally:
            _shown.remove(progress)

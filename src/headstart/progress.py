"""Progress on standard error: which step of how many, what runs, how fast, how long still.

On a terminal bars are drawn and vanish. Elsewhere plain lines without control characters are written, rarely: in a
notebook, and where a command line has asked for them with `speak`. Otherwise nothing is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from headstart.layout import columns_of, wrap

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[int], None]
"""Report that so many more items are done."""

AUTO, LINES, SILENT = "auto", "lines", "silent"
EVERY = 10.0
"""Seconds between two lines of one thing where no bar can be drawn; what is quicker is not spoken of."""

_shown: list[Progress] = []
"""The display that is on the terminal now; a bar inside another one is a line of the same display."""


@dataclass
class _Manner:
    """How progress is shown, and how many seconds lie between two lines."""

    name: str = AUTO
    every: float = EVERY


_manner = _Manner()


def speak(name: str, *, every: float = EVERY) -> None:
    """How progress is shown from now on: AUTO, LINES (also where it is neither a terminal nor a notebook) or SILENT.

    every: seconds between two lines of one thing.
    """
    _manner.name, _manner.every = name, every


def step(number: int, total: int, text: str) -> None:
    """Say which step of the whole begins; the line stays.

    >>> step(1, 3, "reading the images")
    """
    if _on_terminal() or _in_lines():
        line = f"step {number} of {total}: {text}"
        _write("\n".join(wrap(line, columns_of(sys.stderr), indent=13)))


@contextmanager
def bar(label: str, total: int, *, unit: str = "images", shown: bool | None = None) -> Iterator[Advance]:
    """A progress bar for `total` items; the context's value is called with the number of items just done.

    `shown=None` draws it on a terminal only; elsewhere lines may stand for it.

    >>> with bar("embedding", 3, shown=False) as advance:
    ...     advance(3)
    """
    if total == 0 or shown is False:
        yield _ignore
    elif shown or _on_terminal():
        with _drawn_bar(label, total, unit) as advance:
            yield advance
    else:
        yield _line_bar(label, total, unit) if _in_lines() else _ignore


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """A line that says what goes on; the context's value is called with each new text.

    >>> with status() as say:
    ...     say("comparing")
    """
    if not _on_terminal():
        yield _rarely(_write) if _in_lines() else _ignore_text
        return
    with _display() as progress:
        task = progress.add_task("", total=None, rate="", counts="")
        try:
            yield lambda text: progress.update(task, description=text)
        finally:
            progress.remove_task(task)


def _ignore(count: int) -> None:
    return None


def _ignore_text(text: str) -> None:
    return None


def _on_terminal() -> bool:
    return _manner.name != SILENT and sys.stderr.isatty() and find_spec("rich") is not None


def _in_lines() -> bool:
    """Whether lines are written where no bar can be drawn: asked for, or in a notebook."""
    return _manner.name == LINES or (_manner.name == AUTO and "ipykernel" in sys.modules)


def _write(text: str) -> None:
    if _shown:
        _shown[-1].console.print(text, markup=False, highlight=False)
    else:
        print(text, file=sys.stderr, flush=True)


def _rarely(write: Callable[[str], None]) -> Callable[[str], None]:
    """Writes a text only where so many seconds have passed since the last one, or since the beginning."""
    last = [time.monotonic()]

    def say(text: str) -> None:
        if time.monotonic() - last[0] >= _manner.every:
            last[0] = time.monotonic()
            write(f"  {text}")

    return say


def _line_bar(label: str, total: int, unit: str) -> Advance:
    begin, done, say = time.monotonic(), [0], _rarely(_write)

    def advance(count: int) -> None:
        """Say how far it is, now and then."""
        done[0] += count
        seconds = (time.monotonic() - begin) * (total - done[0]) / max(done[0], 1)
        say(f"{label}: {done[0]:,} of {total:,} {unit}, about {duration(seconds)} left")

    return advance


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(8.2), duration(150)
    ('8 s', '2 min 30 s')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


@contextmanager
def _drawn_bar(label: str, total: int, unit: str) -> Iterator[Advance]:
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
def _display() -> Iterator[Progress]:
    if _shown:
        yield _shown[-1]
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
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

"""How verbs print: tables for a person's terminal, tab-separated lines in a pipe, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from headstart.checks import printable
from headstart.report.numbers import percent

if TYPE_CHECKING:
    from headstart.model.facts import DataFacts
    from headstart.records.samples import Failure


_NEVER_BROKEN = 22
"""Cells up to this length are never broken over lines."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", right: Sequence[int] = ()) -> None:
    """Print a table: ruled on a terminal, tab-separated otherwise. `right` are the columns of numbers."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(row) for row in [headers, *rows]))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ruled = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", padding=(0, 1, 0, 0), pad_edge=False)
    for i, header in enumerate(headers):
        whole = max(len(row[i]) for row in [headers, *rows]) <= _NEVER_BROKEN
        ruled.add_column(header, justify="right" if i in right else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        ruled.add_row(*map(Text, row))  # a str would be read as rich's markup
    Console().print(ruled)


def candidates(manifest: Mapping[str, Any]) -> None:
    """Print every candidate's line, and why some were given up or left out."""
    from headstart.model.summary import candidate_rows, reasons

    headers, rows = candidate_rows(manifest)
    table(headers, rows, right=(2, 3, 4, 5))
    for line in reasons(manifest):
        click.echo(line)


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


class Result(Protocol):
    """What a verb returns. notes: for the user. failures: images that could not be read."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the user."""
        ...

    @property
    def failures(self) -> Sequence[Failure]:
        """Images that could not be read."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        ...


def json_or_notes(result: Result, json_wanted: bool) -> bool:
    """Print all of a result as JSON, or else its notes and unreadable images; True where it was JSON."""
    if json_wanted:
        as_json(result.to_dict())
        return True
    for sentence in result.notes:
        note(sentence)
    failures(result.failures)
    return False


def note(sentence: str) -> None:
    """Tell the user something on standard error, so that piped output stays clean."""
    click.secho("note: ", fg="yellow", nl=False, err=True)
    click.echo(printable(sentence), err=True)


def failures(images: Iterable[Failure]) -> None:
    """Name the images that could not be read on standard error."""
    for failure in images:
        click.echo(printable(f"unreadable: {failure.name}: {failure.reason}"), err=True)


def data_line(data: DataFacts, baseline: float) -> str:
    """The data in a line, and what knowing nothing would score."""
    from dataclasses import asdict

    from headstart.model.summary import data_words

    guess = f"always the most frequent class: {percent(baseline)}"
    return printable(f"{'data':<10} {data_words(asdict(data))}; {guess}")


def bar(value: float, low: float, high: float, width: int) -> str:
    """A bar that is empty at `low` and `width` characters long at `high`.

    >>> bar(0.75, 0.5, 1.0, 4) in ("██", "##")
    True
    """
    share = min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0
    eighths = round(8 * width * share)
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        return "#" * round(eighths / 8)
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1 : eighths % 8]

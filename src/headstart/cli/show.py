"""How verbs print: tables for a person's terminal, tab-separated lines in a pipe, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

from headstart import layout
from headstart.checks import printable, quantity
from headstart.nouns import IMAGE, reword
from headstart.report.numbers import percent

if TYPE_CHECKING:
    from headstart.data.sources.dataset import Dataset
    from headstart.model.facts import DataFacts
    from headstart.records.samples import Failure, Samples


_CLASSES = 12
_MANNER = {"quiet": False, "verbose": False}
_NOUN = {"item": IMAGE}


def set_manner(*, quiet: bool = False, verbose: bool = False) -> None:
    """Whether notes are left out from now on, or all are told."""
    _MANNER.update(quiet=quiet, verbose=verbose)
    speak_of(IMAGE)


def speak_of(noun: str) -> None:
    """What an item of the data at hand is called from now on."""
    _NOUN["item"] = noun


def reworded(text: str) -> str:
    """The text with the noun of the data at hand, printable."""
    return reword(printable(text), _NOUN["item"])


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    right: Sequence[int] = (),
    paths: Sequence[int] = (),
    optional: Sequence[int] = (),
) -> None:
    """Print a table: fitted to a terminal's width, tab-separated otherwise.

    right: columns of numbers. paths: columns whose end is kept where they are cut. optional: left out where not all
    columns fit, in this order.
    """
    headers, title = [reworded(header) for header in headers], reworded(title)
    rows = [[printable(cell) for cell in row] for row in rows]
    width = layout.columns_of(sys.stdout)
    if width is None:
        click.echo("\n".join("\t".join(row) for row in [headers, *rows]))
        return
    lines = layout.table_lines(headers, rows, width, right=right, paths=paths, optional=optional)
    click.echo("\n".join([title, *lines] if title else lines))


def lines(pairs: Iterable[tuple[str, str]], *, indent: int = 11, err: bool = False) -> None:
    """Print lines 'name  text', wrapped to a terminal's width with the text in a column of its own."""
    width = layout.columns_of(sys.stderr if err else sys.stdout)
    printed = layout.named_lines([(name, reworded(text)) for name, text in pairs], width, indent=indent)
    click.echo("\n".join(printed), err=err)


def echo(text: str = "") -> None:
    """Print lines, each wrapped to a terminal's width; behind a name and two blanks the text keeps its column."""
    width = layout.columns_of(sys.stdout)
    if width is None:
        click.echo(text)
        return
    for line in text.split("\n"):
        click.echo("\n".join(layout.hang(line, width)))


def wrapped(text: str, *, err: bool = False) -> list[str]:
    """A sentence as lines that fit a terminal's width; err: that of standard error."""
    return layout.wrap(reworded(text), layout.columns_of(sys.stderr if err else sys.stdout))


def is_quiet() -> bool:
    """Whether only the result is wanted."""
    return _MANNER["quiet"]


def paragraph(text: str, *, indent: int = 0) -> None:
    """Print a sentence, wrapped to a terminal's width; its later lines are indented."""
    click.echo("\n".join(layout.wrap(reworded(text), layout.columns_of(sys.stdout), indent=indent)))


def candidates(manifest: Mapping[str, Any]) -> None:
    """Print every candidate's line, and why some were given up or left out."""
    from headstart.model.details import candidate_rows, reasons

    headers, rows = candidate_rows(manifest)
    table(headers, rows, right=(2, 3, 4, 5), optional=(5, 3, 4))
    for line in reasons(manifest):
        paragraph(line, indent=2)


def model(manifest: Mapping[str, Any], place: str, *, data: str = "DATA", details: bool = False) -> None:
    """Print a model's answer; with details the rest and the contest too. place, data: as commands name them."""
    from headstart.model.details import detail_lines
    from headstart.model.summary import answer_lines

    answer = answer_lines(manifest, model=place, data=data)
    further = detail_lines(manifest) if details else []
    lines(answer)
    if details:
        click.echo("")
        lines(further)
        click.echo("")
        candidates(manifest)


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
    if _MANNER["quiet"]:
        return
    click.secho("note: ", fg="yellow", nl=False, err=True)
    width = layout.columns_of(sys.stderr)
    click.echo("\n".join(layout.wrap(reworded(sentence), width, indent=6, first=" " * 6))[6:], err=True)


def few_notes(sentences: Sequence[str], where: str, most: int = 3) -> None:
    """Tell the notes that change what to believe, and how many more there are. where: what shows all of them."""
    from headstart.model.summary import important_notes

    shown = sentences if _MANNER["verbose"] else important_notes(sentences)[:most]
    for sentence in shown:
        note(sentence)
    if len(sentences) > len(shown):
        note(f"{quantity(len(sentences) - len(shown), 'more note')}: {where}")


def failures(images: Iterable[Failure]) -> None:
    """Name the images that could not be read on standard error."""
    for failure in images:
        click.echo(printable(f"unreadable: {failure.name}: {failure.reason}"), err=True)


def data_line(data: DataFacts, baseline: float) -> str:
    """The data in a line, and what knowing nothing would score."""
    from dataclasses import asdict

    from headstart.model.details import data_words

    guess = f"always the most frequent class: {percent(baseline)}"
    text = printable(f"{data_words(asdict(data))}; {guess}")
    return "\n".join(layout.named_lines([("data", text)], layout.columns_of(sys.stdout)))


def dataset(data: Dataset, place: str) -> None:
    """Say on standard error what was found in a dataset: images, classes, splits. place: where it lies."""
    if _MANNER["quiet"]:
        return
    samples = data.samples
    counts = [f"{name} {count:,}" for name, count in samples.counts().items()]
    classes = ", ".join(counts[:_CLASSES]) + (f" and {len(counts) - _CLASSES} more" if len(counts) > _CLASSES else "")
    text = f"{quantity(len(samples), 'image')} of {quantity(len(counts), 'class', 'classes')} in {place} ({classes})"
    lines([("data", f"{text}; {_splits_words(samples)}")], err=True)


def _splits_words(samples: Samples) -> str:
    if samples.splits is None:
        return "no splits: each image is tested by models that have not seen it"
    splits = Counter(samples.splits.tolist())
    return "splits: " + ", ".join(f"{name} {count:,}" for name, count in splits.items())


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

"""What `headstart predict` prints of its answers: the table, CSV or JSON, the words behind them, and the counts."""

from __future__ import annotations

import posixpath
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from headstart import layout

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.model.predictor import Predictor
    from headstart.records.samples import Samples
    from headstart.report.predictions import PredictionTable
    from headstart.verbs.explain import Explanation

_FEW = 10
"""Texts up to which --explain prints a line each below the table."""


def explain_words(predictor: Predictor, samples: Samples, device: Device) -> Sequence[Explanation]:
    """Which words carried the answers."""
    from headstart.verbs.explain import explain

    return explain(predictor, list(samples.items), names=samples.names, device=device)


def _print_words(explanations: Sequence[Explanation]) -> None:
    """A line for each text."""
    from headstart.cli import show
    from headstart.report.words import word_line

    if not explanations:
        return
    click.echo("")
    show.lines([(row.name, word_line(row)) for row in explanations if row.label is not None])


def print_table(table: PredictionTable, form: str | None) -> None:
    """Print the answers in the form that was asked for: a table, 'csv' or 'json'."""
    import numpy as np

    from headstart.cli import show
    from headstart.report import numbers

    if form == "json":
        show.as_json(table.to_records())
    elif form == "csv":
        sys.stdout.write(table.to_csv())
    else:
        predictions = table.predictions
        columns = {"second choice": table.second_choices(), **table.further_columns(", ")}
        columns.pop("unreadable", None)  # the reasons stand on standard error
        labels = [label or "(unreadable)" for label in predictions.labels]
        if table.decisions is None:
            columns["mark"] = table.marks()
        confidences = ["" if np.isnan(value) else numbers.percent(value) for value in predictions.confidences]
        names, folder = _without_folder(predictions.names)
        if folder:
            show.paragraph(f"images in {folder}")
        rows = list(zip(names, labels, confidences, *columns.values(), strict=True))
        show.table(("image", "class", "confidence", *columns), rows, right=(2,), paths=(0,), optional=(3,))
        if len(table.words) <= _FEW:
            _print_words(table.words)


def _without_folder(names: Sequence[str]) -> tuple[Sequence[str], str]:
    """On a terminal, where room is short: the names without the folder that all share, and that folder."""
    if not layout.columns_of(sys.stdout) or len(names) < 2:
        return names, ""
    folders = {name.rpartition("/")[0] for name in names}
    if "" in folders or len({folder.startswith("/") for folder in folders}) > 1:
        return names, ""
    common = posixpath.commonpath(folders)
    return ([name[len(common) :].lstrip("/") for name in names], f"{common}/") if common.strip("/") else (names, "")


def print_counts(table: PredictionTable) -> None:
    """How many images each class has, and how many are marked; on standard error where a program may read the table."""
    from headstart.cli import show

    counts = Counter(label for label in table.predictions.labels if label is not None)
    classes = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    marks = Counter(mark for mark in table.marks() if mark)
    marked = "".join(f"; {count:,} {mark}" for mark, count in marks.items())
    if not sys.stdout.isatty() and show.is_quiet():
        return
    aside = not sys.stdout.isatty()
    if not aside:
        click.echo("")
    show.lines([("counts", f"{classes}{marked}")], err=aside)

"""`headstart depth`: how well a linear model does on each layer of a backbone, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import ColumnOptions, Drawing, Place, columns, measurement_options, metric, run
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.depth import Depth, Depths

_HEADERS = ("layer", "width", "score", "95 %", "against the best", "")
_NUMBERS = (1, 2, 3, 4)
_BAR = 24


@click.command("depth")
@click.argument("data", type=Place())
@click.option("--backbones", help="Comma-separated; default: the packaged ones (see 'headstart backbones').")
@click.option("--svg", type=Drawing(), help="Also draw the scores into this .svg file.")
@metric
@columns
@run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: Path,
    backbones: str | None,
    svg: Path | None,
    metric: str,
    columns: ColumnOptions,
    exclude: Path | None,
    run: Run,
    as_json: bool,
) -> None:
    """Score a linear model on every layer of a backbone, for the labelled images in DATA (class folders, or a table).

    Where an early layer does better than the last, the images are unlike ImageNet's from there on: take several layers
    into the head, or fine-tune from the stage after the best layer. All scores are on images left out.
    """
    from headstart.report.write import write_plot
    from headstart.verbs.depth import depth

    options = measurement_options(run, exclude, "auto" if backbones is None else backbones, metric)
    result = depth(columns.load(data), options=options)
    _print(result, as_json)
    if svg is not None:
        write_plot(result, svg)
        show.note(f"the plot is in {svg}.")


def _print(result: Depths, as_json: bool) -> None:

    if show.json_or_notes(result, as_json):
        return
    show.echo(show.data_line(result.data, result.backbones[0].baseline))
    for backbone in result.backbones:
        _print_backbone(backbone)


def _bar_width(rows: Sequence[Sequence[str]]) -> int:
    """How long a bar may be beside these cells."""
    import shutil

    taken = 1 + sum(2 + max(map(len, column)) for column in zip(*rows, strict=True))
    return min(max(shutil.get_terminal_size().columns - taken - 1, 4), _BAR)


def _print_backbone(depth: Depth) -> None:
    """A table with a bar for each layer on a terminal: from the score of the most frequent class to 100 %."""
    import sys
    from dataclasses import asdict

    from headstart.model.details import gain_words
    from headstart.report import numbers

    rows = [
        (
            tap.name,
            str(tap.width),
            numbers.percent(tap.score.value),
            numbers.interval(tap.score.low, tap.score.high),
            "" if tap.gain is None else gain_words(asdict(tap.gain)),
            "best" if tap is depth.best else tap.status,
        )
        for tap in depth.taps
    ]
    show.echo(f"\n{depth.backbone}")
    if sys.stdout.isatty():
        width = _bar_width([_HEADERS, *rows])
        bars = [show.bar(tap.score.value, depth.baseline, 1.0, width) for tap in depth.taps]
        show.table((*_HEADERS, ""), [(*row, bar) for row, bar in zip(rows, bars, strict=True)], right=_NUMBERS)
    else:
        show.table(_HEADERS, rows, right=_NUMBERS)
    show.echo(depth.words())

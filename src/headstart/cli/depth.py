"""`headstart depth`: how well a linear model does on each layer of a backbone, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    from headstart.cli import show
    from headstart.verbs.depth import depth

    options = measurement_options(run, exclude, "auto" if backbones is None else backbones, metric)
    found = depth(columns.load(data), options=options)
    _print(found, as_json)
    if svg is not None:
        _draw(found, svg)
        show.note(f"the plot is in {svg}.")


def _draw(found: Depths, place: Path) -> None:
    from headstart.report.plots.panels import Panel, panels_svg
    from headstart.storage.files import write_atomically

    panels = [
        Panel(
            each.backbone,
            tuple(tap.name for tap in each.taps),
            tuple(tap.score for tap in each.taps),
            each.taps.index(each.best),
        )
        for each in found.backbones
    ]
    first = found.backbones[0]
    metric = first.best.score.metric.replace("-", " ")
    title = f"{metric.capitalize()} of a linear probe at each layer, with 95 % intervals"
    write_atomically(
        place, panels_svg(panels, title=title, baseline=first.baseline, words="most frequent class").encode()
    )


def _print(found: Depths, as_json: bool) -> None:
    from headstart.cli import show

    if show.json_or_notes(found, as_json):
        return
    first = found.backbones[0]
    click.echo(show.measured_on(found.data, first.baseline))
    for each in found.backbones:
        _print_one(each)


def _room(rows: Sequence[Sequence[str]]) -> int:
    """How long a bar may be beside these cells."""
    import shutil

    taken = 1 + sum(2 + max(map(len, column)) for column in zip(*rows, strict=True))
    return min(max(shutil.get_terminal_size().columns - taken - 1, 4), _BAR)


def _print_one(found: Depth) -> None:
    """A table with a bar for each layer on a terminal: from the score of the most frequent class to 100 %."""
    import sys
    from dataclasses import asdict

    from headstart.cli import show
    from headstart.model.summary import gain_words
    from headstart.report import numbers

    rows = [
        (
            tap.name,
            str(tap.width),
            numbers.percent(tap.score.value),
            numbers.interval(tap.score.low, tap.score.high),
            "" if tap.gain is None else gain_words(asdict(tap.gain)),
            "best" if tap is found.best else tap.status,
        )
        for tap in found.taps
    ]
    click.echo(f"\n{found.backbone}")
    if sys.stdout.isatty():
        room = _room([_HEADERS, *rows])
        bars = [show.bar(tap.score.value, found.baseline, 1.0, room) for tap in found.taps]
        show.table((*_HEADERS, ""), [(*row, bar) for row, bar in zip(rows, bars, strict=True)], right=_NUMBERS)
    else:
        show.table(_HEADERS, rows, right=_NUMBERS)
    click.echo(found.words())

"""`headstart curve`: accuracy against labels per class, and how many more a target needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart import checks
from headstart.cli.options import ColumnOptions, Drawing, Place, columns, run, words
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.curve.curve import Curve
    from headstart.verbs.curve.series import Series


@click.command("curve")
@click.argument("data", type=Place())
@click.option("--target", default=95.0, show_default=True, help="The accuracy wanted, in percent.")
@click.option("--svg", type=Drawing(), help="Also draw the curve into this .svg file.")
@click.option("--backbones", help="Comma-separated; default: the packaged ones (see 'headstart backbones').")
@click.option(
    "--random/--no-random",
    default=True,
    show_default=True,
    help="Also measure random features of the same networks: what pretraining is worth. Doubles the time.",
)
@click.option(
    "--from-scratch",
    "scratch",
    is_flag=True,
    help="Also train the first network from random weights at up to three sizes, twice each: minutes to hours; needs "
    "the extra 'finetune'.",
)
@columns
@run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: Path,
    target: float,
    svg: Path | None,
    backbones: str | None,
    random: bool,
    scratch: bool,
    columns: ColumnOptions,
    exclude: Path | None,
    run: Run,
    as_json: bool,
) -> None:
    """Say how many more labels per class DATA (class folders, or a table) would need for an accuracy of --target.

    A linear model learns from 1, 2, 5, 10, … labels of each class, drawn many times, and is tested on other images; a
    curve fitted to that is continued, with a band. Answers are given up to 8 times the labels there are.
    """
    from headstart.verbs.curve.curve import learning_curve

    checks.between("--target", target, 1, 100)
    found = learning_curve(
        columns.load(data),
        target=target / 100,
        backbones=words("auto" if backbones is None else backbones) or (),
        random=random,
        scratch=scratch,
        exclude=None if exclude is None else str(exclude),
        **asdict(run),
    )
    if svg is not None:
        _draw(found, svg, data)
    _print(found, svg, as_json)


def _draw(found: Curve, place: Path, data: Path) -> None:
    from headstart.report.plots.curve import CurveLine, curve_svg
    from headstart.storage.files import write_atomically

    lines = [CurveLine(_title(each), each.measured, each.curve) for each in found.series]
    title = f"Accuracy against labels per class: {data.resolve().name}"
    write_atomically(place, curve_svg(lines, found.answer, title=title).encode())


def _title(series: Series) -> str:
    """What the line is called in the table and in the plot."""
    from headstart.verbs.curve.from_scratch import SCRATCH

    return series.name if series.name == SCRATCH else f"{series.name} features"


def _print(found: Curve, svg: Path | None, as_json: bool) -> None:
    from headstart.checks import printable
    from headstart.cli import show

    if show.json_or_notes(found, as_json):
        return
    headers = ["labels per class"]
    for each in found.series:
        headers += [_title(each), "95 %"]
    show.table(headers, _rows(found), right=range(len(headers)))
    for line in found.summary().splitlines():
        click.echo(printable(line))
    if svg is not None:
        click.echo(printable(f"plot        {svg}"))


def _rows(found: Curve) -> list[list[str]]:
    """A row for each number of labels; the last for all images there are, where classes are unequal."""
    from headstart.report import numbers

    rows = []
    for size in found.series[0].measured.sizes.tolist():
        row = [f"{size:,.0f}"]
        for each in found.series:
            points = dict(zip(each.measured.sizes.tolist(), each.points, strict=True))
            point = points.get(size)
            row += (
                ["", ""] if point is None else [numbers.percent(point.value), numbers.interval(point.low, point.high)]
            )
        rows.append(row)
    if found.whole is not None:
        whole = [numbers.percent(found.whole.value), numbers.interval(found.whole.low, found.whole.high)]
        rows.append(["all, unequal", *whole, *[""] * (2 * len(found.series) - 2)])
    return rows

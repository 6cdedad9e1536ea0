"""`headstart curve`: accuracy against labels per class, and how many more a target needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import ColumnOptions, Drawing, Place, ShareType, columns, run, words
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.metrics.intervals import Estimate
    from headstart.verbs.curve.curve import Curve


@click.command("curve")
@click.argument("data", type=Place())
@click.option(
    "--target", type=ShareType(0.01, 1), default="95%", show_default=True, help="The accuracy wanted: 0.9 or 90%."
)
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
    from headstart.report.write import write_plot
    from headstart.verbs.curve.curve import learning_curve

    result = learning_curve(
        columns.load(data),
        target=target,
        backbones=words("auto" if backbones is None else backbones) or (),
        random=random,
        scratch=scratch,
        exclude=None if exclude is None else str(exclude),
        **asdict(run),
    )
    if svg is not None:
        write_plot(result, svg, data=str(data))
    _print(result, svg, as_json)


def _print(result: Curve, svg: Path | None, as_json: bool) -> None:
    from headstart.checks import printable
    from headstart.report.plots.results import series_title

    if show.json_or_notes(result, as_json):
        return
    for line in result.summary().splitlines():
        show.echo(printable(line))
    click.echo("")
    headers = ["labels per class"]
    for series in result.series:
        headers += [series_title(series), "95 %"]
    show.table(headers, _rows(result), right=range(len(headers)))
    if svg is not None:
        show.echo(printable(f"plot        {svg}"))


def _rows(result: Curve) -> list[list[str]]:
    """A row for each number of labels; the last for all images there are, where classes are unequal."""
    rows = []
    for size in result.series[0].measured.sizes.tolist():
        row = [f"{size:,.0f}"]
        for series in result.series:
            estimates = dict(zip(series.measured.sizes.tolist(), series.points, strict=True))
            row += _cells(estimates.get(size))
        rows.append(row)
    if result.whole is not None:
        rows.append(["all, unequal", *_cells(result.whole), *[""] * (2 * len(result.series) - 2)])
    return rows


def _cells(estimate: Estimate | None) -> list[str]:
    """A share and its interval; empty where that size was not measured."""
    from headstart.report import numbers

    if estimate is None:
        return ["", ""]
    return [numbers.percent(estimate.value), numbers.interval(estimate.low, estimate.high)]

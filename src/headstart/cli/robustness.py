"""`headstart robustness`: how a saved model does under rain, night, fog, blur, noise and JPEG."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli import show
from headstart.cli.options import Drawing, Place, check_order, run_options, words
from headstart.records.run import Run


@click.command("robustness")
@click.argument("model", type=Place())
@click.argument("data", type=Place())
@click.option("--kinds", help="Comma-separated, of rain, night, fog, blur, noise, jpeg; default: all.")
@click.option(
    "--severities", default="1,2,3,4,5", show_default=True, help="Comma-separated, of 1 (slight) to 5 (heavy)."
)
@click.option("--most", default=200, show_default=True, help="How many images are drawn; each is embedded 31 times.")
@click.option("--svg", type=Drawing(), help="Write a plot of the accuracies to this file.")
@run_options("seed")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    data: Path,
    kinds: str | None,
    severities: str,
    most: int,
    svg: Path | None,
    run: Run,
    as_json: bool,
) -> None:
    """Score the saved MODEL on the labelled images of DATA as a bad day would have made them.

    Every image is drawn under each corruption and severity; images that MODEL was trained on are left out. Says where
    it breaks first, with accuracy, calibration and, where MODEL has a guarantee, the share that is still accepted.
    """
    from headstart.checks import quantity
    from headstart.demo.corruptions import CORRUPTIONS
    from headstart.errors import OptionError
    from headstart.report import numbers
    from headstart.report.plots.results import robustness_plot
    from headstart.storage.files import write_atomically
    from headstart.verbs.robustness import robustness

    check_order(model, [data], "robustness")
    levels = words(severities) or ()
    if not levels or not all(level.isdigit() for level in levels):
        raise OptionError(f"--severities must be whole numbers of 1 to 5, such as 1,3,5; found {severities!r}.")
    result = robustness(
        model,
        data,
        kinds=words(kinds) or tuple(CORRUPTIONS),
        severities=[int(level) for level in levels],
        most=most,
        seed=run.seed,
    )
    if svg is not None:
        write_atomically(svg, robustness_plot(result).encode())
    if show.json_or_notes(result, as_json):
        return
    worst, clean = result.worst, result.clean
    by_kind = sorted(dict.fromkeys(c.kind for c in result.conditions[1:]), key=result.mean)
    means = ", ".join(f"{kind} {numbers.percent(result.mean(kind))}" for kind in by_kind)
    show.lines(
        [
            ("clean", f"{clean.accuracy} right, of {quantity(result.images, 'image')}"),
            ("worst", f"{worst.kind}, severity {worst.severity}: {worst.accuracy} right"),
            ("by kind", f"{means} on average over severities"),
            ("next", "train on images of that kind too, or adapt to them without labels: headstart adapt MODEL IMAGES"),
            *([("plot", str(svg))] if svg is not None else []),
        ]
    )
    rows = [
        (
            condition.kind,
            str(condition.severity or ""),
            numbers.percent(condition.accuracy.value),
            numbers.interval(condition.accuracy.low, condition.accuracy.high),
            numbers.percent(condition.calibration_error),
            "" if condition.accepted is None else numbers.percent(condition.accepted),
        )
        for condition in result.conditions
    ]
    headers = ("corruption", "severity", "accuracy", "95 %", "calibration error", "accepted")
    show.table(headers, rows, right=(1, 2, 3, 4, 5), optional=(3,))

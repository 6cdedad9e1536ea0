"""`headstart advise`: what the rule tables say of these images, and what each strategy would cost here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.checks import quantity
from headstart.cli import show
from headstart.cli.options import ColumnOptions, Place, columns, measurement_options, run
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.advise.advise import AdviceReport
    from headstart.verbs.advise.forecast import Forecast

_CLOSING = "This is a prior, from tables that saw other data; to measure on yours: headstart train"


@click.command("advise")
@click.argument("data", type=Place())
@click.option("--backbone", default="lite0", show_default=True, help="The backbone to be trained (for the forecast).")
@columns
@run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: Path,
    backbone: str,
    columns: ColumnOptions,
    exclude: Path | None,
    run: Run,
    as_json: bool,
) -> None:
    """Say what well-known rule tables advise for the labelled images in DATA (class folders, or a table).

    \b
    position  images per class; likeness to ImageNet's
    advice    what each table says there, and why
    forecast  how long each strategy would take here
    """
    from headstart.verbs.advise.advise import advise

    options = measurement_options(run, exclude, backbone)
    plan = f" --exclude {exclude}" if exclude else ""
    _print(advise(columns.load(data), options=options), f"{data}{plan}", as_json)


def _print(result: AdviceReport, data: str, as_json: bool) -> None:
    from headstart.checks import printable

    if show.json_or_notes(result, as_json):
        return
    show.lines([("advice", result.answer(data))], indent=12)
    _position(result)
    _advice(result)
    _forecasts(result)
    show.echo("\n" + printable(f"{_CLOSING} {data}"))


def _position(result: AdviceReport) -> None:

    position = result.position
    show.echo(
        f"size        {quantity(position.images, 'image')} of {quantity(len(position.counts), 'class', 'classes')}; "
        f"smallest class {position.smallest:,}, median {position.median:,} (the band of {result.prior.band} a class)"
    )
    show.echo(f"similarity  {result.similarity.words()}, measured on {quantity(result.looked_at, 'image')}:\n")
    rows = [(signal.name, str(signal.verdict), signal.words) for signal in result.similarity.signals]
    rows += [(text, "not measured", "") for text in result.similarity.left_out]
    show.table(("sign", "says", "measured"), rows)


def _advice(result: AdviceReport) -> None:
    from headstart.choose.prior_knowledge.rule_tables import LARGE, TRY

    advice = result.prior.advice
    show.echo("\nWhat the tables advise there")
    rows = [(a.table, a.words(), ", ".join(TRY[w] for w in a.ways if w in TRY), a.reason) for a in advice]
    show.table(("table", "advice", "here called", "because"), rows)
    for line in advice:
        show.echo(f"  {line.table}: {line.source}")
    show.echo(f"Tables that only say small and large are read as large from {LARGE:,} images per class.")
    show.echo(f"\n{result.prior.disagreement()}")


def _forecasts(result: AdviceReport) -> None:

    show.echo(f"\nWhat it would cost here, with {result.backbone}: comparing on folds and fitting once more")
    show.table(("strategy", "time", "how it is known"), [(f.strategy, f.words(), _method(f)) for f in result.forecasts])
    if result.without:
        show.echo(result.without)
    else:
        show.echo("Fine-tunes are timed in f32, on a machine as busy as now; where bf16 is faster, train takes it.")


def _method(forecast: Forecast) -> str:
    if not forecast.measured:
        return "modelled, good to a factor of three; once the images are embedded"
    first = f", after {forecast.once:.0f} s through the frozen stages" if forecast.once else ""
    return f"{forecast.models} models, {forecast.steps:,} steps of {1000 * forecast.step:.0f} ms{first}"

"""`headstart rank`: which backbone suits these images, scored cheaply and then measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import ColumnOptions, Place, columns, measurement_options, metric, run
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.rank import Ranked, Ranking

_HEADERS = ("backbone", "LogME", "H-score", "kNN", "probe", "95 %", "against the chosen", "ms/image", "")
_NUMBERS = (1, 2, 3, 4, 5, 6, 7)
_FITTING = ((108, tuple(range(len(_HEADERS)))), (89, (0, 1, 3, 4, 6, 7, 8)))
"""From how wide a terminal on which columns are shown; a pipe gets all."""
_NARROW = (0, 3, 4, 6, 7, 8)


@click.command("rank")
@click.argument("data", type=Place())
@click.option(
    "--backbones",
    default="local",
    show_default=True,
    help="Comma-separated names; 'local' for all whose weights are on this machine, 'all' for these and the whole zoo "
    "(fetched and converted, which needs headstart[finetune] and a network). See 'headstart backbones'.",
)
@metric
@columns
@run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: Path,
    backbones: str,
    metric: str,
    columns: ColumnOptions,
    exclude: Path | None,
    run: Run,
    as_json: bool,
) -> None:
    """Rank backbones on the labelled images in DATA (a folder of class folders, or a table), best first.

    \b
    LogME, H-score  computed without training:
                    only their order counts
    kNN             nearest neighbours, on images left out
    probe           a linear model, on images left out

    With more than three backbones LogME and kNN pick three, and the probe decides among these.
    """
    from headstart.verbs.rank import rank

    options = measurement_options(run, exclude, backbones, metric)
    _print(rank(columns.load(data), options=options), data, as_json)


def _print(result: Ranking, data: Path, as_json: bool) -> None:
    from headstart.checks import printable
    from headstart.verbs.words import next_command

    if show.json_or_notes(result, as_json):
        return
    rows = [_row(line) for line in result.backbones]
    rows += [(backbone.name, *[""] * 7, "not here") for backbone in result.unavailable]
    columns = _columns()
    right = [place for place, i in enumerate(columns) if i in _NUMBERS]
    show.table([_HEADERS[i] for i in columns], [[row[i] for i in columns] for row in rows], right=right)
    for sentence in _unavailable_notes(result):
        show.note(sentence)
    show.echo(show.data_line(result.data, result.baseline))
    show.echo(printable(f"next       {next_command(result, str(data))}"))


def _columns() -> tuple[int, ...]:
    """The columns for which there is room."""
    import shutil
    import sys

    if not sys.stdout.isatty():
        return _FITTING[0][1]
    width = shutil.get_terminal_size().columns
    return next((columns for least, columns in _FITTING if width >= least), _NARROW)


def _row(line: Ranked) -> tuple[str, ...]:
    from dataclasses import asdict

    from headstart.model.details import gain_words
    from headstart.report import numbers

    return (
        line.name,
        f"{line.logme:.3f}",
        f"{line.h_score:.2f}",
        numbers.percent(line.neighbours.value),
        "" if line.probe is None else numbers.percent(line.probe.value),
        "" if line.probe is None else numbers.interval(line.probe.low, line.probe.high),
        "" if line.gain is None else gain_words(asdict(line.gain)),
        f"{1000 * line.seconds_per_image:.1f}",
        line.status,
    )


def _unavailable_notes(result: Ranking) -> list[str]:
    """Why backbones are unavailable: each reason once, with its first name and the number of the others."""
    names: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for backbone in result.unavailable:
        kind = backbone.reason.replace(repr(backbone.name), "")
        names.setdefault(kind, []).append(backbone.name)
        reasons.setdefault(kind, backbone.reason)
    return [
        reason + ("" if len(names[kind]) == 1 else f" The same holds for {len(names[kind]) - 1} more of the table.")
        for kind, reason in reasons.items()
    ]

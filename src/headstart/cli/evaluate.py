"""`headstart evaluate`: how a saved model does on labelled images it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import ColumnOptions, Page, Place, check_order, columns, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.model.evaluation import Evaluation

_MOST_CLASSES = 12
"""Classes up to which the whole confusion table is printed."""


@click.command("evaluate")
@click.argument("model", type=Place())
@click.argument("data", type=Place())
@click.option("--split", help="Only this split of DATA: train, val or test.")
@click.option("--html", type=Page(), help="Write a page: the confusions, and the worst mistakes as images.")
@click.option(
    "--show-texts", is_flag=True, help="With --html, of texts: show whole ones, not their first 80 characters."
)
@click.option(
    "--csv", "table", type=Place(), help="Write a table: a line an image with truth, prediction and decision."
)
@click.option("--details", is_flag=True, help="Print the scores of each class and further figures too.")
@click.option("--void", help="Of masks: comma-separated names or numbers of classes that count neither way.")
@columns
@run_options("device", "cache")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    data: Path,
    split: str | None,
    html: Path | None,
    show_texts: bool,
    table: Path | None,
    details: bool,
    void: str | None,
    columns: ColumnOptions,
    run: Run,
    as_json: bool,
) -> None:
    """Compare the saved MODEL's predictions with the labels of DATA (a folder of class folders, or a table).

    Says how many are right, which classes are confused and which mistakes are the worst. Duplicates of one image
    (turned or cropped ones too) do not count as independent images in the intervals. Where the model was trained on
    some of the images, a note says so.
    """
    from headstart.cli import show, spatial
    from headstart.model.evaluation import Evaluation
    from headstart.model.load import load_with_bundle
    from headstart.model.open import find_spatial
    from headstart.model.rows import training_content
    from headstart.verbs.evaluate import evaluate

    check_order(model, [data], "evaluate")
    detector = find_spatial(model)
    if detector is not None:
        spatial.evaluate(ctx, detector, locals())
        return
    if void is not None:
        raise OptionError(f"--void is about masks, and {model} predicts classes: leave it out.")
    _check_places(html, table)
    predictor, bundle = load_with_bundle(model)
    content = training_content(bundle, predictor)
    loaded = columns.load(data)
    for sentence in loaded.notes:
        show.note(sentence)
    evaluation = evaluate(
        predictor, loaded.samples, split=split, trained_on=content, device=run.device, cache=run.cache
    )
    assert isinstance(evaluation, Evaluation)
    try:
        _print(evaluation, as_json, details)
    finally:  # a reader of the output that has gone costs no file
        _write(evaluation, str(data), html, table, show_texts)
    if not as_json:
        _print_places(html, table)


def _check_places(html: Path | None, table: Path | None) -> None:
    """Refuse now, before any work, what cannot be a table."""
    if table is not None and table.is_dir():
        raise OptionError(f"--csv must name a file; found the folder {str(table)!r}.")
    if table is not None and html is not None and table.resolve() == html.resolve():
        raise OptionError(f"--csv and --html must name two files; found {str(html)!r} for both.")


def _print(evaluation: Evaluation, as_json: bool, details: bool) -> None:
    from headstart.cli import show
    from headstart.report.evaluation import answer_lines, confusion_pairs, confusion_table

    if as_json:
        show.as_json(evaluation.to_dict())
        return
    for sentence in evaluation.notes:  # that the scores are too good, say, comes before them
        show.note(sentence)
    show.failures(evaluation.failures)
    show.lines(answer_lines(evaluation))
    click.echo("")
    if len(evaluation.card.per_class) <= _MOST_CLASSES:
        headers, rows = confusion_table(evaluation)
        show.table(headers, rows, right=range(1, len(headers)), title="true class (rows) and prediction (columns)")
    else:
        show.table(*confusion_pairs(evaluation), right=(2, 3))
    if details:
        _print_details(evaluation)


def _print_details(evaluation: Evaluation) -> None:
    from headstart.cli import show
    from headstart.report import numbers

    card = evaluation.card
    rows = [
        (
            row.name,
            f"{row.count:,}",
            *(numbers.percent(value) if row.count else "–" for value in (row.recall, row.precision, row.f1)),
        )
        for row in card.per_class
    ]
    click.echo("")
    show.table(("class", "images", "recall", "precision", "F1"), rows, right=(1, 2, 3, 4))
    click.echo("")
    figures = [
        ("accuracy", str(card.accuracy)),
        ("balanced accuracy", str(card.balanced_accuracy)),
        ("macro-F1", str(card.macro_f1)),
        ("log-loss", f"{card.log_loss:.3f}"),
        ("Brier score", f"{card.brier:.3f}"),
        ("calibration error", numbers.percent(card.calibration_error)),
    ]
    show.lines(figures, indent=20)


def _write(evaluation: Evaluation, data: str, html: Path | None, table: Path | None, show_texts: bool) -> None:
    from headstart.report.evaluation import evaluation_csv
    from headstart.report.write import write_report
    from headstart.storage.files import write_atomically

    if table is not None:
        write_atomically(table, evaluation_csv(evaluation).encode("utf-8", "backslashreplace"))
    if html is not None:
        write_report(evaluation, html, data=data, show_texts=show_texts)


def _print_places(html: Path | None, table: Path | None) -> None:
    from headstart.cli import show

    places = [(name, str(place)) for name, place in (("page", html), ("table", table)) if place is not None]
    show.lines(places or [("next", "--html FILE shows the worst mistakes as images, --csv FILE lists every image")])

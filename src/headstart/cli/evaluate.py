"""`headstart evaluate`: how a saved model does on labelled images it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import ColumnOptions, Place, columns, run_options
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.model.evaluation import Evaluation


@click.command("evaluate")
@click.argument("model", type=Place())
@click.argument("data", type=Place())
@click.option("--split", help="Only this split of DATA: train, val or test.")
@columns
@run_options("device", "cache")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    data: Path,
    split: str | None,
    columns: ColumnOptions,
    run: Run,
    as_json: bool,
) -> None:
    """Compare the saved MODEL's predictions with the labels of DATA (a folder of class folders, or a table).

    Duplicates of one image (turned or cropped ones too) do not count as independent images in the intervals. Where the
    model was trained on some of the images, a note says so.
    """
    from headstart.cli import show
    from headstart.model.load import load_with_bundle
    from headstart.model.rows import training_content
    from headstart.verbs.evaluate import evaluate

    predictor, bundle = load_with_bundle(model)
    content = training_content(bundle, predictor)
    loaded = columns.load(data)
    for sentence in loaded.notes:
        show.note(sentence)
    evaluation = evaluate(
        predictor, loaded.samples, split=split, trained_on=content, device=run.device, cache=run.cache
    )
    _print(evaluation, as_json)


def _print(evaluation: Evaluation, as_json: bool) -> None:
    from headstart.cli import show
    from headstart.report import numbers

    if show.json_or_notes(evaluation, as_json):
        return
    rows = [
        (
            row.name,
            f"{row.count:,}",
            *(numbers.percent(value) if row.count else "–" for value in (row.recall, row.precision, row.f1)),
        )
        for row in evaluation.card.per_class
    ]
    show.table(("class", "images", "recall", "precision", "F1"), rows, right=(1, 2, 3, 4))
    click.echo(f"accuracy            {evaluation.card.accuracy}")
    click.echo(f"balanced accuracy   {evaluation.card.balanced_accuracy}")
    click.echo(f"macro-F1            {evaluation.card.macro_f1}")

"""`headstart evaluate`: how a saved model does on labelled images it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import ColumnOptions, Place, columns

if TYPE_CHECKING:
    from headstart.model.evaluation import Evaluation


@click.command("evaluate")
@click.argument("model", type=Place())
@click.argument("data", type=Place())
@click.option("--split", help="Only this split of DATA: train, val or test.")
@columns
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--cache/--no-cache", default=True, show_default=True, help="Keep embeddings and thumbnails for the next run."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    data: Path,
    split: str | None,
    columns: ColumnOptions,
    device: str,
    cache: bool,
    as_json: bool,
) -> None:
    """Compare the saved MODEL's answers with the labels of DATA (a folder of class folders, or a table).

    Copies of one picture (turned or cropped ones too) do not count as independent images in the intervals. Where the
    model was trained on some of the images, a note says so.
    """
    from headstart.cli import show
    from headstart.model.load import load_with_bundle
    from headstart.model.rows import training_content
    from headstart.verbs.evaluate import evaluate

    predictor, bundle = load_with_bundle(model)
    known = training_content(bundle, predictor)
    loaded = columns.load(data)
    for sentence in loaded.notes:
        show.note(sentence)
    found = evaluate(predictor, loaded.samples, split=split, trained_on=known, device=device, cache=cache)
    _print(found, as_json)


def _print(found: Evaluation, as_json: bool) -> None:
    from headstart.cli import show
    from headstart.report import numbers

    if show.json_or_notes(found, as_json):
        return
    rows = [
        (
            row.name,
            f"{row.count:,}",
            *(numbers.percent(value) if row.count else "–" for value in (row.recall, row.precision, row.f1)),
        )
        for row in found.card.per_class
    ]
    show.table(("class", "images", "recall", "precision", "F1"), rows, right=(1, 2, 3, 4))
    click.echo(f"accuracy            {found.card.accuracy}")
    click.echo(f"balanced accuracy   {found.card.balanced_accuracy}")
    click.echo(f"macro-F1            {found.card.macro_f1}")

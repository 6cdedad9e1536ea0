"""`headstart demo`: the main job on real photographs, from the comparison to predictions on images never used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headstart.cli.options import Place, overwrite, run_options
from headstart.records.run import Run


@click.command("demo")
@click.option("-o", "--output", type=Place(), default=Path("demo-model"), show_default=True)
@overwrite
@click.option(
    "--backbones",
    default="lite0",
    show_default=True,
    help="Comma-separated; lite0,lite2 takes about three times as long.",
)
@run_options("seed")
def command(output: Path, overwrite: bool, backbones: str, run: Run) -> None:
    """Train on 2,624 real photographs of solar cells and check its expected accuracy on cells that were kept apart.

    Needs the package elpv-dataset (extra 'demo'; photographs under CC BY-NC-SA 4.0).
    """
    from headstart.cli import show
    from headstart.cli.options import words
    from headstart.cli.train import show_training
    from headstart.demo.solar import solar_cells
    from headstart.model.bundle import check_destination
    from headstart.model.load import load_model
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    options = Options(backbones=words(backbones) or (), strategies=(), seed=run.seed)
    check_destination(output, overwrite=overwrite)
    cells = solar_cells()
    show.paragraph(f"{len(cells.samples):,} photographs of solar cells; a fifth is kept apart as the test split.")
    click.echo("")
    dataset = _mark_test_split(cells, run.seed)
    result = train(dataset, options=options)
    result.save(output, overwrite=overwrite, command=["headstart", "demo"])
    show_training(result, output, as_json=False)
    _show_predictions(load_model(output), dataset.samples)


def _mark_test_split(cells: Any, seed: int) -> Any:
    """The same images with a stratified fifth marked as the test split."""
    from dataclasses import replace

    import numpy as np

    from headstart.data.splits import assign_folds

    fold = assign_folds(cells.samples.labels, None, count=5, repeats=1, seed=seed)[0]
    splits = np.where(fold == 0, "test", "train")
    return replace(cells, samples=replace(cells.samples, splits=splits))


def _show_predictions(predictor: Any, samples: Any) -> None:
    """A few predictions of the saved model on cells that it has never seen."""
    import numpy as np

    from headstart.cli import show
    from headstart.report import numbers

    rows = np.flatnonzero(samples.splits == "test")[:: max(1, (samples.splits == "test").sum() // 6)][:6]
    shown = samples.take(rows)
    predictions = predictor.predict(shown.items, names=shown.names)
    labels = [shown.classes[i] for i in shown.labels]
    click.echo("\nA few cells that the model has never seen:")
    lines = zip(predictions.names, labels, predictions.labels, predictions.confidences, strict=True)
    show.table(
        ("image", "label", "prediction", "confidence"),
        [(Path(name).name, label, predicted, numbers.percent(sure)) for name, label, predicted, sure in lines],
        right=(3,),
        paths=(0,),
    )

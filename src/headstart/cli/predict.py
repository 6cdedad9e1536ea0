"""`headstart predict`: classes and confidences of new pictures from a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli.options import Place

if TYPE_CHECKING:
    from headstart.records import Predictions


@click.command("predict")
@click.argument("model", type=Place())
@click.argument("images", nargs=-1, required=True)
@click.option("--csv", "form", flag_value="csv", help="Print CSV: image, class, confidence, then one column a class.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--cache/--no-cache", default=False, help="Keep embeddings for the next time (default: no).")
def command(model: Path, images: tuple[str, ...], form: str | None, device: str, cache: bool) -> None:
    """Classify IMAGES (files, folders or globs) with the saved MODEL.

    Exit code 0 when every image was read, 2 when none could be; unreadable ones are named on standard error.
    """
    from headstart.cli import show
    from headstart.data.sources import find_images
    from headstart.device import choose
    from headstart.embed.cache import open_cache
    from headstart.errors import DataError
    from headstart.runtime import load

    predictor = load(model)
    chosen = choose(device)
    found = find_images(images)
    predictions = predictor.predict(found.images, names=found.names, device=chosen, cache=open_cache if cache else None)
    show.unreadable(predictions.failures)
    if not len(predictions):
        raise DataError(f"no image could be read, of {len(found):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF files.")
    _print(predictions, form)


def _print(predictions: Predictions, form: str | None) -> None:
    from headstart.cli import show

    if form == "json":
        show.as_json(as_records(predictions))
    elif form == "csv":
        _print_csv(predictions)
    else:
        answers = zip(predictions.names, predictions.labels, predictions.confidences, strict=True)
        rows = [(name, label, show.percent(sure)) for name, label, sure in answers]
        show.table(("image", "class", "confidence"), rows, right=(2,))


def as_records(predictions: Predictions) -> list[dict[str, Any]]:
    """One JSON-like record an image: its name, class, confidence and every class's probability."""
    return [
        {
            "image": name,
            "class": label,
            "confidence": round(float(row.max()), 6),
            "probabilities": {c: round(float(p), 6) for c, p in zip(predictions.classes, row, strict=True)},
        }
        for name, label, row in zip(predictions.names, predictions.labels, predictions.probabilities, strict=True)
    ]


def _print_csv(predictions: Predictions) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "class", "confidence", *predictions.classes])
    for name, label, row in zip(predictions.names, predictions.labels, predictions.probabilities, strict=True):
        writer.writerow([name, label, f"{row.max():.6f}", *(f"{p:.6f}" for p in row)])

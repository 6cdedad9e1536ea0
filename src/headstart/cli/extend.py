"""`headstart extend`: add classes or images to a saved model, and say what that did to the old classes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import ColumnOptions, Place, check_order, columns, overwrite, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.extend.extend import Extended


@click.command("extend")
@click.argument("model", type=Place())
@click.argument("new_data", type=Place())
@click.option("-o", "--output", type=Place(), help="Where to save the extended model.  [default: MODEL-extended]")
@overwrite
@click.option(
    "--old-data",
    type=Place(),
    help="What MODEL was trained on (a folder of class folders, or a table); needed only where MODEL does not hold the "
    "embeddings of its training images.",
)
@click.option(
    "--retune",
    is_flag=True,
    help="Choose the head's configuration (its regularisation strength, its number of neighbours) anew on all images; "
    "default: kept.",
)
@columns
@run_options("max_unreadable", "device", "cache")
@click.option(
    "--keep-training/--no-keep-training",
    default=True,
    show_default=True,
    help="Save the training images' embeddings (not the images), so that the model can be extended again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest of the extended model as JSON.")
def command(
    model: Path,
    new_data: Path,
    output: Path | None,
    overwrite: bool,
    old_data: Path | None,
    retune: bool,
    columns: ColumnOptions,
    run: Run,
    keep_training: bool,
    as_json: bool,
) -> None:
    """Add the labelled images of NEW_DATA, of new classes or of known ones, to the saved MODEL.

    NEW_DATA is a folder of class folders (one is enough) or a table. Only the new images are embedded; the head is
    fitted anew over old and new images together, and the accuracy on the old classes is compared
    before and after, on the same images and folds. MODEL itself stays as it is.
    """
    from headstart.data.sources.load import load_dataset
    from headstart.model.bundle import check_destination
    from headstart.model.load import load_model
    from headstart.verbs.extend.extend import extend

    check_order(model, [new_data], "extend")
    place = _place(model, new_data, output)
    predictor = load_model(model)
    check_destination(place, overwrite=overwrite)
    result = extend(
        predictor,
        columns.load(new_data),
        old=None if old_data is None else load_dataset(old_data),
        retune=retune,
        max_unreadable=run.max_unreadable,
        device=run.device,
        cache=run.cache,
        keep_training=keep_training,
    )
    result.save(place, overwrite=overwrite, command=["headstart", *sys.argv[1:]])
    _print(result, place, as_json)


def _place(model: Path, new_data: Path, output: Path | None) -> Path:
    """Where the extended model goes; `OptionError` where that is the old one, or among the new images."""
    place = model.with_name(f"{model.resolve().name}-extended") if output is None else output
    if place.resolve() == model.resolve():
        raise OptionError(f"the extended model cannot be saved over {model}, which it extends: choose another -o.")
    if new_data.resolve() in (place.resolve(), *place.resolve().parents):
        raise OptionError(
            f"the extended model cannot be saved to {place}: it would lie inside the data folder {new_data}. "
            "Choose a place outside with -o."
        )
    return place


def _print(result: Extended, place: Path, as_json: bool) -> None:
    from headstart.checks import join_words, quantity
    from headstart.model import bundle
    from headstart.report import numbers

    if as_json:
        show.as_json(bundle.read_bundle(place).manifest)
        return
    manifest, report = result.manifest(), result.report
    for sentence in manifest["notes"]:
        show.note(sentence)
    seconds = sum(manifest["seconds"].values())
    added = quantity(manifest["extension"]["added"], "image")
    new_classes = join_words(result.new_classes) or "none"
    estimate = result.model.estimate
    pairs = [
        ("result", f"{estimate} {estimate.metric} on all classes together, out of fold"),
        ("added", f"{added} (new classes: {new_classes}) in {seconds:.1f} s"),
        ("done", result.how),
        ("old classes", f"before {report.before}, after {report.after} accuracy, out of fold"),
        (
            "",
            f"{numbers.points(report.gain.value)} points "
            f"({numbers.points(report.gain.low)} to {numbers.points(report.gain.high)}) on the same "
            f"{quantity(report.images, 'image')}; {numbers.percent(report.into_new)} of them now predicted "
            "as a new class",
        ),
    ]
    if report.takeovers:
        takeovers = (f"{pair.old} as {pair.new} {numbers.percent(pair.share)}" for pair in report.takeovers)
        pairs.append(("", f"most often: {', '.join(takeovers)}"))
    if report.new is not None:
        pairs.append(("new classes", f"{report.new} accuracy, out of fold"))
    pairs += [("saved", f"{place}/"), ("next", f"headstart predict {place} IMAGES…")]
    show.lines(pairs, indent=12)
    click.echo("")
    show.table(("class", "images", "before", "after", "95 % after"), _rows(result), right=(1, 2, 3, 4))


def _rows(result: Extended) -> list[tuple[str, ...]]:
    from headstart.report import numbers

    return [
        (
            row.name,
            f"{row.images:,}",
            "new" if row.before is None else numbers.percent(row.before),
            numbers.percent(row.after),
            numbers.interval(row.low, row.high),
        )
        for row in result.report.classes
    ]

"""`headstart embed`: the numbers a backbone gives for each image, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.checks import quantity
from headstart.cli.options import ColumnOptions, Place, columns, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from headstart.backbones.graph import Backbone
    from headstart.records.embeddings import Embeddings
    from headstart.records.samples import Samples


@click.command("embed")
@click.argument("data", type=Place())
@click.option("-o", "--output", type=Place(), required=True, help="A .parquet, .npz or .csv file.")
@click.option("--backbone", "backbones", multiple=True, help="May be repeated; default: lite0.")
@click.option("--weights", type=Place(), help="A checkpoint (.safetensors, .pth) for the one backbone named.")
@click.option("--taps", default="last", show_default=True, help="last, all, or comma-separated names of layers.")
@click.option(
    "--fit",
    type=click.Choice(["crop", "squeeze", "pad"]),
    default="crop",
    show_default=True,
    help="How an image becomes a square: its centre (crop), or the whole of it squeezed or padded.",
)
@click.option("--unlabelled", is_flag=True, help="Take every image at any depth in DATA; folders are not classes.")
@columns
@run_options("device", "cache")
def command(
    data: Path,
    output: Path,
    backbones: tuple[str, ...],
    weights: Path | None,
    taps: str,
    fit: str,
    unlabelled: bool,
    columns: ColumnOptions,
    run: Run,
) -> None:
    """Write the embeddings of the images in DATA: class folders, a table, or (unlabelled) any folder, file or glob.

    One row an image, in the order of DATA: path, label and split where there are any, why it could not be read
    (unreadable; empty where it could), then the embedding; with several backbones or layers, one embedding each, named
    <backbone>.<layer>. The numbers of an unreadable image are NaN.
    """
    from headstart.backbones.opening import open_backbone
    from headstart.cli import show
    from headstart.data.images.decode import find_remarks
    from headstart.data.images.remarks import remark_notes
    from headstart.data.sources.load import find_images
    from headstart.embed import save
    from headstart.embed.features import embed_backbone, with_fit

    save.check_format(output)
    if weights is not None and len(backbones) != 1:
        raise OptionError("--weights is for one backbone: name it with --backbone.")
    networks = [with_fit(open_backbone(name, weights=weights), fit) for name in backbones or ("lite0",)]
    tap_names = [_taps(backbone, taps) for backbone in networks]
    run.choose_device()  # an unknown device is refused before any work
    if unlabelled:
        samples = find_images(data)
    else:
        loaded = columns.load(data)
        samples = loaded.samples
        for sentence in loaded.notes:
            show.note(sentence)
    embeddings = [
        embed_backbone(samples, backbone, run, taps=names, label=f"embedding with {backbone.name}")
        for backbone, names in zip(networks, tap_names, strict=True)
    ]
    reasons = _unreadable(samples, embeddings)
    save.write_embeddings(output, _text_columns(samples, reasons), _matrices(embeddings, list(reasons)))
    for sentence in remark_notes(find_remarks(samples.items)):
        show.note(sentence)
    marked = f", {len(reasons):,} of them unreadable (NaN)" if reasons else ""
    show.paragraph(f"{quantity(len(samples), 'row')} written to {output}{marked}")


def _taps(backbone: Backbone, names: str) -> list[str]:
    if names in ("last", "all"):
        return [tap.name for tap in backbone.taps][-1 if names == "last" else 0 :]
    return [backbone.tap(name.strip()).name for name in names.split(",")]


def _unreadable(samples: Samples, embeddings: list[Embeddings]) -> dict[int, str]:
    """Row → why it could not be read; also named on standard error. Raises `DataError` where no image could."""
    from headstart.cli import show
    from headstart.errors import DataError

    failures = {f.row: f for e in embeddings for f in e.failures}
    show.failures(failures.values())
    if len(failures) == len(samples):
        raise DataError(f"no image could be read, of {len(samples):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF files.")
    return {row: failure.reason for row, failure in failures.items()}


def _text_columns(samples: Samples, reasons: dict[int, str]) -> dict[str, list[str]]:
    columns = {"path": list(samples.names)}
    if samples.classes:
        columns["label"] = [samples.classes[i] if i >= 0 else "" for i in samples.labels]
    if samples.splits is not None:
        columns["split"] = [str(split) for split in samples.splits]
    columns["unreadable"] = [reasons.get(row, "") for row in range(len(samples))]
    return columns


def _matrices(embeddings: list[Embeddings], failures: list[int]) -> dict[str, NDArray[np.float32]]:
    """A matrix a backbone and layer, with a row for every image: NaN where any of the backbones could not read it."""
    matrices = {f"{e.backbone}.{tap}": e.aligned(tap) for e in embeddings for tap in e.taps}
    for matrix in matrices.values():
        matrix[failures] = float("nan")
    return matrices if len(matrices) > 1 else {"embedding": next(iter(matrices.values()))}

"""`headstart embed`: the numbers a backbone gives for each image, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
@click.option("--unlabelled", is_flag=True, help="Take every image at any depth in DATA; folders are not classes.")
@columns
@run_options("device", "cache")
def command(
    data: Path,
    output: Path,
    backbones: tuple[str, ...],
    weights: Path | None,
    taps: str,
    unlabelled: bool,
    columns: ColumnOptions,
    run: Run,
) -> None:
    """Write the embeddings of the images in DATA: class folders, a table, or (unlabelled) any folder, file or glob.

    One row an image: path, label and split where there are any, then the embedding; with several backbones or layers,
    one embedding each, named <backbone>.<layer>. Unreadable images are left out and named on standard error.
    """
    from headstart.backbones.opening import open_backbone
    from headstart.cli import show
    from headstart.data.sources.load import find_images
    from headstart.embed import save
    from headstart.embed.features import embed_backbone

    save.check_format(output)
    if weights is not None and len(backbones) != 1:
        raise OptionError("--weights is for one backbone: name it with --backbone.")
    networks = [open_backbone(name, weights=weights) for name in backbones or ("lite0",)]
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
    rows = _readable_rows(samples, embeddings)
    save.write_embeddings(output, _text_columns(samples, rows), _matrices(embeddings, rows))
    click.echo(f"{len(rows):,} rows written to {output}")


def _taps(backbone: Backbone, names: str) -> list[str]:
    if names in ("last", "all"):
        return [tap.name for tap in backbone.taps][-1 if names == "last" else 0 :]
    return [backbone.tap(name.strip()).name for name in names.split(",")]


def _readable_rows(samples: Samples, embeddings: list[Embeddings]) -> NDArray[np.int64]:
    """The rows that every backbone has; the rest are named on standard error."""
    from functools import reduce

    import numpy as np

    from headstart.cli import show
    from headstart.errors import DataError

    show.failures({f.row: f for e in embeddings for f in e.failures}.values())
    rows: NDArray[np.int64] = reduce(np.intersect1d, [e.rows for e in embeddings])
    if not len(rows):
        raise DataError(f"no image could be read, of {len(samples):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF files.")
    return rows


def _text_columns(samples: Samples, rows: NDArray[np.int64]) -> dict[str, list[str]]:
    readable = samples.take(rows)
    columns = {"path": list(readable.names)}
    if readable.classes:
        columns["label"] = [readable.classes[i] if i >= 0 else "" for i in readable.labels]
    if readable.splits is not None:
        columns["split"] = [str(split) for split in readable.splits]
    return columns


def _matrices(embeddings: list[Embeddings], rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    import numpy as np

    matrices = {
        f"{e.backbone}.{tap}": matrix if len(rows) == len(e) else matrix[np.isin(e.rows, rows)]
        for e in embeddings
        for tap, matrix in e.taps.items()
    }
    return matrices if len(matrices) > 1 else {"embedding": next(iter(matrices.values()))}

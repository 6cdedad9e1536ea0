"""`headstart audit`: what in the data would spoil a model or its measurement, and a plan to edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import Columns, Place, columns
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.tasks.findings import Audit

_EXAMPLES = 2


@click.command("audit")
@click.argument("data", type=Place())
@click.option("--csv", "listing", type=Place(), help="Write every finding to this CSV file.")
@click.option(
    "--fix",
    type=Place(),
    help="Write a plan to this CSV file: what to do with each image (exclude, keep or group), for you to read and "
    "edit. A file that is already there is not overwritten.",
)
@columns
@click.option("--seed", default=0, show_default=True, help="Of the folds by which labels are checked.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--cache/--no-cache", default=True, show_default=True, help="Keep thumbnails and embeddings for the next run."
)
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON.")
def command(
    data: Path,
    listing: Path | None,
    fix: Path | None,
    columns: Columns,
    seed: int,
    device: str,
    cache: bool,
    as_json: bool,
) -> None:
    """Look through the labelled images in DATA (a folder of class folders, or a table) before training on them.

    Finds unreadable images; exact and near copies (turned, mirrored, re-encoded or cropped ones too), also across
    splits and across classes; labels that are probably wrong (needs headstart[audit]); few images of a class; tiny,
    very long, near-black, near-white and blurred images. Nothing is changed.
    """
    from headstart.tasks.audit import audit

    _check(listing, fix)
    found = audit(columns.load(data), seed=seed, device=device, cache=cache)
    if listing is not None:
        found.write_csv(listing)
    if fix is not None:
        found.write_plan(fix)
    _print(found, data, listing, fix, as_json)


def _check(listing: Path | None, fix: Path | None) -> None:
    """Refuse now, before any work, what cannot be written."""
    for option, path in (("--csv", listing), ("--fix", fix)):
        if path is not None and path.is_dir():
            raise OptionError(f"{option} must name a file; found the folder {str(path)!r}.")
    if listing is not None and fix is not None and listing.resolve() == fix.resolve():
        raise OptionError(f"--csv and --fix must name two files; found {str(fix)!r} for both.")
    if fix is not None and fix.exists():
        raise OptionError(f"--fix names {str(fix)!r}, which is there already and may hold edits: name another file.")


def _print(found: Audit, data: Path, listing: Path | None, fix: Path | None, as_json: bool) -> None:
    from headstart.checks import counted, printable
    from headstart.cli import show

    if as_json:
        show.as_json(found.to_dict())
        return
    for sentence in found.notes:
        show.note(sentence)
    rows = [
        (each.kind, f"{each.count:,}", each.proposal, "; ".join(_example(e.name, e.of) for e in each.examples))
        for each in found.summary(_EXAMPLES)
    ]
    if rows:
        show.table(("found", "count", "proposed", "for example"), rows, right=(1,))
    else:
        click.echo("nothing was found")
    images = counted(found.images, "image")
    click.echo(printable(f"data       {images} of {counted(len(found.counts), 'class', 'classes')}"))
    if found.claims is not None:
        click.echo(
            f"copies     a split that parts copies would claim {found.claims.naive} accuracy for a linear probe;"
        )
        click.echo(f"           with copies held together it is {found.claims.honest}")
    if listing is not None:
        click.echo(printable(f"findings   {listing}"))
    if fix is not None:
        click.echo(printable(f"plan       {fix}: read it and change the column 'action' where you disagree"))
    elif rows:
        click.echo(printable(f"next       headstart audit {data} --fix plan.csv writes what is proposed, to be edited"))


def _example(name: str, other: str) -> str:
    return f"{name} = {other}" if other else name

"""`headstart info`: what a saved model is and how good it was measured to be."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("info")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Say what the saved MODEL is: classes, backbone, head, measured accuracy, and the data it was trained on."""
    from headstart.cli import show
    from headstart.runtime import load
    from headstart.tasks.summary import summary

    manifest = load(model).manifest
    if as_json:
        show.as_json(manifest)
    else:
        click.echo(summary(manifest))

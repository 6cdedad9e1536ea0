"""`headstart info`: what a saved model is and how good it was measured to be."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli.options import Place


@click.command("info")
@click.argument("model", type=Place())
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Say what the saved MODEL is: classes, backbone, head, measured accuracy, and the data it was trained on."""
    from headstart.cli import show
    from headstart.errors import BundleError, InternalError
    from headstart.model.load import load_model
    from headstart.model.summary import summary

    manifest = load_model(model).manifest
    if as_json:
        show.as_json(manifest)
        return
    try:
        text = summary(manifest)
        show.candidates(manifest)
    except (KeyError, TypeError, ValueError, AttributeError, InternalError) as error:
        raise BundleError(
            f"the manifest of {model} is damaged: its scores or its data cannot be shown "
            f"({type(error).__name__}: {error}); train the model again."
        ) from error
    click.echo(text)

"""`headstart info`: what a saved model is and how good it was measured to be."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli.options import Place


@click.command("info", short_help="Say what a saved model is and how good it is.")
@click.argument("model", type=Place())
@click.option("--details", is_flag=True, help="Show the contest between the ways, calibration and all notes too.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def command(model: Path, details: bool, as_json: bool) -> None:
    """Say how good the saved MODEL was measured to be, what it confuses, and what it was trained on."""
    from headstart.cli import show
    from headstart.errors import BundleError, InternalError
    from headstart.model.load import load_model
    from headstart.model.open import find_spatial
    from headstart.model.summary import noun_of

    detector = find_spatial(model)
    if detector is not None:
        from headstart.cli import spatial

        spatial.info(detector, str(model), details=details, as_json=as_json)
        return
    manifest = load_model(model).manifest
    show.speak_of(noun_of(manifest))
    if as_json:
        show.as_json(manifest)
        return
    try:
        show.model(manifest, str(model), details=details)
    except (KeyError, TypeError, ValueError, AttributeError, InternalError) as error:
        raise BundleError(
            f"the manifest of {model} is damaged: its scores or its data cannot be shown "
            f"({type(error).__name__}: {error}); train the model again."
        ) from error
    if details:
        for sentence in manifest["notes"]:
            show.note(sentence)

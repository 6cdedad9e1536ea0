"""`headstart verify`: whether an exported file still answers as its model does."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli.options import Place


@click.command("verify")
@click.argument("file", type=Place())
@click.argument("model", type=Place())
@click.argument("images", nargs=-1)
def command(file: Path, model: Path, images: tuple[str, ...]) -> None:
    """Run the exported FILE beside the saved MODEL, on the bundle's golden images and on IMAGES.

    Exit code 0 where all answers agree, 1 where they do not. Needs headstart[export].
    """
    import sys

    from headstart.cli import show, spatial_export
    from headstart.cli.export import parity_lines
    from headstart.model.export.parity import Parity
    from headstart.model.open import find_spatial
    from headstart.verbs.export import verify
    from headstart.verbs.export_place import failure_words

    detector = find_spatial(model)
    if detector is not None:
        spatial_export.verify(detector, file, model, images)
        return
    parity = verify(file, model, images or None)
    assert isinstance(parity, Parity)
    answer = f"{file} answers as {model} does" if parity.passed else f"{failure_words(parity.failed[0])}"
    show.lines([("same" if parity.passed else "differs", answer), *parity_lines(parity.checks)])
    if not parity.passed:
        sys.exit(1)

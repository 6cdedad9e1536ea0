"""`headstart sample`: generated images to learn and to try things with."""

from __future__ import annotations

from pathlib import Path

import click

from headstart.cli.options import Place


@click.command("sample")
@click.argument("what", type=click.Choice(["screens", "fields"]))
@click.argument("output", type=Place())
@click.option(
    "--per-class",
    default=40,
    show_default=True,
    help="How many screenshots of each kind; of fields, twice as many images.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same images.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(what: str, output: Path, per_class: int, seed: int, as_json: bool) -> None:
    """Draw labelled images into the folder OUTPUT.

    screens: invented screenshots of five kinds of security tools (packet capture, port scanner, event dashboard,
    vulnerability report, web proxy), one folder a kind in OUTPUT/known, and as many of office programs in
    OUTPUT/unseen, to see what a model says of a kind that it has never met. A run that was stopped is finished by the
    same command.

    fields: drawn microscope fields with discs, rods and dots, with their boxes and masks in Pascal VOC's form, to try
    detection and segmentation on.
    """
    from shlex import quote

    from headstart.checks import quantity
    from headstart.cli import show
    from headstart.demo.screens.generate import KINDS, generate

    if what == "fields":
        _draw_fields(output, 2 * per_class, seed, as_json)
        return
    result = generate(output, per_class, seed)
    if as_json:
        show.as_json(
            {"known": str(result.known), "unseen": str(result.unseen), "images": result.images, "drawn": result.drawn}
        )
        return
    earlier = "" if result.drawn == result.images else f", {result.images - result.drawn:,} of which were there already"
    pairs = [
        ("drawn", f"{quantity(result.images, 'screenshot')} in {output}{earlier}"),
        ("known", f"{result.known}/: {per_class:,} of each of {len(KINDS)} kinds, {', '.join(KINDS)}"),
        ("unseen", f"{result.unseen}/: {per_class:,} of office programs, which belong to no kind"),
        ("next", f"headstart train {quote(str(result.known))} -o screens-model"),
        ("then", f"headstart predict screens-model {quote(str(result.unseen))}"),
    ]
    show.lines(pairs)


def _draw_fields(output: Path, images: int, seed: int, as_json: bool) -> None:
    from shlex import quote

    from headstart.cli import show
    from headstart.demo.field import KINDS, write_fields

    folder = quote(str(write_fields(output, images, seed)))
    if as_json:
        show.as_json({"folder": str(output), "images": images, "drawn": True})
        return
    pairs = [
        ("drawn", f"{images:,} microscope fields in {output}, with boxes and masks of {', '.join(KINDS)}"),
        ("", "they are drawn: they show how it works and prove nothing of real images"),
        ("next", f"headstart train {folder} -o boxes-model"),
        ("or", f"headstart train {folder} --task masks -o masks-model"),
        ("then", f"headstart predict boxes-model {folder}/JPEGImages -o seen/"),
    ]
    show.lines(pairs)

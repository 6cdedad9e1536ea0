"""`headstart forgetting`: what a fine-tuned model's backbone has forgotten, measured on images given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import Place

if TYPE_CHECKING:
    from headstart.verbs.forgetting import ForgettingReport, OriginalHead


@click.command("forgetting")
@click.argument("model", type=Place())
@click.argument("images", nargs=-1, required=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, images: tuple[str, ...], device: str, as_json: bool) -> None:
    """Compare the backbone of the fine-tuned MODEL with what it was before, on IMAGES (files, folders or globs).

    For each stage: linear CKA of the features before and after (1: the same but for rotation and scale), and what
    unrelated features would reach by chance. For a packaged backbone: how often its original ImageNet head still names
    the same class, and, where images lie in folders named by ImageNet's WordNet ids, how often the right one.
    """
    from headstart.cli import show
    from headstart.data.sources.load import find_images
    from headstart.model.load import load_model
    from headstart.verbs.forgetting import fine_tuned, forgetting

    predictor = load_model(model)
    found = forgetting(predictor, find_images(images), device=device) if fine_tuned(predictor) else ()
    if as_json:
        show.as_json({"backbones": [each.to_dict() for each in found]})
    elif not found:
        names = " and ".join(dict.fromkeys(part.backbone.name for part in predictor.parts))
        click.echo(f"nothing was forgotten: {model} was not fine-tuned, it uses {names} as published.")
    for each in found:
        show.unreadable(each.failures)
        for sentence in each.notes:
            show.note(sentence)
        if not as_json:
            _print(each)


def _print(found: ForgettingReport) -> None:
    from headstart.checks import printable, quantity
    from headstart.cli import show

    changed = f"{quantity(found.tensors, 'tensor')} changed; compared on {quantity(found.images, 'image')}"
    click.echo(f"{printable(found.backbone)}: {changed}")
    rows = [
        (each.stage, f"{each.cka:.3f}", f"{each.chance:.3f}", "unchanged" if each.unchanged else "")
        for each in found.stages
    ]
    show.table(("stage", "CKA", "by chance", ""), rows, right=(1, 2))
    if found.head is not None:
        _print_head(found.head)


def _print_head(head: OriginalHead) -> None:
    from headstart.checks import quantity
    from headstart.report import numbers

    click.echo(f"original head   names the same class as before on {head.agreement} of the images")
    if head.accuracy is None:
        return
    before, after, gain = head.accuracy.before, head.accuracy.after, head.accuracy.gain
    click.echo(f"accuracy        before {before}, after {after}")
    change = f"{numbers.points(gain.value)} points ({numbers.points(gain.low)} to {numbers.points(gain.high)})"
    click.echo(f"                {change} on {quantity(head.accuracy.images, 'image')} of ImageNet's classes")

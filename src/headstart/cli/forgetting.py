"""`headstart forgetting`: what a fine-tuned model's backbone has forgotten, measured on images given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import Place, check_order, run_options
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.forgetting import ForgettingReport, OriginalHead


@click.command("forgetting")
@click.argument("model", type=Place())
@click.argument("images", nargs=-1, required=True)
@run_options("device")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, images: tuple[str, ...], run: Run, as_json: bool) -> None:
    """Compare the backbone of the fine-tuned MODEL with what it was before, on IMAGES (files, folders or globs).

    For each stage: linear CKA of the features before and after (1: the same but for rotation and scale), and what
    unrelated features would reach by chance. For a packaged backbone: how often its original ImageNet head still names
    the same class, and, where images lie in folders named by ImageNet's WordNet ids, how often the right one.
    """
    from headstart.data.sources.load import find_images
    from headstart.model.load import load_model
    from headstart.verbs.forgetting import fine_tuned, forgetting

    check_order(model, images, "forgetting")
    predictor = load_model(model)
    reports: tuple[ForgettingReport, ...] = ()
    if fine_tuned(predictor):
        reports = forgetting(predictor, find_images(images), device=run.choose_device())
    if as_json:
        show.as_json({"backbones": [report.to_dict() for report in reports]})
    elif not reports:
        names = " and ".join(dict.fromkeys(part.backbone.name for part in predictor.parts))
        show.echo(f"nothing was forgotten: {model} was not fine-tuned, it uses {names} as published.")
    for report in reports:
        show.failures(report.failures)
        for sentence in report.notes:
            show.note(sentence)
        if not as_json:
            _print(report)


def _print(report: ForgettingReport) -> None:
    from headstart.checks import printable, quantity

    changed = f"{quantity(report.tensors, 'tensor')} changed; compared on {quantity(report.images, 'image')}"
    show.echo(f"{printable(report.backbone)}: {changed}")
    rows = [
        (stage.stage, f"{stage.cka:.3f}", f"{stage.chance:.3f}", "unchanged" if stage.unchanged else "")
        for stage in report.stages
    ]
    show.table(("stage", "CKA", "by chance", ""), rows, right=(1, 2))
    if report.head is not None:
        _print_head(report.head)


def _print_head(head: OriginalHead) -> None:
    from headstart.checks import quantity
    from headstart.report import numbers

    show.echo(f"original head   names the same class as before on {head.agreement} of the images")
    if head.accuracy is None:
        return
    before, after, gain = head.accuracy.before, head.accuracy.after, head.accuracy.gain
    show.echo(f"accuracy        before {before}, after {after}")
    change = f"{numbers.points(gain.value)} points ({numbers.points(gain.low)} to {numbers.points(gain.high)})"
    show.echo(f"                {change} on {quantity(head.accuracy.images, 'image')} of ImageNet's classes")

"""`headstart train`: from a folder of labelled images to a measured, saved model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli.options import ColumnOptions, Duration, Place, ShareType, columns, group_by, overwrite, run, words
from headstart.cli.recipe import Sections, recipe
from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.data.sources.dataset import Dataset


@click.command("train", cls=Sections)
@click.argument("data", type=Place())
@click.option("-o", "--output", type=Place(), default=Path("model"), show_default=True, help="Folder for the model.")
@overwrite
@click.option(
    "--backbones",
    "--backbone",
    "backbones",
    help="Comma-separated; default: the packaged ones (see 'headstart backbones'). Of texts: a folder of a BERT-, "
    "RoBERTa-, DistilBERT-, MPNet-, GPT-2-like or sentence-transformers network, or hf:owner/name.",
)
@click.option("--weights", help="A checkpoint (.safetensors, .pth) for the one backbone named with --backbones.")
@click.option(
    "--strategy",
    "strategies",
    help="Comma-separated: heads (probe, ridge, svm…) and fine-tunes (last-1, last-2, last-20-layers, gradual, full, "
    "surgical-first, norm-only, bias-only, lora, scratch…): these and no others, beside a plain probe as a baseline; "
    "'frozen': heads alone; default 'auto': heads, then the fine-tunes with the largest expected gain for their time, "
    "until --budget "
    "is used up.",
)
@click.option(
    "--budget",
    type=Duration(),
    help="How long the run may take, such as 30s, 5m or 1h, or none; default: 5m, and no limit where strategies or "
    "heads are named. Ctrl-C ends the comparison sooner and keeps the best so far.",
)
@click.option(
    "--holdout",
    type=ShareType(0.01, 0.5),
    help="Keep this share of the images apart as a test part, such as 20%: every class in its share, no group or "
    "duplicate on both sides.",
)
@click.option("--heads", help="Comma-separated heads to compare, and no others; default: all that are cheap enough.")
@click.option(
    "--metric",
    default="accuracy",
    show_default=True,
    help="What 'best' means: accuracy, balanced-accuracy or macro-f1.",
)
@click.option(
    "--fit",
    type=click.Choice(["auto", "crop", "squeeze", "pad"]),
    default="auto",
    show_default=True,
    help="How an image becomes a square: its centre (crop), or the whole of it squeezed or padded; auto measures that "
    "where many images are long.",
)
@click.option("--class-weight", help="'balanced' weighs every class alike, however few its images.")
@click.option("--folds", type=int, help="Folds of the cross-validation; default: 5, or 10 where classes are small.")
@click.option("--repeats", type=int, help="Repeats of the cross-validation; default: more where images are few.")
@click.option(
    "--min-gain",
    type=ShareType(0, 0.25),
    default="0.5%",
    show_default=True,
    help="The gain that counts: a costlier model must be better by that much, and less is not tried for.",
)
@columns
@group_by
@run
@click.option(
    "--keep-training/--no-keep-training",
    default=True,
    show_default=True,
    help="Save the training images' embeddings (not the images) with the model, so that 'headstart extend' can add "
    "classes without the images.",
)
@click.option(
    "--keep-images/--no-keep-images",
    default=True,
    show_default=True,
    help="Save up to 16 training images, as pixels, with the model, so that 'headstart export' can prove that an "
    "exported model answers the same.",
)
@click.option(
    "--max-error",
    type=ShareType(1e-4, 0.5, none=True),
    help="Guarantee that at most this share of the automatically accepted predictions is wrong, such as 0.02 or 2%: "
    "says how many could be accepted so, and becomes the guarantee of 'headstart predict'. Default: none.",
)
@click.option(
    "--confidence",
    type=ShareType(0.8, 0.9999),
    help="The confidence of the guarantee of --max-error; default: 0.95.",
)
@click.option("--per-class", is_flag=True, help="Guarantee it for each predicted class, not only for all together.")
@recipe
@click.option(
    "--unlabelled",
    type=Place(),
    help="Unlabelled images of the same kind (a folder; at least 30): training with them joins the comparison.",
)
@click.option(
    "--target",
    type=Place(),
    help="Images of another domain, where the model is to work (a folder; at least 30, no labels needed): it is "
    "adapted to them where something speaks for it.",
)
@click.option(
    "--also",
    type=Place(),
    multiple=True,
    help="With --target: labelled images of the same classes from a further domain; may be given several times.",
)
@click.option("--target-labels", type=Place(), help="A few labelled images of --target's domain.")
@click.option(
    "--task",
    type=click.Choice(["classes", "boxes", "masks"]),
    help="What the labels are; default: what DATA hold.",
)
@click.option("--void", help="Of masks: comma-separated names or numbers of classes that count neither way.")
@click.option("--size", type=click.IntRange(32, 2048), help="Of boxes and masks: the longer side, in pixels.")
@click.option("--details", is_flag=True, help="Print the contest between the ways, calibration and all notes too.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest of the model as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    output: Path,
    overwrite: bool,
    backbones: str | None,
    weights: str | None,
    strategies: str | None,
    budget: float | None,
    holdout: float | None,
    heads: str | None,
    metric: str,
    fit: str,
    class_weight: str | None,
    folds: int | None,
    repeats: int | None,
    min_gain: float,
    columns: ColumnOptions,
    group_by: str,
    exclude: Path | None,
    run: Run,
    keep_training: bool,
    keep_images: bool,
    max_error: float | str | None,
    confidence: float | None,
    per_class: bool,
    recipe: Recipe,
    unlabelled: Path | None,
    target: Path | None,
    also: tuple[Path, ...],
    target_labels: Path | None,
    task: str | None,
    void: str | None,
    size: int | None,
    details: bool,
    as_json: bool,
) -> None:
    """Train on DATA: a folder of class folders (with or without train/val/test inside), or a CSV/TSV/Parquet table.

    Boxes (VOC, COCO, YOLO, labelme) and masks (PNGs in a folder beside the images') are seen by themselves.

    Heads on frozen features are compared first, then fine-tunes, on the same folds, as long as more gain is to be
    expected and --budget lasts. The number printed for the winner is corrected for its having been chosen. A test split
    (or, without one, a val split) is kept apart until the end.
    """
    from headstart.cli import show
    from headstart.model.bundle import check_destination
    from headstart.pipeline.options import Options
    from headstart.verbs.train.train import train

    _check_outside(output, data)
    if _train_spatial(ctx, locals()):
        return
    error_limit = None if isinstance(max_error, str) else max_error
    if error_limit is None and (per_class or confidence is not None):
        raise OptionError("--confidence and --per-class are about a guarantee: give --max-error too, such as 0.02.")
    if words(strategies) == ():
        raise OptionError("--strategy names nothing: name at least one, or leave it out.")
    options = Options(
        backbones=words("auto" if backbones is None else backbones) or (),
        heads=words(heads),
        strategies=words(strategies),
        budget=budget,
        holdout=holdout,
        recipe=recipe,
        metric=metric,
        fit=fit,
        group_by=group_by,
        class_weight=None if class_weight in (None, "none") else class_weight,
        folds=folds,
        repeats=repeats,
        min_gain=min_gain,
        **asdict(run),
        weights=weights,
        keep_training=keep_training,
        keep_images=keep_images,
        max_error=error_limit,
        confidence=0.95 if confidence is None else confidence,
        per_class=per_class,
        exclude=None if exclude is None else str(exclude),
        unlabelled=None if unlabelled is None else str(unlabelled),
    )
    check_destination(output, overwrite=overwrite)
    loaded, origins = _load_domains(columns, data, also)
    show.dataset(loaded, ", ".join(map(str, (data, *also))))
    if target_labels is not None and target is None:
        raise OptionError("--target-labels are of the images of --target: give these too.")
    if also and target is None:
        raise OptionError("--also names further domains to adapt from: give --target, the images to adapt to, too.")
    result = train(loaded, options=options)
    if target is not None:
        from headstart.cli.adapt import adapt_trained

        adapt_trained(result, target, target_labels, output, run, origins=origins, overwrite=overwrite, as_json=as_json)
        return
    result.save(output, overwrite=overwrite, command=["headstart", *sys.argv[1:]])
    show_training(result, output, as_json, data=str(data), details=details)


def _train_spatial(ctx: click.Context, values: dict[str, Any]) -> bool:
    """Train a detector or segmenter where the labels are boxes or masks; False where they are classes."""
    task = values["task"]
    if task == "classes":
        return False
    from headstart.data.sources.annotations.find import find_form

    form = find_form(values["data"], task)
    if form is None and task is None:
        for name in ("void", "size"):
            if values[name] is not None:
                raise OptionError(f"--{name} is about boxes and masks, and {values['data']} holds neither.")
        return False
    from headstart.cli import spatial
    from headstart.data.sources.annotations.load import require_form

    spatial.train(ctx, require_form(values["data"], form), task or require_form(values["data"], form).task, values)
    return True


def _load_domains(columns: ColumnOptions, data: Path, also: tuple[Path, ...]) -> tuple[Dataset, dict[str, str]]:
    """The labelled images, and, of several domains, the content of each → the name of its domain."""
    if not also:
        return columns.load(data), {}
    from headstart.data.sources.several import join_domains

    places = (data, *also)
    brief = len({place.resolve().name for place in places}) == len(places)
    return join_domains({place.resolve().name if brief else str(place): columns.load(place) for place in places})


def _check_outside(output: Path, data: Path) -> None:
    """Raise `OptionError` where the model would lie among the data, and be taken for a class by the next run."""
    if data.resolve() in output.resolve().parents:
        raise OptionError(
            f"the model cannot be saved to {output}: it would lie inside the data folder {data} and be taken for a "
            "class by the next run. Choose a place outside with -o."
        )


def show_training(result: Any, output: Path, as_json: bool, *, data: str = "DATA", details: bool = False) -> None:
    """Print the answer and where the model lies; the contest and all notes with details. data: as commands name it."""
    from headstart.cli import show
    from headstart.model import bundle

    if as_json:
        show.as_json(bundle.read_bundle(output).manifest)
        return
    manifest = result.manifest()
    show.model(manifest, str(output), data=data, details=details)
    if details:
        for sentence in manifest["notes"]:
            show.note(sentence)
    else:
        show.few_notes(manifest["notes"], f"headstart info {output} --details")

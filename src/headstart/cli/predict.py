"""`headstart predict`: classes and confidences of new images from a saved model, and which of them need no person."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.cli.options import NONE, Place, ShareType, check_order, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.model.predictor import Features, Predictor
    from headstart.records.predictions import Decisions, Predictions


_VOID = "the guarantee is void here"
"""In a sentence on what voids a guarantee, as `trust.shift` words it."""


@click.command("predict")
@click.argument("model", type=Place())
@click.argument("images", nargs=-1)
@click.option(
    "--list",
    "listed",
    type=Place(),
    help="In place of IMAGES: a text file with a path in each line, of any length; answers go to -o, and a run that "
    "was stopped goes on where it was.",
)
@click.option(
    "-o",
    "--output",
    type=Place(),
    help="With --list: answers.csv, answers.jsonl or answers.parquet. Of a model of boxes or masks: a folder for the "
    "drawn images, and for class maps or objects.json.",
)
@click.option("--overwrite", is_flag=True, help="With --list: replace what is there, and begin anew.")
@click.option(
    "--max-error",
    type=ShareType(1e-4, 0.5, none=True),
    help="Accept predictions automatically so that at most this share of the accepted ones is wrong, such as 0.02 or "
    "2%, and send the others to review; default: what the model was trained with; 'none' turns it off.",
)
@click.option(
    "--confidence",
    type=ShareType(0.8, 0.9999),
    help="The confidence of that guarantee; default: as trained, else 0.95.",
)
@click.option(
    "--per-class/--overall",
    default=None,
    help="Guarantee it for each predicted class, or only for all together; default: as trained, else for all together.",
)
@click.option(
    "--on-shift",
    type=click.Choice(("review", "warn")),
    default="review",
    show_default=True,
    help="With a guarantee: what becomes of 30 images or more under covariate shift (as a whole not like the training "
    "images) or label shift (another class prior): all go to review, or a warning only.",
)
@click.option(
    "--sets",
    type=ShareType(0.5, 0.9999),
    help="Add the classes that each image may be, the true one among them in this share of cases, such as 0.95.",
)
@click.option(
    "--adapt",
    is_flag=True,
    help="Bring the mean and deviation of every feature of a batch (30 images or more, of one place) to those of "
    "training first: for another light or camera, not for other shares of the classes; without a guarantee.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Of a model of texts: the words that carried each answer, by leaving each word out.",
)
@click.option("--by-class", is_flag=True, help="With --sets: in that share of the cases of every class.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV: image, class, confidence…, then one column a class.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option(
    "--precision",
    type=click.Choice(["f32", "bf16"]),
    default="f32",
    show_default=True,
    help="f32 gives the same predictions on every machine; bf16, for millions of images on processors and "
    "accelerators that have it, labels about one image in a hundred differently.",
)
@click.option("--formats", help="Of boxes: what else to write into -o, comma-separated: coco, yolo, voc.")
@click.option(
    "--max-missed",
    type=ShareType(1e-4, 0.5),
    help="Of boxes: show so much that at most this share of the objects is missed, such as 5%.",
)
@run_options("device")
@click.option("--cache/--no-cache", default=False, help="Keep embeddings for the next time (default: no).")
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    images: tuple[str, ...],
    listed: Path | None,
    output: Path | None,
    overwrite: bool,
    max_error: float | str | None,
    confidence: float | None,
    per_class: bool | None,
    on_shift: str,
    sets: float | None,
    adapt: bool,
    explain: bool,
    by_class: bool,
    form: str | None,
    precision: str,
    formats: str | None,
    max_missed: float | None,
    run: Run,
    cache: bool,
) -> None:
    """Classify IMAGES (files, folders, globs or a table) with the saved MODEL.

    Marked are novel images (unlike those that the model was trained on) and unsure ones (the second choice is at least
    half as probable as the first). With a guarantee, the decision stands there instead: accept, or review and why.

    Exit code 0 when every image was read, also where no guarantee is feasible and all go to review; 2 when no image
    could be read. Unreadable ones keep their row, marked, and are named on standard error.
    """
    from headstart.cli import show
    from headstart.cli.predict_table import explain_words, print_counts, print_table
    from headstart.device import choose_device
    from headstart.errors import DataError
    from headstart.model.load import load_model
    from headstart.report.predictions import PredictionTable

    if listed is None and images:
        check_order(model, images, "predict")
        if _predict_spatial(ctx, locals()):
            return
    if listed is not None or output is not None:
        _predict_list(locals())
        return
    if not images:
        raise click.UsageError("Missing argument 'IMAGES...'.")
    predictor = load_model(model)
    guarantee = _wants_guarantee(predictor, max_error, confidence, per_class)
    if by_class and sets is None:
        raise OptionError("--by-class says how --sets are made: give --sets too, such as --sets 0.95.")
    limits = None if sets is None else predictor.sets(sets, by_class=by_class)
    if guarantee:
        predictor.triage(_number(max_error), confidence=confidence, per_class=per_class)  # refused before any work
    if adapt and (guarantee or sets is not None):
        raise OptionError(
            "--adapt voids guarantees and sets: leave one out (--max-error none turns a trained one off)."
        )
    spec = predictor.parts[0].backbone.spec
    if explain and spec.modality == "image":
        raise OptionError(
            "--explain is about texts, and this model is one of images: leave it out (a page of 'headstart export --to "
            "web' shows where in an image the answer lies)."
        )
    show.speak_of(spec.modality)
    samples = spec.find(images)
    device = choose_device(str(run.device), precision=precision)
    features = predictor.features(samples.items, names=samples.names, device=device, cache=cache)
    predictions = predictor.answer(_adapted(predictor, features) if adapt else features)
    show.failures(predictions.failures)
    for sentence in spec.notes(samples.items):
        show.note(sentence)
    if not predictions.readable.any():
        raise DataError(f"no image could be read, of {len(samples):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF files.")
    decisions = None
    if guarantee:
        decisions = predictor.decide(
            predictions,
            max_error=_number(max_error),
            confidence=confidence,
            per_class=per_class,
            on_shift=on_shift,
        )
    _announce(predictions, decisions, form)
    in_set = None if limits is None else limits.sets(predictions.probabilities)
    table = PredictionTable(
        predictions, decisions, in_set, explain_words(predictor, samples, device) if explain else ()
    )
    print_table(table, form)
    if form is None:
        print_counts(table)


def _predict_list(values: dict[str, Any]) -> None:
    """Answer the files that a list names, into a file."""
    from headstart.cli import predict_list

    further = {"--sets": "sets", "--csv or --json": "form", "--confidence": "confidence", "--per-class": "per_class"}
    given = [option for option, name in further.items() if values[name] is not None]
    predict_list.check(values["images"], values["listed"], values["output"], given)
    predict_list.run(
        values["model"],
        values["listed"],
        values["output"],
        max_error=_number(values["max_error"]),
        device=str(values["run"].device),
        precision=values["precision"],
        cache=values["cache"],
        again=values["overwrite"],
    )


def _adapted(predictor: Predictor, features: Features) -> Features:
    """The features standardised by their own statistics, and a note on what that costs."""
    from headstart.cli import show
    from headstart.verbs.adapt.batch import adapt_batch

    standardised = adapt_batch(predictor, features)
    show.note(
        f"The {len(standardised.X):,} images were standardised by their own statistics (--adapt): their answers depend "
        "on each other, and no guarantee holds."
    )
    return standardised


def _predict_spatial(ctx: click.Context, values: dict[str, Any]) -> bool:
    """Predict with a model of boxes or masks; False where the model is of classes."""
    from headstart.model.open import find_spatial

    detector = find_spatial(values["model"])
    if detector is None:
        misplaced = [name for name in ("formats", "max_missed") if values[name] is not None]
        if misplaced:
            option = misplaced[0].replace("_", "-")
            raise OptionError(
                f"--{option} is about boxes and masks, and {values['model']} predicts classes: leave it out."
            )
        return False
    from headstart.cli import spatial

    spatial.predict(ctx, detector, values)
    return True


def _wants_guarantee(
    predictor: Predictor, max_error: float | str | None, confidence: float | None, per_class: bool | None
) -> bool:
    """Whether an error guarantee is wanted: asked for here, or when the model was trained."""
    trained_with_one = predictor.trust is not None and predictor.trust.default_guarantee is not None
    guarantee = max_error != NONE and (max_error is not None or trained_with_one)
    if not guarantee and (per_class is not None or confidence is not None):
        raise OptionError(
            "--confidence, --per-class and --overall are about a guarantee: give --max-error too, such as 0.02."
        )
    return guarantee


def _number(max_error: float | str | None) -> float | None:
    return None if isinstance(max_error, str) else max_error


def _announce(predictions: Predictions, decisions: Decisions | None, form: str | None) -> None:
    """The guarantee, and how many images are accepted; on standard error where the output may be read by a program."""
    from headstart.checks import quantity
    from headstart.cli import show

    if decisions is None:
        _warn_of_novel(predictions)
        return
    from headstart.trust.triage.decide import SHIFT

    aside = form is not None or not sys.stdout.isatty()
    voiding = [sentence for sentence in decisions.notes if _VOID in sentence]
    for sentence in voiding:
        click.secho("\n".join(show.wrapped(f"No guarantee: {sentence}", err=aside)), bold=True, err=aside)
    scope = "Of images like the labelled ones " if decisions.feasible else ""
    click.echo("\n".join(show.wrapped(f"{scope}{decisions.guarantee[0]}", err=aside)), err=aside)
    accepted = int(decisions.accepted.sum())
    reasons = Counter(reason for reason in decisions.reasons if reason)
    reviewed = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    share = f"Accepted here: {accepted:,} of {quantity(len(decisions), 'image')}"
    click.echo("\n".join(show.wrapped(f"{share}; to review: {reviewed or 'none'}.", err=aside)), err=aside)
    for sentence in (*decisions.notes, *decisions.guarantee[1:]):
        if sentence not in voiding:
            show.note(sentence)
    if SHIFT in reasons:
        show.note(
            "--on-shift warn would accept as usual, without the guarantee. Labels for some of these images, drawn at "
            "random, would show how the model does on them (headstart evaluate)."
        )


def _warn_of_novel(predictions: Predictions) -> None:
    """Where no guarantee sends novel images to review, say how many there are."""
    from headstart.cli import show

    novel = int(predictions.novel.sum())
    if novel:
        show.note(
            f"{novel:,} of {len(predictions):,} images are unlike those that the model was trained on (novel; some "
            "known ones are by mistake): predictions for them mean little. They are marked; --max-error sends "
            "them to review."
        )

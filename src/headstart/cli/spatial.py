"""What train, predict, evaluate and info do where boxes or masks are the labels; the verbs' files call these."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.data.sources.annotations.find import Form
    from headstart.model.spatial.predictor import SpatialAnswers, SpatialPredictor

_TRAIN_OPTIONS = frozenset(
    {
        *("data", "output", "overwrite", "backbones", "heads", "folds", "seed", "max_unreadable", "cache", "details"),
        *("as_json", "task", "void", "size", "device", "group_by"),
    }
)


def refuse_options(ctx: click.Context, usable: frozenset[str], what: str) -> None:
    """Raise `OptionError` for an option that was given and means nothing for boxes and masks."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        given = ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in usable and name not in ("quiet", "verbose"):
            raise OptionError(f"{parameter.opts[0]} means nothing for {what}: leave it out.")


def train(ctx: click.Context, form: Form, task: str, values: dict[str, Any]) -> None:
    """Train on boxes or masks. values: of the verb's options."""
    from headstart.cli import show
    from headstart.cli.options import words
    from headstart.data.sources.annotations.load import load_form
    from headstart.model.bundle import check_destination, read_bundle
    from headstart.report.spatial_summary import answer_lines, detail_lines
    from headstart.verbs.spatial.train import SpatialOptions, train_spatial

    refuse_options(ctx, _TRAIN_OPTIONS, task)
    run, output, data = values["run"], values["output"], values["data"]
    backbones = words(values["backbones"]) or ("lite0",)
    if len(backbones) > 1:
        raise OptionError(f"one backbone is looked at for {task}; found {len(backbones)}: name one.")
    options = SpatialOptions(
        backbone="lite0" if backbones[0] == "auto" else backbones[0],
        size=values["size"],
        heads=words(values["heads"]) or ("ridge", "network"),
        folds=values["folds"],
        seed=run.seed,
        max_unreadable=run.max_unreadable,
        group_by=values["group_by"],
        cache=run.cache,
    )
    check_destination(output, overwrite=values["overwrite"])
    loaded = load_form(form, task, words(values["void"]) or ())
    _show_data(loaded, task, str(data))
    model = train_spatial(loaded, options=options)
    model.save(output, overwrite=values["overwrite"], command=["headstart", *sys.argv[1:]])
    manifest = read_bundle(output).manifest
    if values["as_json"]:
        show.as_json(manifest)
        return
    show.lines(answer_lines(manifest, model=str(output), data=str(data)))
    if values["details"]:
        click.echo("")
        show.lines(detail_lines(manifest))
    show.failures(model.failures)
    for sentence in manifest["notes"]:
        show.note(sentence)


def _show_data(loaded: Any, task: str, place: str) -> None:
    from headstart.checks import quantity
    from headstart.cli import show

    if show.is_quiet():
        return
    target = loaded.samples.target
    counts = target.objects() if task == "boxes" else target.describe()
    unit = "objects" if task == "boxes" else "images that show each class"
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:12])
    splits = loaded.samples.splits
    parts = "no splits" if splits is None else ", ".join(f"{k} {n:,}" for k, n in Counter(splits.tolist()).items())
    text = f"{quantity(len(loaded.samples), 'image')} with {task} in {place} ({unit}: {shown}); {parts}"
    show.lines([("data", text)], err=True)


def info(predictor: SpatialPredictor, place: str, *, details: bool, as_json: bool) -> None:
    """Say how good a detector or segmenter was measured to be."""
    from headstart.cli import show
    from headstart.errors import BundleError
    from headstart.report.spatial_summary import answer_lines, detail_lines

    manifest = predictor.manifest
    if as_json:
        show.as_json(manifest)
        return
    try:
        lines = answer_lines(manifest, model=place)
        further = detail_lines(manifest) if details else []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"the manifest of {place} is damaged ({type(error).__name__}: {error}): train again."
        ) from error
    show.lines(lines)
    if details:
        click.echo("")
        show.lines(further)
        for sentence in manifest["notes"]:
            show.note(sentence)


_PREDICT_OPTIONS = frozenset({"model", "images", "form", "output", "formats", "max_missed", "device", "cache"})


def predict(ctx: click.Context, predictor: SpatialPredictor, values: dict[str, Any]) -> None:
    """Detect or segment images, print what was seen, and write drawings and files where a folder is named."""
    from headstart.cli import show
    from headstart.cli.options import words
    from headstart.data.sources.load import find_images
    from headstart.errors import DataError

    task = predictor.task.name
    refuse_options(ctx, _PREDICT_OPTIONS, task)
    formats, output, limit = words(values["formats"]) or (), values["output"], values["max_missed"]
    _check_formats(formats, output, task)
    samples = find_images(values["images"])
    answers = predictor.predict(samples.items, names=samples.names, max_missed=limit)
    show.failures(answers.failures)
    if len(answers.failures) == len(answers):
        raise DataError(f"no image could be read, of {len(samples):,}: give JPEG, PNG, WebP, GIF, BMP or TIFF files.")
    if limit is not None:
        show.note(_promise_words(predictor, limit, answers.threshold))
    if output is not None:
        _write(answers, samples.items, task, output, formats)
    _print(answers, task, values["form"], output)


def _promise_words(predictor: SpatialPredictor, limit: float, threshold: float) -> str:
    trust = predictor.trust
    unit = trust.unit if trust else "objects"
    source = "images kept apart" if trust and trust.apart else "out-of-fold answers, a little optimistic"
    n = len(trust.losses) if trust else 0
    if unit == "pixels":
        return (
            f"At most {100 * limit:g} % of the pixels of images like the labelled ones lie outside the classes with a "
            f"probability of {threshold:.3f} or more (a mean over images; {n:,} {source})."
        )
    return (
        f"Shown from a score of {threshold:.3f} on: of images like the labelled ones at most {100 * limit:g} % of the "
        f"objects are missed (a mean over images; conformal risk control on {n:,} {source})."
    )


def _check_formats(formats: Sequence[str], output: Path | None, task: str) -> None:
    from headstart.checks import one_of
    from headstart.report.box_files import FORMATS

    for name in formats:
        one_of("formats", name, FORMATS)
    if formats and output is None:
        raise OptionError("--formats are written into a folder: name it with -o.")
    if formats and task != "boxes":
        raise OptionError("--formats are of boxes; masks are written as index PNGs: leave --formats out.")
    if output is not None and output.exists() and not output.is_dir():
        raise OptionError(f"-o must name a folder; found the file {str(output)!r}.")


def _print(answers: SpatialAnswers, task: str, form: str | None, output: Path | None) -> None:
    from headstart.checks import quantity
    from headstart.cli import show
    from headstart.report.spatial_records import answer_records, counts

    if form == "json":
        show.as_json(answer_records(answers, task))
        return
    totals: Counter[str] = Counter()
    rows = []
    for name, answer in zip(answers.names, answers.answers, strict=True):
        if answer is None:
            rows.append((name, "(unreadable)"))
            continue
        shares = counts(answer, task, answers.classes)
        totals.update(dict.fromkeys(shares, 1) if task == "masks" else shares)
        unit = " %" if task == "masks" else ""
        rows.append((name, ", ".join(f"{key} {value:,}{unit}" for key, value in shares.items()) or "nothing"))
    kind = "objects" if task == "boxes" else "pixels"
    show.table(("image", kind), rows, paths=(0,))
    shown = ", ".join(f"{key} {value:,}" for key, value in totals.most_common()) or "nothing"
    what = "seen" if task == "boxes" else "images that show each class"
    if not show.is_quiet():
        click.echo("", err=True)
        show.lines([("counts", f"{what}: {shown}, in {quantity(len(answers), 'image')}")], err=True)
        if output is not None:
            show.lines([("drawn", f"{output}/drawn/")], err=True)


def _write(answers: SpatialAnswers, items: Sequence[Any], task: str, output: Path, formats: Sequence[str]) -> None:
    """Drawings of all images, class maps or boxes beside them; each file whole or not at all."""
    import json

    from headstart.report.box_files import coco_file, records, voc_files, yolo_files
    from headstart.report.drawing import draw_boxes, draw_mask, mask_png, png_bytes
    from headstart.storage.files import write_atomically

    stems = _stems(answers.names)
    for item, stem, answer in zip(items, stems, answers.answers, strict=True):
        if answer is None:
            continue
        if task == "boxes":
            drawing = draw_boxes(item, answer, answers.classes)
        else:
            drawing = draw_mask(item, answer.labels, answers.classes)
            write_atomically(output / "masks" / f"{stem}.png", mask_png(answer.labels, len(answers.classes)))
        write_atomically(output / "drawn" / f"{stem}.png", png_bytes(drawing))
    if task == "masks":
        write_atomically(output / "classes.txt", ("\n".join(answers.classes) + "\n").encode())
        return
    found = records(answers.names, answers.answers, answers.classes)
    write_atomically(output / "objects.json", json.dumps(found, indent=1, ensure_ascii=False).encode())
    parts = (answers.answers, answers.sizes, answers.classes)
    names = [f"{stem}{PurePosixPath(name).suffix}" for stem, name in zip(stems, answers.names, strict=True)]
    if "coco" in formats:
        write_atomically(output / "coco.json", coco_file(answers.names, *parts))
    for name, maker in (("yolo", yolo_files), ("voc", voc_files)):
        if name in formats:
            for file, content in maker(names, *parts).items():
                write_atomically(output / name / file, content)


def _stems(names: Sequence[str]) -> list[str]:
    """A file name for each image, different for all: its stem, with its folders where stems repeat."""
    stems = [PurePosixPath(name).stem or "image" for name in names]
    counts = Counter(stems)
    common = os.path.commonpath([os.path.dirname(name) or "." for name in names]) if names else ""
    return [
        stem
        if counts[stem] == 1
        else f"{os.path.relpath(os.path.splitext(name)[0], common or '.').replace(os.sep, '_')}".replace("..", "_")
        for stem, name in zip(stems, names, strict=True)
    ]


_EVALUATE_OPTIONS = frozenset(
    {"model", "data", "split", "details", "as_json", "void", "output", "device", "cache", "html"}
)


def evaluate(ctx: click.Context, predictor: SpatialPredictor, values: dict[str, Any]) -> None:
    """Score a detector or segmenter on labelled images, and draw the worst where a folder is named."""
    from headstart.cli import show
    from headstart.cli.options import words
    from headstart.data.sources.annotations.load import load_annotated
    from headstart.report.numbers import percent
    from headstart.report.spatial_page import page_html
    from headstart.report.spatial_summary import class_words
    from headstart.storage.files import write_atomically
    from headstart.verbs.spatial.evaluate import evaluate_spatial

    task = predictor.task.name
    refuse_options(ctx, _EVALUATE_OPTIONS, task)
    loaded = load_annotated(values["data"], task=task, void=words(values["void"]) or ())
    result = evaluate_spatial(predictor, loaded, split=values["split"])
    if values["html"] is not None:
        page = page_html(result, predictor, data=str(values["data"]))
        write_atomically(values["html"], page.encode("utf-8", "backslashreplace"))
    if values["as_json"]:
        show.as_json(result.to_dict())
        return
    for sentence in result.notes:
        show.note(sentence)
    show.failures(result.failures)
    first, second = result.scores.estimates
    lines = [
        ("result", f"{first.metric} {first} on {len(result.samples):,} images; {second.metric} {second}"),
        ("classes", class_words(result.scores.per_class, task)),
    ]
    if task == "boxes":
        lines.append(
            ("missed", f"{percent(result.missed)} of the objects at the model's score of {predictor.threshold:.2f}")
        )
    lines.append(("worst", ", ".join(result.samples.names[row] for row in result.worst[:3])))
    if values["html"] is not None:
        lines.append(("page", str(values["html"])))
    show.lines(lines)
    if values["details"]:
        click.echo("")
        keys = [key for key in result.scores.per_class[0] if key not in ("name", "count")]
        rows = [
            (row["name"], f"{row['count']:,}", *("–" if row[key] != row[key] else percent(row[key]) for key in keys))
            for row in result.scores.per_class
        ]
        show.table(("class", "count", *keys), rows, right=(1, 2, 3))

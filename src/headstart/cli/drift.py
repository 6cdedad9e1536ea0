"""`headstart drift`: whether a batch of new images comes from elsewhere than what a model was trained on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli.options import Drawing, Place
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.report.page import Gallery, Picture
    from headstart.verbs.drift.result import BatchDrift

_NAMED = 5
_MOST_SHARES = 5


@click.command("drift")
@click.argument("model", type=Place())
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--reference",
    type=Place(),
    help="Images to compare with, and to show, instead of the embeddings in MODEL: the folder or table it was trained "
    "on, or others like it. Needed where MODEL holds no embeddings (--no-keep-training) and where it is fine-tuned; "
    "then give images that took no part in training.",
)
@click.option(
    "--level",
    default=0.05,
    show_default=True,
    help="The p-value at or below which it is drift: the share of false alarms among batches that do not differ.",
)
@click.option(
    "--html", type=Place(), help="Write a page with the most foreign pictures beside training ones to this file."
)
@click.option("--svg", type=Drawing(), help="Write a plot of how foreign the images are to this file.")
@click.option("--shown", default=12, show_default=True, help="How many pictures the page shows on each side.")
@click.option("--path-column", help="Where IMAGES is a table: column with the image's path (default: by its name).")
@click.option(
    "--group-column",
    help="Where IMAGES is a table: column naming what belongs together (one film, one patient), so that many alike "
    "pictures do not count as many (default: by its name).",
)
@click.option(
    "--fail-on-drift",
    is_flag=True,
    help="Exit with code 1 where there is drift (also where only the shares of the classes differ), for pipelines.",
)
@click.option("--seed", default=0, show_default=True, help="Of everything that is drawn: images, permutations.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--cache/--no-cache", default=True, show_default=True, help="Keep embeddings for the next run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    images: tuple[str, ...],
    reference: Path | None,
    level: float,
    html: Path | None,
    svg: Path | None,
    shown: int,
    path_column: str | None,
    group_column: str | None,
    fail_on_drift: bool,
    seed: int,
    device: str,
    cache: bool,
    as_json: bool,
) -> None:
    """Compare IMAGES (files, folders, globs or one table; at least 10) with what the saved MODEL was trained on.

    Says whether they come from elsewhere, how sure that is, whether only the shares of the classes differ, which
    pictures show it best, and what to do. Labels are not needed.

    Exit code 0 whether or not there is drift; with --fail-on-drift 1 where there is. 2: it could not be tested.
    """
    from headstart.data.sources.unlabelled import load_unlabelled
    from headstart.model.load import load_model
    from headstart.verbs.drift.drift import drift

    _check(html, svg)
    predictor = load_model(model)
    found = drift(
        predictor,
        load_unlabelled(list(images), path_column=path_column, group_column=group_column),
        reference=reference,
        level=level,
        shown=shown,
        seed=seed,
        device=device,
        cache=cache,
    )
    try:
        _print(found, as_json)
    finally:  # a disk that is full costs the page, not the answer; a reader that has gone costs no page
        _write(found, html, svg)
    if not as_json:
        _print_places(html, svg)
    if fail_on_drift and found.drifted:
        sys.exit(1)


def _check(html: Path | None, svg: Path | None) -> None:
    """Refuse now, before any work, what cannot be a page."""
    if html is not None and (html.suffix.lower() not in (".html", ".htm") or html.is_dir()):
        raise OptionError(f"--html must name a file that ends in .html; found {str(html)!r}.")
    if svg is not None and html is not None and svg.resolve() == html.resolve():
        raise OptionError(f"--html and --svg must name two files; found {str(html)!r} for both.")


def _write(found: BatchDrift, html: Path | None, svg: Path | None) -> None:
    from headstart.storage.files import write_atomically

    if html is not None:
        write_atomically(html, _page(found).encode("utf-8", "backslashreplace"))
    if svg is not None:
        from headstart.report.plots.scores import scores_svg

        title = f"How foreign the images are to {found.model.resolve().name}"
        plot = scores_svg(found.reference_scores, found.scores, title=title, name=found.comparison.name)
        write_atomically(svg, plot.encode("utf-8", "backslashreplace"))


def _page(found: BatchDrift) -> str:
    from headstart.checks import quantity
    from headstart.report.drift import Shown, drift_page

    shown = Shown(
        heading=f"Model {found.model.resolve().name}: {quantity(len(found.batch), 'new image')}, compared with "
        f"{found.comparison.words}",
        name=found.comparison.name,
        galleries=(_foreign(found), _usual(found)),
        scores=(found.reference_scores, found.scores),
        shares=[(each.name, each.reference, each.batch) for each in found.shares],
        advice=found.advice(),
        notes=found.notes,
    )
    return drift_page(found.test, shown)


def _foreign(found: BatchDrift) -> Gallery:
    from headstart.report.page import Gallery

    words = "The most foreign first, each with the model's answer and how sure it is."
    if not found.drifted:
        words = "The model's answer and how sure it is. No drift was found: chance may have put these on top."
    return Gallery(
        f"In the batch, least like {found.comparison.name}", words, [_picture(found, row) for row in found.most_foreign]
    )


def _usual(found: BatchDrift) -> Gallery:
    from headstart.report.page import Gallery, Picture

    pictures = found.comparison.samples
    if pictures is None:
        words = "The training images are not in the model; --reference DATA would show them here."
        rows = found.most_usual
        return Gallery("In the batch, most like training", words, [_picture(found, row) for row in rows])
    rows = tuple(found.test.reference_extremes.tolist())
    chosen = [Picture(pictures.images[row], pictures.names[row], _label(found, row)) for row in rows]
    title = f"{found.comparison.name.capitalize()} images, least like the batch"
    return Gallery(title, "What the batch has least of.", chosen)


def _picture(found: BatchDrift, row: int) -> Picture:
    from headstart.report import numbers
    from headstart.report.page import Picture

    sure = numbers.percent(float(found.predictions.confidences[row]))
    return Picture(found.batch.images[row], found.batch.names[row], f"{found.predictions.labels[row]}, {sure}")


def _label(found: BatchDrift, row: int) -> str:
    samples = found.comparison.samples
    return samples.classes[samples.labels[row]] if samples is not None and samples.labels[row] >= 0 else ""


def _print(found: BatchDrift, as_json: bool) -> None:
    from headstart.checks import printable
    from headstart.cli import show
    from headstart.report import numbers

    show.unreadable(found.failures)
    if as_json:
        show.as_json(found.to_dict())
        return
    for sentence in found.notes:
        show.note(sentence)
    rows = [
        (
            found.batch.names[row],
            found.predictions.labels[row],
            numbers.percent(float(found.predictions.confidences[row])),
        )
        for row in found.most_foreign[:_NAMED]
    ]
    if found.drifted:
        show.table(("most foreign", "answered", "confidence"), rows, right=(2,))
    for name, words in _lines(found):
        click.echo(printable(f"{name:<11} {words}"))


def _print_places(html: Path | None, svg: Path | None) -> None:
    from headstart.checks import printable

    for name, place in (("page", html), ("plot", svg)):
        if place is not None:
            click.echo(printable(f"{name:<11} {place}"))


def _lines(found: BatchDrift) -> list[tuple[str, str]]:
    """What is printed, a heading and words a line."""
    test = found.test
    lines = [("found", found.sentence()), ("compared", f"with {found.comparison.words}")]
    if found.drifted and found.shares:
        lines.append(("classes", _moved(found)))
    within = "" if test.p_within_classes is None else f", within classes {test.p_within_classes:.3f}"
    lines.append(("p-value", f"{test.p:.3f}{within}; drift at {test.level:g} or less"))
    first, *rest = found.advice()
    return [*lines, ("next", first), *(("", each) for each in rest)]


def _moved(found: BatchDrift) -> str:
    """The classes whose share of the answers changed most."""
    ordered = sorted(found.shares, key=lambda share: -abs(share.batch - share.reference))[:_MOST_SHARES]
    told = ", ".join(f"{each.name!r} {100 * each.reference:.0f} % → {100 * each.batch:.0f} %" for each in ordered)
    return f"answered, in training → here: {told}"

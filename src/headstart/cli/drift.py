"""`headstart drift`: whether a batch of new images comes from elsewhere than what a model was trained on."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import Drawing, Place, check_order, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
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
    "--html", type=Place(), help="Write a page with the most foreign images beside training ones to this file."
)
@click.option(
    "--show-texts", is_flag=True, help="With --html, of texts: show whole ones, not their first 80 characters."
)
@click.option("--svg", type=Drawing(), help="Write a plot of how foreign the images are to this file.")
@click.option("--shown", default=12, show_default=True, help="How many images the page shows on each side.")
@click.option("--path-column", help="Where IMAGES is a table: column with the image's path (default: by its name).")
@click.option(
    "--group-column",
    help="Where IMAGES is a table: column naming what belongs together (one film, one patient), so that many alike "
    "images do not count as many (default: by its name).",
)
@click.option(
    "--fail-on-drift",
    is_flag=True,
    help="Exit with code 1 where there is drift (also where only the shares of the classes differ), for pipelines.",
)
@run_options("seed", "device", "cache")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    images: tuple[str, ...],
    reference: Path | None,
    level: float,
    html: Path | None,
    show_texts: bool,
    svg: Path | None,
    shown: int,
    path_column: str | None,
    group_column: str | None,
    fail_on_drift: bool,
    run: Run,
    as_json: bool,
) -> None:
    """Compare IMAGES (files, folders, globs or one table; at least 10) with what the saved MODEL was trained on.

    Says whether they come from elsewhere, how sure that is, whether only the shares of the classes differ, which
    images show it best, and what to do. Labels are not needed.

    Exit code 0 whether or not there is drift; with --fail-on-drift 1 where there is. 2: it could not be tested.
    """
    from headstart.cli import show
    from headstart.data.sources.unlabelled import load_unlabelled
    from headstart.model.load import load_model
    from headstart.verbs.drift.drift import drift

    check_order(model, images, "drift")
    _check(html, svg)
    predictor = load_model(model)
    show.speak_of(predictor.parts[0].backbone.spec.modality)
    result = drift(
        predictor,
        load_unlabelled(list(images), path_column=path_column, group_column=group_column),
        reference=reference,
        level=level,
        shown=shown,
        seed=run.seed,
        device=run.device,
        cache=run.cache,
    )
    try:
        _print(result, as_json)
    finally:  # a disk that is full costs the page, not what was found; a reader that has gone costs no page
        _write(result, html, svg, show_texts)
    if not as_json:
        _print_places(html, svg)
    if fail_on_drift and result.drifted:
        sys.exit(1)


def _check(html: Path | None, svg: Path | None) -> None:
    """Refuse now, before any work, what cannot be a page."""
    if html is not None and (html.suffix.lower() not in (".html", ".htm") or html.is_dir()):
        raise OptionError(f"--html must name a file that ends in .html; found {str(html)!r}.")
    if svg is not None and html is not None and svg.resolve() == html.resolve():
        raise OptionError(f"--html and --svg must name two files; found {str(html)!r} for both.")


def _write(result: BatchDrift, html: Path | None, svg: Path | None, show_texts: bool) -> None:
    from headstart.report.write import write_plot, write_report

    if html is not None:
        write_report(result, html, show_texts=show_texts)
    if svg is not None:
        write_plot(result, svg)


def _print(result: BatchDrift, as_json: bool) -> None:
    from headstart.report import numbers

    if show.json_or_notes(result, as_json):
        return
    batch, predictions = result.batch, result.predictions
    rows = [
        (batch.names[row], predictions.labels[row] or "", numbers.percent(float(predictions.confidences[row])))
        for row in result.most_foreign[:_NAMED]
    ]
    show.lines(_lines(result), indent=12)
    if result.drifted:
        click.echo("")
        show.table(("most foreign", "prediction", "confidence"), rows, right=(2,), paths=(0,))


def _print_places(html: Path | None, svg: Path | None) -> None:
    from headstart.checks import printable

    for name, place in (("page", html), ("plot", svg)):
        if place is not None:
            show.echo(printable(f"{name:<11} {place}"))


def _lines(result: BatchDrift) -> list[tuple[str, str]]:
    """What is printed, a heading and words a line."""
    test = result.test
    lines = [("result", result.sentence()), ("compared", f"with {result.comparison.words}")]
    if result.drifted and result.shares:
        lines.append(("classes", _changed_classes(result)))
    within = "" if test.p_within_classes is None else f", within classes {test.p_within_classes:.3f}"
    lines.append(("p-value", f"{test.p:.3f}{within}; drift at {test.level:g} or less"))
    first, *rest = result.advice()
    return [*lines, ("next", first), *(("", sentence) for sentence in rest)]


def _changed_classes(result: BatchDrift) -> str:
    """The classes whose share of the predictions changed most."""
    from headstart.report.drift import changed_shares

    changes = (f"{name!r} {100 * before:.0f} % → {100 * now:.0f} %" for name, before, now in changed_shares(result))
    return f"predicted, in training → here: {', '.join(itertools.islice(changes, _MOST_SHARES))}"

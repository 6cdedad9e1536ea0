"""`headstart audit`: what in the data would spoil a model or its measurement, and a plan to edit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import ColumnOptions, Place, columns, group_by, run_options
from headstart.errors import OptionError
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.audit.findings import Audit

_EXAMPLES = 2


@dataclass(frozen=True)
class _Files:
    """What is written; None for what is not. plan_duplicates: the plan holds duplicates too."""

    csv: Path | None
    fix: Path | None
    html: Path | None
    plan_duplicates: bool = False

    def named(self) -> list[tuple[str, Path]]:
        """Each option that was given, with its file."""
        options = (("--csv", self.csv), ("--fix", self.fix), ("--html", self.html))
        return [(option, path) for option, path in options if path is not None]


@click.command("audit")
@click.argument("data", type=Place())
@click.option("--csv", "listing", type=Place(), help="Write every finding to this CSV file.")
@click.option(
    "--fix",
    type=Place(),
    help="Write a plan to this CSV file: which images to leave out, and which you should decide about; "
    "read it and edit it. A file that is already there is not overwritten.",
)
@click.option(
    "--plan-duplicates",
    is_flag=True,
    help="Put duplicates into the plan too, as groups. They need nothing from you: 'headstart train' finds them and "
    "holds them together by itself.",
)
@click.option(
    "--html",
    type=Place(),
    help="Write a page that shows what was found, in images, to this file (one file, no scripts).",
)
@click.option(
    "--show-texts", is_flag=True, help="With --html, of texts: show whole ones, not their first 80 characters."
)
@click.option("--shown", default=24, show_default=True, help="The most images of each kind on the page.")
@click.option("--void", help="Of masks: comma-separated names or numbers of classes that count neither way.")
@columns
@group_by
@run_options("seed", "device", "cache")
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    data: Path,
    listing: Path | None,
    fix: Path | None,
    plan_duplicates: bool,
    html: Path | None,
    show_texts: bool,
    shown: int,
    void: str | None,
    columns: ColumnOptions,
    group_by: str,
    run: Run,
    as_json: bool,
) -> None:
    """Look through the labelled images in DATA (a folder of class folders, or a table) before training on them.

    Finds unreadable images; exact and near duplicates (turned, mirrored, re-encoded or cropped ones too), also across
    splits and across classes; labels that are probably wrong; few images of a class; tiny, very long, near-black,
    near-white and blurred images. Nothing is changed.

    Boxes and masks are seen by themselves: faults by file and line, repeated images and drives on both sides of a
    split, class names alike, objects that are perhaps not labelled.
    """
    from headstart.cli import spatial_audit
    from headstart.data.sources.annotations.find import find_form
    from headstart.verbs.audit.audit import audit
    from headstart.verbs.audit.findings import Audit

    form = find_form(data)
    if form is not None:
        spatial_audit.audit(ctx, form, locals())
        return
    if void is not None:
        raise OptionError(f"--void is about masks, and {data} holds none: leave it out.")
    files = _Files(listing, fix, html, plan_duplicates)
    _check(files, shown)
    result = audit(columns.load(data), group_by=group_by, seed=run.seed, device=run.device, cache=run.cache)
    assert isinstance(result, Audit)
    try:
        _print(result, as_json)
    finally:  # a disk that is full costs the files, not what was found; a reader that has gone costs no file
        _write(result, files, str(data), shown, show_texts)
    if not as_json:
        _print_places(result, data, files)


def _check(files: _Files, shown: int) -> None:
    """Refuse now, before any work, what cannot be written."""
    from headstart.checks import at_least

    at_least("--shown", shown, 1)
    places = files.named()
    for option, path in places:
        if path.is_dir():
            raise OptionError(f"{option} must name a file; found the folder {str(path)!r}.")
    for (first, path), (second, other) in itertools.combinations(places, 2):
        if path.resolve() == other.resolve():
            raise OptionError(f"{first} and {second} must name two files; found {str(other)!r} for both.")
    if files.html is not None and files.html.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--html must name a file that ends in .html; found {str(files.html)!r}.")
    if files.fix is not None and files.fix.exists():
        raise OptionError(
            f"--fix names {str(files.fix)!r}, which is there already and may hold edits: name another file."
        )


def _write(result: Audit, files: _Files, data: str, shown: int, show_texts: bool) -> None:
    from headstart.report.write import write_report

    if files.csv is not None:
        result.write_csv(files.csv)
    if files.fix is not None:
        result.write_plan(files.fix, files.plan_duplicates)
    if files.html is not None:
        write_report(result, files.html, data=data, shown=shown, show_texts=show_texts)


def _print(result: Audit, as_json: bool) -> None:
    from headstart.checks import quantity
    from headstart.verbs.audit.findings import CLASSES

    if as_json:
        show.as_json(result.to_dict())
        return
    for sentence in result.notes:
        show.note(sentence)
    for finding in result.of(CLASSES):
        show.note(finding.sentence)
    rows = [
        (
            count.kind,
            f"{count.count:,}",
            count.proposal,
            "; ".join(f"{finding.name} = {finding.of}" if finding.of else finding.name for finding in count.examples),
        )
        for count in result.summary(_EXAMPLES)
    ]
    images = quantity(result.images, "image")
    answer = [
        ("result", result.headline()),
        ("data", f"{images} of {quantity(len(result.counts), 'class', 'classes')}"),
    ]
    if result.hindrance:
        answer.append(("train", f"no model can be trained on these images yet: {result.hindrance}"))
    if result.claims is not None:
        leaky = f"folds that separate them would claim {result.claims.leaky} accuracy for a linear probe; "
        whole = f"group-aware folds, which hold them together, give {result.claims.group_aware}"
        answer.append(("repeats", leaky + whole))
    show.lines(answer)
    if rows:
        click.echo("")
        show.table(("found", "count", "proposed", "for example"), rows, right=(1,))


def _print_places(result: Audit, data: Path, files: _Files) -> None:
    plan = [] if files.fix is not None else result.plan()
    if files.named() or plan:
        click.echo("")
    places = [(name, str(path)) for name, path in (("findings", files.csv), ("page", files.html)) if path is not None]
    if files.fix is not None:
        places.append(("plan", f"{files.fix}: read it and change the column 'action' where you disagree"))
    elif plan:
        places.append(("next", f"write what is proposed, to be edited: headstart audit {data} --fix plan.csv"))
    show.lines(places)

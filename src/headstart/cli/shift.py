"""`headstart shift`: whether images come from another domain than the labelled ones, what that costs, what to do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart.cli import show
from headstart.cli.options import Place, run_options
from headstart.records.run import Run

if TYPE_CHECKING:
    from headstart.verbs.adapt.result import Shift

_SHOWN_CLASSES = 4
_SHOWN_IMAGES = 3


@click.command("shift")
@click.argument("source", type=Place())
@click.argument("target", nargs=-1, required=True)
@run_options("seed", "device", "cache")
@click.option("--details", is_flag=True, help="Print every layer, every class's share and all images to label first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(source: Path, target: tuple[str, ...], run: Run, details: bool, as_json: bool) -> None:
    """Compare the labelled SOURCE (a saved model, or a folder of class folders) with images of another domain, TARGET.

    TARGET is files, folders or globs, at least 30 images; labels are not needed. Says whether the two are different at
    all, what accuracy to expect there, whether the classes' shares differ, and what to do.
    """
    from headstart.verbs.adapt.shift import shift

    device = run.device if isinstance(run.device, str) else run.device.kind
    result = shift(source, list(target), seed=run.seed, device=device, cache=run.cache)
    if show.json_or_notes(result, as_json):
        return
    show.lines(shift_lines(result, str(source), " ".join(shlex.quote(word) for word in target)))
    if details:
        show_details(result)


def shift_lines(result: Shift, source: str, target: str) -> list[tuple[str, str]]:
    """The answer, then the signs, each with its name. source, target: as commands name them."""
    from headstart.model.adaptation_words import accuracy_words

    told_apart = f"a classifier tells the two apart in {result.choice.distance.accuracy} of cases, 50 % is chance"
    facts = result.to_dict()
    if not result.shifted:
        return [
            ("shift", f"none: use the model as it is ({told_apart})"),
            ("expect", f"{result.source} right, as on the source"),
            ("next", f"headstart predict {_model(source)} {target}"),
        ]
    lines = [("shift", f"yes: {told_apart}"), *_sources(result), ("expect", accuracy_words(facts))]
    if changes := _changes(result):
        lines.append(("classes", f"estimated shares, source → target: {changes}"))
    return [*lines, ("signs", _signs(result)), *next_lines(result, source, target)]


def _sources(result: Shift) -> list[tuple[str, str]]:
    shares = ", ".join(f"{name} {100 * estimate.value:.0f} %" for name, estimate in result.sources.items())
    return [("sources", f"each told from the target, the nearest first: {shares}")] if shares else []


def _signs(result: Shift) -> str:
    choice = result.choice
    if choice.agreement is None or choice.before is None or choice.after is None or choice.harmony is None:
        return "none were looked at"
    return (
        f"the head and the vote agree on {100 * choice.agreement:.0f} % of the images, the votes among themselves on "
        f"{100 * choice.harmony:.0f} %; images that look alike get one answer in {100 * choice.before:.0f} % before, "
        f"{100 * choice.after:.0f} % after{_way_back(result)}"
    )


def _way_back(result: Shift) -> str:
    if result.choice.back is None:
        return ""
    head, vote = (f"{100 * share:.0f} %" for share in result.choice.back)
    return f"; a head taught by the vote is right on {vote} of the source, one taught by the model on {head}"


def next_lines(result: Shift, source: str, target: str) -> list[tuple[str, str]]:
    """What to do."""
    command = f"headstart adapt {_model(source)} {target}"
    first = ", ".join(result.label_first[:_SHOWN_IMAGES])
    more = len(result.label_first)
    label = f"label these {more} first, such as {first} (all: --details), then {command} --target-labels FEW"
    if not more:
        return [("next", command if result.adapts else "nothing: adapting measured no better; label more images")]
    if result.adapts:
        return [("next", command), ("better", label)]
    return [("next", f"cannot tell without labels whether adapting would help, so nothing is to be done yet: {label}")]


def _model(source: str) -> str:
    return shlex.quote(source) if (Path(source) / "manifest.json").is_file() else "MODEL"


def _changes(result: Shift) -> str:
    largest = sorted(result.shares.items(), key=lambda entry: -abs(entry[1][0] - entry[1][1]))[:_SHOWN_CLASSES]
    return ", ".join(f"{name} {100 * old:.0f} % → {100 * new:.0f} %" for name, (old, new) in largest)


def show_details(result: Shift) -> None:
    """Every layer, class and image as tables."""
    from headstart.report import numbers

    rows = [(name, numbers.percent(e.value), numbers.interval(e.low, e.high)) for name, e in result.layers.items()]
    show.table(("layer", "told apart", "95 %"), rows, right=(1, 2))
    shares = [(name, numbers.percent(old), numbers.percent(new)) for name, (old, new) in result.shares.items()]
    show.table(("class", "source", "target, estimated"), shares, right=(1, 2))
    show.table(("label first",), [(name,) for name in result.label_first], paths=(0,))

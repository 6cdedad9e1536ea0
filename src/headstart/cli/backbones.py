"""`headstart backbones`: the networks to embed with, their figures, and whether their weights are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headstart.cli import show

if TYPE_CHECKING:
    from headstart.backbones.zoo import ZooEntry

_HEADERS = (
    *("name", "year", "M params", "GFLOPs", "top-1 %", "top-5 %", "pixels", "width", "licence", "weights", "best for"),
    *("timm name", "source of the accuracies"),
)
_NUMBERS = (1, 2, 3, 4, 5, 6, 7)
_FITTING = ((150, 11), (110, 10))
"""From how wide a terminal on how many columns are shown; a pipe gets all."""
_NARROW = (0, 1, 2, 3, 4, 5, 9)


@click.command("backbones")
@click.option("--json", "as_json", is_flag=True, help="Print everything known as JSON.")
def command(as_json: bool) -> None:
    """List the backbones: size, accuracy on ImageNet, licence, what each is best for, and whether it is here.

    Any other network of timm's or torchvision's same families can be named too: 'resnet18.a1_in1k',
    'hf-hub:owner/name', 'torchvision:resnet50', 'torchhub:owner/repository:name'.
    """
    import sys

    from headstart.backbones.converted import converted_names
    from headstart.backbones.zoo import zoo

    local = converted_names()
    entries = zoo()
    others = [name for name in local if name not in entries]
    if as_json:
        show.as_json({"backbones": [_values(entry, local) for entry in entries.values()], "converted_others": others})
        return
    columns = _columns()
    rows = [[row[i] for i in columns] for row in (_row(_values(entry, local)) for entry in entries.values())]
    numbers = [place for place, i in enumerate(columns) if i in _NUMBERS]
    show.table([_HEADERS[i] for i in columns], rows, right=numbers)
    if others:
        show.note(f"also converted on this machine: {', '.join(others)}.")
    if sys.stdout.isatty():
        sources = sorted({entry.source for entry in entries.values() if entry.top1 is not None})
        show.echo(
            f"Accuracies: one centre crop of ImageNet-1k; from {' and '.join(sources)}. "
            "More in a wider window, or with --json."
        )


def _columns() -> tuple[int, ...]:
    """The columns for which there is room."""
    import shutil
    import sys

    if not sys.stdout.isatty():
        return tuple(range(len(_HEADERS)))
    width = shutil.get_terminal_size().columns
    return next((tuple(range(count)) for least, count in _FITTING if width >= least), _NARROW)


def _values(entry: ZooEntry, local: tuple[str, ...]) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(entry), "weights": _state(entry, local)}


def _state(entry: ZooEntry, local: tuple[str, ...]) -> str:
    from headstart.backbones.converted import is_downloaded
    from headstart.backbones.packaged import PACKAGED

    if entry.name in PACKAGED:
        return "packaged"
    if entry.name in local:
        return "converted"
    return "downloaded" if is_downloaded(entry.timm) else "to download"


def _row(values: dict[str, Any]) -> list[str]:
    def number(name: str, digits: int, per: float = 1.0) -> str:
        """A value of the row in units of `per`, or a dash where it is not known."""
        return "–" if values[name] is None else f"{values[name] / per:.{digits}f}"

    return [
        values["name"],
        str(values["year"]),
        number("parameters", 1, 1e6),
        number("gigaflops", 2),
        number("top1", 1),
        number("top5", 1),
        str(values["size"]),
        str(values["width"]),
        values["licence"],
        values["weights"],
        values["best_for"],
        values["timm"],
        values["source"],
    ]

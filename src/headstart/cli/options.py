"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from headstart import checks

Function = TypeVar("Function", bound=Callable[..., Any])

_COLUMNS = (
    ("--path-column", "Column with the image's path (default: found by its name)."),
    ("--label-column", "Column with the label (default: found by its name)."),
    (
        "--group-column",
        "Column naming what belongs together: patient, site, video (default: found by its name).",
    ),
    ("--split-column", "Column with train, val or test (default: found by its name)."),
)


def columns(function: Function) -> Function:
    """Add the options that name a table's columns."""
    for name, text in reversed(_COLUMNS):
        function = click.option(name, help=f"In a table: {text[0].lower()}{text[1:]}")(function)
    return function


def words(text: str | None) -> tuple[str, ...] | None:
    """A comma-separated option as its words; None where it was not given.

    >>> words("ridge, probe")
    ('ridge', 'probe')
    """
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())


def share(name: str, percent: float) -> float:
    """A percentage as a share of 1; raises `OptionError`, in the user's unit, unless it lies in 0 to 100.

    >>> share("--max-unreadable", 5.0)
    0.05
    """
    checks.between(name, percent, 0, 100)
    return percent / 100


class Place(click.Path):
    """A path that is not empty: '' (a shell variable that is not set) would otherwise mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path as `Path`."""
        if value == "":
            self.fail("it is empty; give a path ('.' for the current folder).", param, ctx)
        return super().convert(value, param, ctx)

"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
    return tuple(word.strip() for word in text.split(",") if word.strip()) if text else None

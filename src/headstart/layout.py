"""Text that fits a terminal: wrapped with hanging indents, tables that shrink, words cut only with a sign.

Takes text and a width in columns, returns lines without control characters. Prints nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

CUT = "…"
USUAL = 80
_GAP = "  "
_NARROWEST = 6
"""No column of a table shrinks below this."""
_BEARABLE = 4
"""A table is made narrower by so many columns before an optional one is left out."""
_HARD = "\N{NO-BREAK SPACE}"


def columns_of(stream: TextIO) -> int | None:
    """The width to fill; None where whole lines are better: no terminal, and the variable COLUMNS is not set."""
    if not (stream.isatty() or os.environ.get("COLUMNS", "").isdigit()):
        return None
    return max(shutil.get_terminal_size((USUAL, 24)).columns, 30)


def shorten(text: str, width: int) -> str:
    """Text of at most so many columns, with a sign where something was cut.

    >>> shorten("Common_Rust", 8), shorten("Blight", 8)
    ('Common_…', 'Blight')
    """
    return text if len(text) <= width else text[: max(width - 1, 0)] + CUT


def shorten_middle(text: str, width: int) -> str:
    """As `shorten`, with the end kept: of a path the file's name tells the most.

    >>> shorten_middle("photos/2024/leaf_17.jpg", 16)
    'photo…eaf_17.jpg'
    """
    if len(text) <= width:
        return text
    head = max(width - 1, 0) // 3
    return f"{text[:head]}{CUT}{text[len(text) - (width - 1 - head) :]}" if width > 1 else CUT[:width]


def wrap(text: str, width: int | None, *, indent: int = 0, first: str = "") -> list[str]:
    """Lines of at most `width` columns, the later ones indented. width None: one line. first: what it begins with.

    A word that is longer than a line (a path to be copied) stays whole.

    >>> wrap("four words stand here, and more", 22, indent=2, first="# ")
    ['# four words stand', '  here, and more']
    """
    if width is None:
        return [f"{first}{text}"]
    width = max(width, indent + 20)
    lines = textwrap.wrap(
        _keep_together(text, width - indent),
        width,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_HARD, " ").rstrip() for line in lines] or [first.rstrip()]


def hang(line: str, width: int | None) -> list[str]:
    """Wrap a line, its later lines indented to where its text begins behind a name.

    >>> hang("next       look at the new images", 26)
    ['next       look at the new', '           images']
    """
    match = re.match(r" *[^\s:]+(?: \S+)? {2,}(?=\S)", line)
    blanks = len(line) - len(line.lstrip(" "))
    indent = match.end() if match else blanks + 2 * (blanks > 0)
    first = line[:indent] if match else line[:blanks]
    return wrap(line[len(first) :], width, indent=indent, first=first)


def _keep_together(text: str, width: int) -> str:
    """The text with blanks at which no line ends: before a %, and in a command to be copied that stands at the end.

    A command that is longer than a line of `width` columns is parted at its blanks.
    """
    text = re.sub(r"(?<=\d) (?=%)", _HARD, text)
    return re.sub(
        r"(?:^|(?<=: ))headstart .+$",
        lambda command: command[0].replace(" ", _HARD if len(command[0]) <= width else " "),
        text,
    )


def named_lines(pairs: Iterable[tuple[str, str]], width: int | None, *, indent: int = 11) -> list[str]:
    """Lines 'name  text', the text in a column of its own.

    >>> named_lines([("next", "headstart predict model photos/")], 30, indent=6)
    ['next  headstart predict model', '      photos/']
    """
    return [line for name, text in pairs for line in wrap(text, width, indent=indent, first=f"{name:<{indent}}")]


def table_lines(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    right: Iterable[int] = (),
    paths: Iterable[int] = (),
    optional: Sequence[int] = (),
) -> list[str]:
    """A table of at most `width` columns: optional columns go first, then wide ones shrink and their cells fold.

    right: columns of numbers. paths: columns whose end is kept where they are cut. optional: columns that are left out
    where not all fit, in this order; a last line says which.
    """
    left_out = {c: headers[c] for c in _columns_to_drop([headers, *rows], width, optional)}
    shown = [column for column in range(len(headers)) if column not in left_out]
    headers, rows = [headers[c] for c in shown], [[row[c] for c in shown] for row in rows]
    right, paths = ({shown.index(c) for c in columns if c in shown} for columns in (right, paths))
    widths = _column_widths([headers, *rows], width)
    names = "" if not left_out else "not shown at this width: " + ", ".join(left_out.values())

    def cell_lines(text: str, column: int) -> list[str]:
        size = widths[column]
        if len(text) <= size:
            return [text]
        if column in paths:
            return [shorten_middle(text, size)]
        if " " in text:
            folded = textwrap.wrap(_keep_together(text, size), size, break_long_words=False, break_on_hyphens=False)
            return [shorten(line.replace(_HARD, " "), size) for line in folded]
        return [shorten(text, size)]

    def row_lines(row: Sequence[str]) -> list[str]:
        cells = [cell_lines(text, column) for column, text in enumerate(row)]
        lines = []
        for k in range(max(map(len, cells), default=0)):
            parts = [lines_of[k] if k < len(lines_of) else "" for lines_of in cells]
            placed = [
                text.rjust(size) if column in right else text.ljust(size)
                for column, (text, size) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append(_GAP.join(placed).rstrip())
        return lines

    rule = _GAP.join("-" * size for size in widths)
    body = [line for row in rows for line in row_lines(row)]
    return [*row_lines(headers), rule, *body, *(wrap(names, width) if names else ())]


def _columns_to_drop(table: Sequence[Sequence[str]], width: int, optional: Sequence[int]) -> list[int]:
    """As many of the optional columns, in their order, as do not fit beside the others."""
    naturals = [max(len(row[column]) for row in table) + len(_GAP) for column in range(len(table[0]))]
    excess, dropped = sum(naturals) - len(_GAP) - width, []
    for column in optional:
        if excess <= _BEARABLE:
            break
        dropped.append(column)
        excess -= naturals[column]
    return dropped


def _column_widths(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """The natural widths, the widest made narrower column by column until all fit."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    spare = width - len(_GAP) * (len(widths) - 1)
    while sum(widths) > spare and max(widths) > _NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return widths

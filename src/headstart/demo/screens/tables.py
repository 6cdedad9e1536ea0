"""Words in rows on a canvas: menu bars and tabs, the heads and rows of tables, and how wide their columns are.

The callers choose words, places and colours; words that do not fit are cut, never drawn over their neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.themes import Colour


def bar_of_words(
    canvas: Canvas, box: Box, words: Sequence[str], *, chosen: int = -1, fill: Colour | None = None
) -> None:
    """Draw a menu bar or a row of tabs; the chosen one is underlined. Words that do not fit are left out."""
    u = canvas.size
    canvas.rect(box, fill or canvas.theme.chrome)
    x = box.left + u // 2
    for i, word in enumerate(words):
        wide = canvas.width_of(word) + round(1.1 * u)
        if x + wide > box.right:
            break
        y = box.top + (box.height - round(1.2 * u)) // 2
        canvas.text(
            (x, y),
            word,
            canvas.theme.text if i == chosen or chosen < 0 else canvas.theme.muted,
            width=wide,
            align="centre",
        )
        if i == chosen:
            canvas.rect(Box(x, box.bottom - max(2, u // 5), x + wide, box.bottom), canvas.theme.accent)
        x += wide
    canvas.across(box.bottom - 1, left=box.left, right=box.right)


def head_row(canvas: Canvas, widths: Sequence[int], headers: Sequence[str], y: int) -> int:
    """Draw a table's head across a canvas; returns the y below it."""
    u = canvas.size
    canvas.rect(Box(0, y, canvas.box.right, y + canvas.row), canvas.theme.chrome)
    x = 0
    for wide, header in zip(widths, headers, strict=True):
        canvas.text((x + u // 3, y + round(0.2 * u)), header, width=wide - u // 2, bold=canvas.theme.name == "contrast")
        x += wide
        canvas.down(x - 1, y, y + canvas.row)
    canvas.across(y + canvas.row - 1)
    return y + canvas.row


def table_row(canvas: Canvas, widths: Sequence[int], words: Sequence[str], y: int, ink: Colour | None = None) -> int:
    """Draw a table's row across a canvas; returns the y below it."""
    u, x = canvas.size, 0
    for wide, word in zip(widths, words, strict=True):
        canvas.text((x + u // 3, y + round(0.18 * u)), word, ink, width=wide - round(0.6 * u))
        x += wide
    return y + canvas.row


def spread(width: int, *shares: float) -> list[int]:
    """Column widths with these shares of a width.

    >>> spread(100, 1, 3)
    [25, 75]
    """
    edges = [round(width * sum(shares[:i]) / sum(shares)) for i in range(len(shares) + 1)]
    return [b - a for a, b in pairwise(edges)]

"""The beginning of a text as a small picture inside a page; never the whole of a long one.

Takes a text, returns a data URI of an SVG drawing, so that pages show texts where they show images.
"""

from __future__ import annotations

import base64
import html
import textwrap

_CHARACTERS, _LINES, _WIDTH = 24, 6, 160
_LINE_HEIGHT = 18


def text_uri(text: str) -> str:
    """The first words of a text, in at most six short lines."""
    plain = " ".join(text[: 4 * _CHARACTERS * _LINES].split())
    lines = textwrap.wrap(plain, _CHARACTERS, max_lines=_LINES, placeholder=" …") or ["(empty)"]
    height = _LINE_HEIGHT * len(lines) + 12
    words = "".join(
        f'<text x="8" y="{_LINE_HEIGHT * (i + 1)}" font-family="sans-serif" font-size="12">{html.escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}">{ground}{words}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"

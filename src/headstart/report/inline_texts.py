"""The beginning of a text as a small picture inside a page; never the whole of a long one, unless that is asked for.

Takes a text, returns a data URI of an SVG drawing, so that pages show texts where they show images.
"""

from __future__ import annotations

import base64
import html
import textwrap

_CHARACTERS, _WIDTH = 24, 160
_EXCERPT, _WHOLE = 80, 4000
"""Characters that are shown: usually, and where whole texts are asked for."""
_LINE_HEIGHT = 18


def text_uri(text: str, *, whole: bool = False) -> str:
    """The first 80 characters of a text, in short lines; of `whole` texts 4,000."""
    plain, most = " ".join(text[: 4 * _WHOLE].split()), _WHOLE if whole else _EXCERPT
    lines = textwrap.wrap(plain if len(plain) <= most else f"{plain[: most - 1]}…", _CHARACTERS) or ["(empty)"]
    height = _LINE_HEIGHT * len(lines) + 12
    words = "".join(
        f'<text x="8" y="{_LINE_HEIGHT * (i + 1)}" font-family="sans-serif" font-size="12">{html.escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}">{ground}{words}</svg>'
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"

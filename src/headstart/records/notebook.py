"""How results look in a notebook: the lines of their `repr`, in letters of one width, names as plain text."""

from __future__ import annotations

import html


class NotebookText:
    """A result whose `repr` a notebook shows as it is, whatever a class or file is called."""

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

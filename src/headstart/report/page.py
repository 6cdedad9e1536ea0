"""Pages from templates: `render` fills one of `report/templates/` and returns a file's text that needs nothing else.

Every value is escaped by Jinja2 (autoescape), control characters are spelt out, a name that a template uses and nobody
gives is an error, and a policy in the head forbids the reader's browser to load anything. Nothing is measured here.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.checks import printable, quantity
from headstart.records.samples import UNLABELLED, Samples
from headstart.report import numbers
from headstart.report.inline_images import inline_image
from headstart.report.plots.svg import BLUE, GREEN, GRID, INK, ORANGE, PALE, RED

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = {"INK": INK, "PALE": PALE, "GRID": GRID, "BLUE": BLUE, "ORANGE": ORANGE, "GREEN": GREEN, "RED": RED}


def render(template: str, context: Mapping[str, Any]) -> str:
    """The text of a page. template: a file in `report/templates/`. context: the values that it names."""
    return _environment().get_template(template).render(context)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_spell_out,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "anchor": lambda kind: kind.replace(" ", "-"),
        "breakable": breakable,
        "last_part": last_part,
        "number": lambda value: f"{value:,}",
        "percent": numbers.percent,
        "quantity": quantity,
    }
    environment.globals |= {"colours": _COLOURS, "inline_image": inline_image, "rows_by_place": rows_by_place}
    return environment


def _spell_out(value: Any) -> Any:
    """Text with control characters and undecodable bytes spelt out; what is markup already stays as it is."""
    return value if not isinstance(value, str) or hasattr(value, "__html__") else printable(value)


def breakable(text: str) -> Markup:
    """Text that may go on in the next line where the parts of a path or of a name end.

    >>> str(breakable("a&b/c_1.png"))
    'a&amp;b/<wbr>c_<wbr>1.png'
    """
    from markupsafe import Markup, escape

    return Markup(str(escape(printable(text))).replace("/", "/<wbr>").replace("_", "_<wbr>"))


def last_part(name: str) -> str:
    r"""A file's own name, of a path with either kind of slash.

    >>> last_part("cat/1.png"), last_part("cat\\2.png"), last_part("/")
    ('1.png', '2.png', '/')
    """
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name


def rows_by_place(samples: Samples, rows: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Runs of rows that lie in one class (and split, where there are several), each with that place in words."""

    def place(row: int) -> str:
        label = int(samples.labels[row])
        name = samples.classes[label] if label != UNLABELLED else "no class"
        return name if samples.splits is None else f"{name}, {samples.splits[row]}"

    return [(words, list(members)) for words, members in itertools.groupby(rows, place)]

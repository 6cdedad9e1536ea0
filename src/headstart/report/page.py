"""Pages from templates: `render` fills one of `report/templates/` and returns a file's text that needs nothing else.

Every value is escaped by Jinja2 (autoescape), control characters are spelt out, a name that a template uses and nobody
gives is an error, and a policy in the head forbids the reader's browser to load anything. Nothing is measured here.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.checks import printable, quantity
from headstart.nouns import IMAGE, reword
from headstart.records.samples import UNLABELLED, Samples
from headstart.report import numbers
from headstart.report.inline_images import inline_image
from headstart.report.plots.svg import BLUE, GREEN, GRID, INK, ORANGE, PALE, RED

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = {"INK": INK, "PALE": PALE, "GRID": GRID, "BLUE": BLUE, "ORANGE": ORANGE, "GREEN": GREEN, "RED": RED}


_PROSE = ("heading", "headline", "lines", "facts", "hindrance", "sentence", "advice", "notes", "sections", "galleries")
"""Values with sentences that were written of images; class names in them stand in quotes or alone."""
_CODE = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|<style>.*?</style>|<[^>]*>)", re.DOTALL)


def render(template: str, context: Mapping[str, Any], *, noun: str = IMAGE, whole: bool = False) -> str:
    """The text of a page.

    template: a file in `report/templates/`. context: the values that it names. noun: what an item is called. whole:
    show all of a text, not its beginning.
    """
    said = {name: _reworded(value, noun) if name in _PROSE else value for name, value in context.items()}
    return _environment(noun, whole).get_template(template).render(said)


def _reworded(value: Any, noun: str) -> Any:
    """Sentences and words of the page with another noun; what has no blank is a name, and stays."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return reword(value, noun) if " " in value or value in ("images", "image") else value
    if type(value) in (list, tuple):
        return type(value)(_reworded(item, noun) for item in value)
    if isinstance(value, dict):
        return {key: item if key in ("kind", "layout") else _reworded(item, noun) for key, item in value.items()}
    return value


def _reword_template(source: str, noun: str) -> str:
    """A template's own words with another noun; tags and expressions stay."""
    return "".join(part if i % 2 else reword(part, noun) for i, part in enumerate(_CODE.split(source)))


@functools.cache
def _environment(noun: str, whole: bool) -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        source = (TEMPLATES / name).read_text(encoding="utf-8")
        return _reword_template(source, noun) if name.endswith(".html") else source

    environment = Environment(
        loader=FunctionLoader(load),
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
    environment.globals |= {
        "colours": _COLOURS,
        "inline_image": functools.partial(inline_image, whole=whole),
        "rows_by_place": rows_by_place,
    }
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

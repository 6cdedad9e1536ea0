"""An audit of a data set as one page: the verdict, what was found of each kind, what to do, and pictures.

Takes what an audit found, in words and in parts that are HTML already (`side_by_side`); returns HTML text that needs
nothing besides itself. It looks for nothing, chooses no pictures and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headstart.report.galleries import STYLE
from headstart.report.page import facts, page, paragraphs, words
from headstart.report.plots.svg import GREEN, GRID, ORANGE, PALE, RED

_MARKS = {"good": GREEN, "look": ORANGE, "bad": RED}
_STYLE = f"""{STYLE}
h2 small {{ color: {PALE}; font-weight: normal; font-size: .9rem; }}
h3 {{ margin: 1.4rem 0 0; font-size: .95rem; }}
pre {{ margin: .6rem 0; padding: .6rem .8rem; background: #f1f3f5; border: 1px solid {GRID}; border-radius: 4px;
  font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 46rem; }}
a {{ color: inherit; }}
ul.reasons {{ margin: .6rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; }}
ul.reasons span {{ color: {PALE}; }}
"""


@dataclass(frozen=True, eq=False)
class Section:
    """The findings of one kind. words: what they mean. body: pictures, bars or a list, as HTML. left: not shown."""

    kind: str
    count: int
    proposal: str
    words: Sequence[str]
    body: str
    left: int = 0


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows.

    heading: what was audited. headline, sentences: what was found. look: 'good', 'look' or 'bad', for its colour.
    facts: of each a name, a value, a remark. advice, notes: sentences. commands: lines to type.
    """

    heading: str
    headline: str
    look: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]
    advice: Sequence[str]
    commands: Sequence[str]
    notes: Sequence[str]


def audit_page(shown: Shown) -> str:
    """The page's text."""
    return page(f"{shown.headline}: {shown.heading}", _parts(shown), _STYLE)


def reasons(pairs: Sequence[tuple[str, str]]) -> str:
    """Names with what is wrong with each, as a list."""
    items = "\n".join(f"<li>{words(name)} <span>{words(reason)}</span></li>" for name, reason in pairs)
    return f'<ul class="reasons">\n{items}\n</ul>'


def bars(counts: Sequence[tuple[str, int, bool]]) -> str:
    """How many images each class has, as bars. counts: of each its name, its images, and whether these are few."""
    most = max(count for _, count, _ in counts)
    rows = "\n".join(
        f'<tr><th class="name" title="{words(name)}">{words(name)}</th><td class="share">{count:,}</td>'
        f"<td>{_bar('now' if few else 'before', count / max(most, 1))}</td></tr>"
        for name, count, few in counts
    )
    return (
        '<table><thead><tr><th>class</th><th class="share">images</th><th></th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _parts(shown: Shown) -> Iterator[str]:
    yield f"<header>{paragraphs([shown.heading], 'pale')}"
    yield f'<div class="verdict" style="--mark: {_MARKS[shown.look]}"><h1>{words(shown.headline)}</h1>'
    yield f"{paragraphs(shown.sentences)}</div></header>"
    yield facts(shown.facts)
    if shown.sections:
        yield _contents(shown.sections)
    commands = "\n".join(map(words, shown.commands))
    typed = f"\n<pre>{commands}</pre>" if commands else ""
    yield f"<h2>What to do</h2>\n{paragraphs(shown.advice)}{typed}"
    if shown.notes:
        yield f"<h2>Notes</h2>\n{paragraphs(shown.notes, 'pale')}"
    yield from map(_section, shown.sections)


def _contents(sections: Sequence[Section]) -> str:
    rows = "\n".join(
        f'<tr><th><a href="#{_anchor(each.kind)}">{words(each.kind)}</a></th><td class="share">{each.count:,}</td>'
        f"<td>{words(each.proposal)}</td></tr>"
        for each in sections
    )
    return (
        '<table><thead><tr><th>found</th><th class="share">count</th><th>proposed</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _section(section: Section) -> str:
    left = f"And {section.left:,} more: --csv all.csv lists every finding." if section.left else ""
    return (
        f'<section><h2 id="{_anchor(section.kind)}">{words(section.kind.capitalize())} <small>{section.count:,}, '
        f"proposed: {words(section.proposal)}</small></h2>\n{paragraphs(section.words, 'pale')}\n{section.body}\n"
        f"{paragraphs([left], 'pale') if left else ''}</section>"
    )


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")


def _bar(kind: str, share: float) -> str:
    return f'<span class="bar {kind}" style="width: {16 * share:.2f}rem"></span>'

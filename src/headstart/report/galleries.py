"""Pictures that are to be compared, as HTML for a page: families of copies, and doubtful labels beside sure ones.

Takes sources with names and words, returns HTML text with small JPEGs inside; every word is escaped. `STYLE` holds the
rules that a page with them needs. It chooses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headstart.checks import quantity
from headstart.records.samples import ImageSource
from headstart.report.page import image, words
from headstart.report.plots.svg import GRID, PALE

_SIDE, _SMALL_SIDE = 208, 112
STYLE = f"""
.beside {{ display: flex; flex-wrap: wrap; align-items: flex-start; gap: .9rem; margin: .8rem 0 0; padding: 0;
  list-style: none; }}
.family, .question {{ border: 1px solid {GRID}; border-radius: 6px; padding: .6rem; max-width: 100%; }}
.family {{ display: flex; flex-wrap: wrap; gap: .6rem; }}
.family > .more {{ align-self: center; color: {PALE}; font-size: .85rem; padding: 0 .4rem; }}
.shot {{ width: 9rem; max-width: 100%; margin: 0; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }}
.shot img, .shot .gone, .typical img, .typical .gone {{ display: block; width: 100%; aspect-ratio: 1;
  object-fit: contain; background: #f1f3f5; border: 1px solid {GRID}; border-radius: 4px; }}
.shot .gone, .typical .gone {{ padding: .6rem; color: {PALE}; overflow: hidden; }}
.shot span {{ display: block; }}
.shot b {{ display: block; margin-top: .35rem; }}
.shot b, .typical b {{ font-weight: 600; }}
.question .path {{ margin-top: .35rem; }}
.shot .path, .shot .words, .question > p {{ color: {PALE}; }}
.question {{ display: grid; grid-template-columns: minmax(0, 9rem) minmax(0, 9.4rem); gap: 0 .8rem;
  width: 20.7rem; }}
.question > p {{ grid-column: 1 / -1; margin: .3rem 0 0; font-size: .8rem; line-height: 1.35; }}
.typical {{ margin: 0 0 .5rem; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }}
.typical > span {{ display: block; }}
.typical > div {{ display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; margin-top: .2rem; }}
.typical .none {{ color: {PALE}; }}
.typical .gone {{ font-size: .6rem; padding: .2rem; }}
@media print {{ .family, .question {{ break-inside: avoid; }} }}
"""


@dataclass(frozen=True)
class Named:
    """A name under which a picture is there. place: its class, and its split where there are several; '' for none."""

    name: str
    place: str = ""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture with every name under which it is there, and a few words below. more: names that are not given."""

    source: ImageSource
    names: Sequence[Named]
    words: str = ""
    more: int = 0


@dataclass(frozen=True, eq=False)
class Family:
    """Copies of one picture. more: how many are not shown."""

    shots: Sequence[Shot]
    more: int = 0


@dataclass(frozen=True, eq=False)
class Typical:
    """Sure pictures of a class. said: what speaks for it."""

    said: str
    label: str
    sources: Sequence[ImageSource]


@dataclass(frozen=True, eq=False)
class Question:
    """A picture with a doubtful label, what each of two classes looks like, and a sentence."""

    shot: Shot
    labelled: Typical
    suggested: Typical
    words: str


def shots(some: Iterable[Shot]) -> str:
    """Pictures in rows."""
    return _list("".join(f"<li>{_shot(each)}</li>\n" for each in some))


def families(some: Iterable[Family]) -> str:
    """Families of copies, each in a frame."""
    return _list("".join(_family(each) for each in some))


def questions(some: Iterable[Question]) -> str:
    """Doubtful labels, each in a frame with the classes to compare with."""
    return _list("".join(map(_question, some)))


def _list(items: str) -> str:
    return f'<ul class="beside">\n{items}</ul>'


def _family(family: Family) -> str:
    more = f'<span class="more">and {family.more:,} more</span>' if family.more else ""
    return f'<li class="family">{"".join(map(_shot, family.shots))}{more}</li>\n'


def _question(question: Question) -> str:
    sides = f"<div>{_typical(question.labelled)}{_typical(question.suggested)}</div>"
    return f'<li class="question">{_shot(question.shot)}{sides}<p>{words(question.words)}</p></li>\n'


def _shot(shot: Shot) -> str:
    below = _names(shot.names)
    below += f'<span class="path">and {quantity(shot.more, "more name")}</span>' if shot.more else ""
    below += f'<span class="words">{words(shot.words)}</span>' if shot.words else ""
    return (
        f'<figure class="shot">{image(shot.source, shot.names[0].name, _SIDE)}<figcaption>{below}</figcaption></figure>'
    )


def _names(names: Sequence[Named]) -> str:
    """The names, those of one place below it."""
    below, before = "", ""
    for named in names:
        below += f"<b>{_breaking(named.place)}</b>" if named.place != before else ""
        below += f'<span class="path">{_breaking(named.name)}</span>'
        before = named.place
    return below


def _breaking(text: str) -> str:
    """Words that may go on in the next line where the parts of a path or of a name end."""
    return words(text).replace("/", "/<wbr>").replace("_", "_<wbr>")


def _typical(typical: Typical) -> str:
    name = f"<span>{words(typical.said)} <b>{_breaking(typical.label)}</b></span>"
    small = "".join(image(source, typical.label, _SMALL_SIDE) for source in typical.sources)
    below = f"<div>{small}</div>" if small else '<span class="none">no sure picture of it</span>'
    return f'<section class="typical">{name}{below}</section>'

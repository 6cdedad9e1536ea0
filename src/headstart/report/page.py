"""The pieces of a self-contained page: a shell without scripts, galleries of pictures inside the file, bars.

Takes words and pictures, returns HTML text; every word is escaped, every picture is a JPEG in the page itself, and a
policy in its head forbids the reader's browser to load anything. It measures nothing and writes no file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from headstart.checks import printable
from headstart.data.images.decode import read_image
from headstart.errors import UnreadableImage
from headstart.records.samples import ImageSource
from headstart.report.plots.svg import BLUE, GRID, INK, ORANGE, PALE

_SIDE = 256
_QUALITY = 82
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 72rem; background: #fff; color: {INK};
  font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ margin: 0; font-size: 1.55rem; line-height: 1.25; }}
h2 {{ margin: 2.2rem 0 .4rem; font-size: 1.1rem; }}
p {{ margin: .4rem 0; max-width: 46rem; overflow-wrap: anywhere; }}
header > p {{ max-width: none; }}
.pale {{ color: {PALE}; }}
.verdict {{ border-left: 6px solid var(--mark); padding: .2rem 0 .2rem 1rem; margin: .9rem 0 1.2rem; }}
.facts {{ display: flex; flex-wrap: wrap; gap: .8rem 2.6rem; margin: 1.2rem 0; }}
.facts dt {{ color: {PALE}; font-size: .85rem; }}
.facts dd {{ margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }}
.facts dd small {{ color: {PALE}; font-size: .85rem; }}
.sides {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); gap: 0 2.4rem; }}
.sides .pale {{ min-height: 3rem; }}
.pictures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem .8rem;
  margin: .8rem 0 0; padding: 0; list-style: none; }}
.pictures img, .pictures .gone {{ display: block; width: 100%; aspect-ratio: 1; object-fit: contain;
  background: #f1f3f5; border: 1px solid {GRID}; border-radius: 4px; }}
.pictures .gone {{ padding: 1rem; color: {PALE}; font-size: .85rem; }}
.pictures .name {{ display: block; margin-top: .3rem; font-size: .8rem; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }}
.pictures .words {{ display: block; color: {PALE}; font-size: .8rem; }}
svg {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem 1rem .15rem 0; text-align: left; font-weight: normal; white-space: nowrap; }}
thead th {{ color: {PALE}; font-size: .85rem; }}
thead th.share {{ text-align: right; }}
th.name {{ max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }}
td.share {{ text-align: right; }}
.bar {{ display: block; height: .5rem; margin: 1px 0; border-radius: 1px; }}
.before {{ background: {BLUE}; }}
.now {{ background: {ORANGE}; }}
@media print {{ li {{ break-inside: avoid; }} }}
"""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with its name and a few words below it."""

    source: ImageSource
    name: str
    words: str = ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures under a title, with a sentence on what they are."""

    title: str
    words: str
    pictures: Sequence[Picture]


def page(title: str, parts: Iterable[str], style: str = "") -> str:
    """The whole file's text, from parts that are HTML already. style: rules for this page alone."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{words(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def words(text: str) -> str:
    r"""Text for a page: markup is escaped, control characters are spelt out.

    >>> words("a<b>\x07 & 'c'")
    'a&lt;b&gt;\\x07 &amp; &#x27;c&#x27;'
    """
    return escape(printable(text))


def paragraphs(sentences: Iterable[str], look: str = "") -> str:
    """A paragraph for each sentence."""
    kind = f' class="{look}"' if look else ""
    return "\n".join(f"<p{kind}>{words(each)}</p>" for each in sentences)


def facts(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Numbers that matter: of each its name, its value, and a remark in small print."""
    shown = (
        f"<div><dt>{words(name)}</dt><dd>{words(value)} <small>{words(remark)}</small></dd></div>"
        for name, value, remark in pairs
    )
    return f'<dl class="facts">{"".join(shown)}</dl>'


def gallery(shown: Gallery) -> str:
    """A gallery, its pictures inside the page."""
    tiles = "\n".join(_tile(picture) for picture in shown.pictures)
    return (
        f"<section><h2>{words(shown.title)}</h2>\n{paragraphs([shown.words], 'pale')}\n"
        f'<ul class="pictures">\n{tiles}\n</ul></section>'
    )


def _tile(picture: Picture) -> str:
    last = picture.name.replace("\\", "/").rstrip("/").rpartition("/")[2] or picture.name
    name = f'<span class="name" title="{words(picture.name)}">{words(last)}</span>'
    shown = image(picture.source, picture.name)
    below = f'<span class="words">{words(picture.words)}</span>' if picture.words else ""
    return f"<li>{shown}{name}{below}</li>"


def image(source: ImageSource, name: str, side: int = _SIDE) -> str:
    """A picture inside the page; where it cannot be read any more, the reason in its place. side: as in `data_uri`."""
    try:
        return f'<img src="{data_uri(source, side)}" alt="{words(name)}">'
    except UnreadableImage as reason:
        return f'<span class="gone">It cannot be read any more: {words(str(reason))}.</span>'


def data_uri(source: ImageSource, side: int = _SIDE) -> str:
    """A picture as a JPEG in a data URI; raises `UnreadableImage`. side: the longer one's most pixels."""
    picture = read_image(source, near=side)
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"

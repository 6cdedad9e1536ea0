"""A web proxy that inspects requests: tabs, the list of requests, and one request and response as they were sent.

`draw` fills a canvas; what stands on it comes from the canvas's random source.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import TypeAlias

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.tables import bar_of_words, head_row, spread, table_row
from headstart.demo.screens.themes import mix

_Part: TypeAlias = tuple[str, str]
"""Words, and the name of their colour in the theme."""

_TABS = ("Dashboard", "Site map", "Intercept", "History", "Replay", "Fuzzer", "Decoder", "Compare", "Log", "Options")
_KINDS = {
    "html": "text/html",
    "json": "application/json",
    "js": "text/javascript",
    "css": "text/css",
    "png": "image/png",
}
_STATUS = {200: "OK", 201: "Created", 302: "Found", 304: "Not Modified", 401: "Unauthorized", 403: "Forbidden"}
_STATUS |= {404: "Not Found", 500: "Internal Server Error"}


def draw(canvas: Canvas) -> None:
    """Draw a request inspector over the whole canvas."""
    random, u = canvas.random, canvas.size
    box = draw_frame(
        canvas,
        random.choice(("Proxy - Temporary project", "Request inspector", f"Proxy - {content.word(random)}.session")),
    )
    tabs = Box(box.left, box.top, box.right, box.top + round(2 * u))
    bar_of_words(canvas, tabs, _TABS, chosen=random.randrange(2, 5))
    box = _tools(canvas, Box(box.left, tabs.bottom, box.right, box.bottom))
    method, path, host = random.choice(("GET", "POST", "PUT")), content.path(random), content.site(random)
    if random.random() < 0.8:
        listing, box = _divide(canvas, box)
        with canvas.pane(listing) as pane:
            _list(pane, (method, path, host))
    panes = (box.columns if box.width > 44 * u else box.rows)(1, random.uniform(0.8, 1.3))
    _message(canvas, panes[0], "Request", _request(random, method, path, host))
    _message(canvas, panes[1], "Response", _response(random))


def _divide(canvas: Canvas, box: Box) -> list[Box]:
    """The boxes of the list and of the messages: beside one another in some wide windows, else above."""
    if box.width > 1.5 * box.height and canvas.random.random() < 0.3:
        return box.columns(1, canvas.random.uniform(0.9, 1.3))
    return box.rows(canvas.random.uniform(0.5, 1.2), 1)


def _tools(canvas: Canvas, box: Box) -> Box:
    """Buttons or a line that says what is filtered; returns the box below."""
    random, u = canvas.random, canvas.size
    bar = Box(box.left, box.top, box.right, box.top + round(2.3 * u))
    canvas.rect(bar, canvas.theme.panel)
    if random.random() < 0.5:
        words = "Filter: hiding images, style sheets and general binary content"
        canvas.text((bar.left + u, bar.top + round(0.5 * u)), words, canvas.theme.muted, width=bar.width - 2 * u)
    else:
        x = bar.left + u // 2
        for i, words in enumerate(("Forward", "Drop", "Intercept is on", "Send", "Follow redirect")):
            if x + canvas.width_of(words) + 2 * u > bar.right:
                break
            x += canvas.button((x, bar.top + round(0.3 * u)), words, chosen=i == 2) + u // 2
    canvas.across(bar.bottom - 1)
    return Box(box.left, bar.bottom, box.right, box.bottom)


def _list(pane: Canvas, chosen: tuple[str, str, str]) -> None:
    random, theme = pane.random, pane.theme
    narrow = pane.box.width < 50 * pane.size
    headers = ("#", "Host", "Method", "URL", "Status", "Length", "Type", "Time")
    shares = (0.9 if narrow else 0.6, 2.2, 1.1, 4.2, 0.9, 0.9, 0.8, 1.1)
    count = 5 if narrow else len(headers)
    widths = spread(pane.box.width, *shares[:count])
    y, number = head_row(pane, widths, headers[:count], 0), random.randint(1, 800)
    rows = max(2, (pane.box.height - y) // pane.row)
    at, time, striped = random.randrange(rows), content.moment(random), random.random() < 0.5
    for i in range(rows + 1):
        method, path, host = (
            chosen
            if i == at
            else (random.choice(("GET", "GET", "POST", "PUT")), content.path(random), content.site(random))
        )
        fill = theme.tint(theme.line, 0.25) if striped and i % 2 else theme.panel
        if random.random() < 0.06:
            fill = theme.tint(random.choice(theme.series), 0.4)  # a request marked by hand
        fill = theme.selected if i == at else fill
        pane.rect(Box(0, y, pane.box.right, y + pane.row), fill)
        kind = random.choice(tuple(_KINDS))
        words = (
            str(number + i),
            f"https://{host}",
            method,
            path,
            str(random.choice(tuple(_STATUS))),
            str(random.randint(90, 90000)),
            kind,
            f"{time:%H:%M:%S}",
        )
        y = table_row(pane, widths, words[:count], y)
        time += timedelta(seconds=random.randint(0, 9))
    x = 0
    for wide in widths:
        x += wide
        pane.down(x - 1, 0, pane.box.bottom, mix(theme.panel, theme.line, 0.5))


def _message(canvas: Canvas, box: Box, name: str, lines: Iterator[list[_Part]]) -> None:
    """A pane with its heading, its tabs and a message in raw form."""
    random, u = canvas.random, canvas.size
    canvas.rect(Box(box.left, box.top, box.right, box.top + round(1.7 * u)), canvas.theme.panel)
    canvas.text((box.left + u // 2, box.top + round(0.3 * u)), name, bold=True, width=box.width - u)
    tabs = Box(box.left, box.top + round(1.7 * u), box.right, box.top + round(3.4 * u))
    bar_of_words(
        canvas,
        tabs,
        ("Raw", "Pretty", "Headers", "Hex", "Render")[: 5 if name == "Response" else 4],
        chosen=random.randrange(2),
    )
    with canvas.pane(Box(box.left, tabs.bottom, box.right, box.bottom)) as pane:
        _raw(pane, lines)
    canvas.rect(box, outline=canvas.theme.line)


def _raw(pane: Canvas, lines: Iterator[list[_Part]]) -> None:
    """Lines with their numbers; long ones go on below, as an editor shows them."""
    u, cell, theme = pane.size, pane.cell, pane.theme
    room, margin = max(10, pane.box.width // cell - 5), 4 * cell
    pane.rect(Box(0, 0, margin - cell // 2, pane.box.bottom), theme.tint(theme.line, 0.3))
    y = u // 4
    for number, parts in enumerate(lines, 1):
        if y > pane.box.bottom:
            break
        pane.cells((cell // 2, y), f"{number:>2}", theme.muted)
        column = 0
        for words, colour in parts:
            for start in words:
                if column == room:
                    column, y = 0, y + round(1.4 * u)
                pane.cells((margin + column * cell, y), start, getattr(theme, colour))
                column += 1
        y += round(1.4 * u)


def _request(random: Random, method: str, path: str, host: str) -> Iterator[list[_Part]]:
    yield [(method, "accent"), (f" {path} ", "text"), (f"HTTP/{random.choice(('1.1', '2'))}", "muted")]
    yield _header("Host", host)
    yield _header(
        "Cookie", f"session={content.hexadecimal(random, random.choice((16, 32)))}; theme={content.word(random)}"
    )
    yield _header("User-Agent", content.agent(random))
    for name, value in _sample_fields(
        random,
        (
            ("Accept", "*/*"),
            ("Accept-Language", "en-GB,en;q=0.8"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Origin", f"https://{host}"),
            ("Referer", f"https://{host}/{content.word(random)}"),
            ("X-Forwarded-For", content.address(random)),
            ("Authorization", f"Bearer {content.hexadecimal(random, 40)}"),
            ("Connection", "keep-alive"),
        ),
    ):
        yield _header(name, value)
    if method == "GET":
        return
    if random.random() < 0.5:
        yield [("Content-Type", "notice"), (": application/json", "text")]
        yield []
        yield from _json(random)
    else:
        yield [("Content-Type", "notice"), (": application/x-www-form-urlencoded", "text")]
        yield []
        yield [
            ("user", "notice"),
            (f"={content.user(random)}&", "text"),
            (content.word(random), "notice"),
            (f"={content.payload(random)}", "alarm"),
        ]


def _response(random: Random) -> Iterator[list[_Part]]:
    status = random.choice(tuple(_STATUS))
    kind = random.choice(("html", "json"))
    yield [("HTTP/1.1", "muted"), (f" {status} {_STATUS[status]}", "accent")]
    yield _header("Date", content.http_date(content.moment(random)))
    yield _header("Content-Type", f"{_KINDS[kind]}; charset=utf-8")
    yield _header("Server", random.choice(("httpd", "edge", "gateway")) + f"/{content.version(random)}")
    for name, value in _sample_fields(
        random,
        (
            ("Set-Cookie", f"session={content.hexadecimal(random, 32)}; Secure; HttpOnly"),
            ("Cache-Control", "no-store"),
            ("X-Frame-Options", "DENY"),
            ("Vary", "Accept-Encoding"),
            ("X-Request-Id", content.hexadecimal(random, 24)),
            ("Strict-Transport-Security", "max-age=31536000"),
        ),
    ):
        yield _header(name, value)
    yield _header("Content-Length", str(random.randint(90, 90000)))
    yield []
    yield from _json(random) if kind == "json" else _html(random)


def _header(name: str, value: str) -> list[_Part]:
    return [(name, "notice"), (f": {value}", "text")]


def _sample_fields(random: Random, headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return random.sample(headers, random.randint(1, len(headers)))


def _json(random: Random) -> Iterator[list[_Part]]:
    yield [("{", "text")]
    for _ in range(random.randint(3, 14)):
        value = random.choice(
            (
                f'"{content.word(random)}"',
                str(random.randint(1, 9999)),
                "true",
                "null",
                f'"{content.payload(random)}"',
                f'"{content.user(random)}"',
            )
        )
        yield [(f'  "{content.word(random)}"', "notice"), (": ", "text"), (value, "good"), (",", "text")]
    yield [("}", "text")]


def _html(random: Random) -> Iterator[list[_Part]]:
    yield [("<!doctype html>", "muted")]
    yield [("<html><head>", "accent")]
    yield [
        ("  <title>", "accent"),
        (f"{content.word(random).title()} {content.word(random)}", "text"),
        ("</title>", "accent"),
    ]
    yield [("</head><body>", "accent")]
    for _ in range(random.randint(3, 16)):
        tag, name = random.choice(("div", "p", "li", "a", "span", "h2")), content.word(random)
        yield [
            (f"  <{tag} ", "accent"),
            (f'class="{name}"', "notice"),
            (">", "accent"),
            (f"{content.word(random)} {content.word(random)}", "text"),
            (f"</{tag}>", "accent"),
        ]
    yield [("</body></html>", "accent")]

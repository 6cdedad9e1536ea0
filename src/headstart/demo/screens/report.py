"""A vulnerability report: a page with severity counts, a table of findings, and findings described in prose.

`draw` fills a canvas; what stands on it comes from the canvas's random source. The page is longer than the window and
shown from a point that is drawn too.
"""

from __future__ import annotations

from itertools import cycle
from typing import TypeAlias

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.themes import mix, on

_TITLES = (
    "Vulnerability assessment report",
    "Penetration test report",
    "Security scan results",
    "Vulnerability report",
)

_Finding: TypeAlias = tuple[str, str, float]
"""A weakness: title, meaning, CVSS score."""


def draw(canvas: Canvas) -> None:
    """Draw a report over the whole canvas."""
    random, u, theme = canvas.random, canvas.size, canvas.theme
    box = draw_frame(canvas, f"{random.choice(_TITLES)} - {content.word(random)}")
    canvas.rect(box, random.choice((theme.page, theme.chrome, theme.panel)))
    wide = min(box.width - u, random.choice((46, 60, 75, 95)) * u)
    left = box.left + (box.width - wide) // 2
    sheet = Box(left, box.top, left + wide, box.bottom)
    with canvas.pane(sheet) as pane:
        _page(pane, shift=round(random.choice((0.0, 0.0, 0.3, 0.7)) * sheet.height))
    canvas.rect(sheet, outline=theme.line)
    if random.random() < 0.7:
        _scroll_bar(canvas, box)


def _scroll_bar(canvas: Canvas, box: Box) -> None:
    wide, high = max(6, canvas.size // 2), box.height // canvas.random.randint(3, 8)
    top = box.top + canvas.random.randrange(max(1, box.height - high))
    canvas.rect(Box(box.right - wide, box.top, box.right, box.bottom), canvas.theme.chrome)
    canvas.rect(Box(box.right - wide + 1, top, box.right - 1, top + high), canvas.theme.muted, radius=wide // 3)


def _page(pane: Canvas, shift: int) -> None:
    """The whole page, `shift` pixels of it above the window."""
    random, u = pane.random, pane.size
    edge = Box(2 * u, u - shift, pane.box.width - 2 * u, 0)
    y = _title(pane, edge)
    findings = sorted((content.finding(random) for _ in range(random.randint(4, 9))), key=lambda finding: -finding[2])
    if random.random() < 0.7:
        y = _table(pane, edge._replace(top=_counts(pane, edge._replace(top=y))), findings)
    else:
        y = _counts(pane, edge._replace(top=_table(pane, edge._replace(top=y), findings)))
    for number, finding in enumerate(cycle(findings), 1):
        if y > pane.box.bottom:
            break
        y = _finding(pane, edge._replace(top=y), number, finding)


def _title(pane: Canvas, edge: Box) -> int:
    random, u, theme, y = pane.random, pane.size, pane.theme, edge.top
    if random.random() < 0.3:
        pane.rect(Box(0, y - u, pane.box.width, y + round(2.6 * u)), theme.accent)
        pane.text((edge.left, y), random.choice(_TITLES), on(theme.accent), scale=1.7, bold=True, width=edge.width)
    else:
        pane.text((edge.left, y), random.choice(_TITLES), scale=1.7, bold=True, width=edge.width)
    y += round(3 * u)
    facts = (
        f"Target: {content.host(random)}",
        f"Date: {content.day(content.moment(random))}",
        f"Author: {content.user(random)}",
        f"Version {random.randint(1, 4)}.{random.randint(0, 9)}",
    )
    pane.text((edge.left, y), "   |   ".join(facts), theme.muted, width=edge.width)
    y += 2 * u
    if random.random() < 0.7:
        y = _heading(pane, edge._replace(top=y), "Executive summary")
        y = pane.wrap_text(edge._replace(top=y), content.paragraph(random, random.randint(2, 4))) + u
    return y


def _heading(pane: Canvas, edge: Box, words: str) -> int:
    pane.text((edge.left, edge.top), words, pane.theme.accent, scale=1.25, bold=True, width=edge.width)
    y = edge.top + round(1.8 * pane.size)
    pane.across(y, left=edge.left, right=edge.right)
    return y + pane.size // 2


def _counts(pane: Canvas, edge: Box) -> int:
    """How many findings of each severity: filled boxes, outlined boxes or a bar."""
    random, u, theme, y = pane.random, pane.size, pane.theme, edge.top
    numbers = [random.randint(0, most) for most in (6, 15, 40, 60, 90)]
    if random.random() < 0.25:
        return _bar(pane, edge, numbers)
    filled, high = random.random() < 0.6, round(4 * u)
    cells = Box(edge.left, y, edge.right, y + high).columns(*[1] * 5)
    for severity, number, cell in zip(content.SEVERITIES, numbers, cells, strict=True):
        colour = pane.theme.severity(severity)
        part = Box(cell.left, cell.top, cell.right - u // 2, cell.bottom)
        pane.rect(part, colour if filled else theme.panel, colour, radius=4)
        ink = on(colour) if filled else colour
        pane.text(
            (part.left, part.top + round(0.3 * u)),
            str(number),
            ink,
            scale=1.7,
            bold=True,
            width=part.width,
            align="centre",
        )
        pane.text((part.left, part.top + round(2.5 * u)), severity, ink, width=part.width, align="centre")
    return y + high + u


def _bar(pane: Canvas, edge: Box, numbers: list[int]) -> int:
    u, y = pane.size, edge.top
    numbers = [number + 8 for number in numbers]
    for severity, number, cell in zip(
        content.SEVERITIES, numbers, Box(edge.left, y, edge.right, y + 2 * u).columns(*numbers), strict=True
    ):
        colour = pane.theme.severity(severity)
        pane.rect(cell, colour)
        pane.text((cell.left, y + u // 3), str(number), on(colour), width=cell.width, align="centre")
        pane.text((cell.left, y + round(2.3 * u)), severity, pane.theme.muted, scale=0.85, width=cell.width - 2)
    return y + round(4.5 * u)


def _table(pane: Canvas, edge: Box, findings: list[_Finding]) -> int:
    random, u, theme = pane.random, pane.size, pane.theme
    y = _heading(pane, edge, random.choice(("Summary of findings", "Findings", "Vulnerabilities by severity")))
    columns = (0, round(4.5 * u), round(10 * u), round(13.5 * u))
    target = edge.right - round(11 * u) if edge.width > 40 * u else edge.right
    pane.rect(Box(edge.left, y, edge.right, y + pane.row), theme.chrome)
    for x, words in zip(columns, ("ID", "Severity", "CVSS", "Finding"), strict=True):
        pane.text((edge.left + x + u // 3, y + round(0.2 * u)), words, bold=True)
    if target < edge.right:
        pane.text((target, y + round(0.2 * u)), "Affected host", bold=True)
    y += pane.row
    letters = content.pick(random, "VA", "F", "SEC")
    for i, (title, _, score) in enumerate(findings, 1):
        severity = _severity(score)
        pane.text((edge.left + u // 3, y + round(0.2 * u)), f"{letters}-{i:02d}", width=4 * u)
        pane.badge(
            (edge.left + columns[1], y + round(0.2 * u)),
            severity,
            pane.theme.severity(severity),
            width=round(4.8 * u),
        )
        pane.text((edge.left + columns[2] + u // 3, y + round(0.2 * u)), f"{score:.1f}")
        pane.text(
            (edge.left + columns[3] + u // 3, y + round(0.2 * u)),
            title,
            width=target - edge.left - columns[3] - u,
        )
        if target < edge.right:
            pane.text(
                (target, y + round(0.2 * u)), content.private_address(random), theme.muted, width=edge.right - target
            )
        y += pane.row
        pane.across(y - 1, mix(theme.panel, theme.line, 0.6), left=edge.left, right=edge.right)
    return y + round(1.3 * u)


def _severity(score: float) -> str:
    """The severity of a CVSS score (version 3.1, table 14)."""
    return next(name for name, low in zip(content.SEVERITIES, (9.0, 7.0, 4.0, 0.1, 0.0), strict=True) if score >= low)


def _finding(pane: Canvas, edge: Box, number: int, finding: _Finding) -> int:
    random, u, theme, y = pane.random, pane.size, pane.theme, edge.top
    title, meaning, score = finding
    severity = _severity(score)
    wide = pane.badge((edge.left, y), f"{severity}  {score:.1f}", pane.theme.severity(severity), scale=1.0)
    pane.text((edge.left + wide + u, y), f"{number}. {title}", scale=1.2, bold=True, width=edge.width - wide - u)
    y += round(2 * u)
    metrics = (
        ("AV", "NAL"),
        ("AC", "LH"),
        ("PR", "NLH"),
        ("UI", "NR"),
        ("S", "UC"),
        ("C", "HL"),
        ("I", "HL"),
        ("A", "HLN"),
    )
    vector = f"{content.cve(random)}    CVSS:3.1/" + "/".join(f"{name}:{random.choice(of)}" for name, of in metrics)
    pane.text((edge.left, y), vector, theme.muted, width=edge.width)
    y += round(1.7 * u)
    text = f"{meaning.capitalize()}. {content.paragraph(random, random.randint(1, 4))}"
    y = pane.wrap_text(edge._replace(top=y), text) + u // 2
    if random.random() < 0.6:
        y = _evidence(pane, edge._replace(top=y))
    return _advice(pane, edge._replace(top=y)) + u


def _evidence(pane: Canvas, edge: Box) -> int:
    random, u, theme = pane.random, pane.size, pane.theme
    lines = [
        f"GET {content.path(random)} HTTP/1.1",
        f"Host: {content.site(random)}",
        f"X-Test: {content.payload(random)}",
        "",
        "HTTP/1.1 200 OK",
    ][: random.randint(2, 5)]
    box = Box(edge.left, edge.top, edge.right, edge.top + round((1.4 * len(lines) + 1) * u))
    pane.rect(box, theme.page, theme.line)
    for i, line in enumerate(lines):
        pane.cells((box.left + u // 2, box.top + round((0.4 + 1.4 * i) * u)), line[: (box.width - u) // pane.cell])
    return box.bottom + u // 2


def _advice(pane: Canvas, edge: Box) -> int:
    random, u = pane.random, pane.size
    pane.text((edge.left, edge.top), random.choice(("Recommendation", "Remediation")), bold=True)
    y = edge.top + round(1.6 * u)
    for _ in range(random.randint(1, 3)):
        dot = y + round(0.6 * u)
        pane.draw.ellipse((edge.left + u // 2, dot, edge.left + u // 2 + u // 3, dot + u // 3), pane.theme.text)
        words = random.choice(
            (
                f"Update the {content.word(random)} service to {content.version(random)} or later.",
                f"Restrict access to {content.private_address(random)} to the {content.word(random)} team.",
                f"Check every {content.word(random)} value on the server before it is used.",
                f"Change the {content.word(random)} secrets and watch their use.",
            )
        )
        y = pane.wrap_text(Box(edge.left + round(1.5 * u), y, edge.right, 0), words)
    return y + u // 2

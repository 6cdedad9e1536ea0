"""A dashboard of security events: counters, charts and a table of alerts, with a menu at the side or on top.

`draw` fills a canvas; what stands on it comes from the canvas's random source.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.charts import bars, columns, curves, grid, ring
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.tables import bar_of_words, head_row, spread, table_row
from headstart.demo.screens.themes import mix

_MENU = ("Overview", "Alerts", "Events", "Hosts", "Network", "Users", "Cases", "Rules", "Reports", "Settings")
_TITLES = ("Security overview", "Threat monitoring", "SOC dashboard", "Authentication activity", "Perimeter events")
_SPANS = ("Last 15 minutes", "Last 24 hours", "Last 7 days", "Today", "Last 30 days")
_COUNTERS = {
    "Events": 9_000_000,
    "Open alerts": 900,
    "Critical": 60,
    "Failed logins": 40_000,
    "Hosts at risk": 300,
    "Blocked": 800_000,
    "Data out (GB)": 5_000,
    "Users": 20_000,
    "Events/s": 9_000,
}
"""Counters with the most that they show."""
_TIMES = ("Events over time", "Blocked traffic", "Bytes out", "Logins", "Alerts over time")
_PARTS = ("Top sources", "Top rules", "Top services", "By group", "Event types")
_PANELS = {columns: _TIMES, curves: _TIMES, ring: _PARTS, bars: _PARTS, grid: ("Logins by hour", "Alerts by hour")}
"""Charts with the titles that suit them."""
_RULES = (
    "Brute force on {word} login",
    "Possible data exfiltration to {ip}",
    "Malware beacon from {host}",
    "New administrator: {user}",
    "Impossible travel for {user}",
    "Port scan from {ip}",
    "Suspicious script on {host}",
    "DNS tunnel to {ip}",
    "Log source silent: {host}",
    "Privilege change by {user}",
)


def draw(canvas: Canvas) -> None:
    """Draw a dashboard over the whole canvas."""
    random, u = canvas.random, canvas.size
    title = random.choice(_TITLES)
    box = draw_frame(canvas, title)
    if random.random() < 0.55 and box.width > 45 * u:
        side = Box(box.left, box.top, box.left + round(random.choice((3, 10)) * u), box.bottom)
        _side(canvas, side)
        box = Box(side.right, box.top, box.right, box.bottom)
    else:
        bar = Box(box.left, box.top, box.right, box.top + round(2.2 * u))
        bar_of_words(canvas, bar, _MENU, chosen=random.randrange(4))
        box = Box(box.left, bar.bottom, box.right, box.bottom)
    box = _heading(canvas, box, title)
    body = box.shrunk(u // 2)
    counters = Box(body.left, body.top, body.right, body.top + round(4.6 * u))
    _counters(canvas, counters)
    rest = Box(body.left, counters.bottom + u // 2, body.right, body.bottom)
    _body(canvas, rest)


def _body(canvas: Canvas, box: Box) -> None:
    """Panels with charts, and the table of alerts below, above or beside them."""
    random, u = canvas.random, canvas.size
    if box.width > 1.6 * box.height and random.random() < 0.35:
        charts, alerts = box.columns(1, random.uniform(0.6, 1))
    else:
        charts, alerts = box.rows(random.uniform(1, 1.6), 1)
        if random.random() < 0.15:
            alerts, charts = box.rows(1, random.uniform(1, 1.6))
    lines = max(1, min(3, charts.height // (11 * u)))
    for row in charts.rows(*[1] * lines):
        count = max(1, min(random.randint(2, 4), row.width // (16 * u)))
        for part in row.columns(*[random.choice((1, 1, 1.6)) for _ in range(count)]):
            chart = random.choice((columns, *_PANELS))
            chart(canvas, _panel(canvas, part, random.choice(_PANELS[chart])))
    _alerts(canvas, alerts)


def _panel(canvas: Canvas, part: Box, title: str) -> Box:
    """A panel with its title; returns the box inside."""
    u = canvas.size
    edge = Box(part.left + u // 4, part.top + u // 4, part.right - u // 4, part.bottom - u // 4)
    canvas.rect(edge, canvas.theme.panel, canvas.theme.line, radius=3)
    canvas.text((edge.left + u // 2, edge.top + u // 3), title, bold=True, width=edge.width - u)
    return Box(edge.left + u // 2, edge.top + round(2.1 * u), edge.right - round(0.7 * u), edge.bottom - u // 2)


def _side(canvas: Canvas, box: Box) -> None:
    u, theme, random = canvas.size, canvas.theme, canvas.random
    canvas.rect(box, random.choice((theme.chrome, mix(theme.accent, (0, 0, 0), 0.75) if theme.dark else theme.chrome)))
    chosen = random.randrange(5)
    for i, words in enumerate(_MENU):
        y = box.top + round((1 + 2.4 * i) * u)
        if y + 2 * u > box.bottom:
            break
        if i == chosen:
            canvas.rect(Box(box.left, y - u // 2, box.right, y + round(1.7 * u)), theme.selected)
        canvas.rect(
            Box(box.left + u, y, box.left + 2 * u, y + u), theme.accent if i == chosen else theme.muted, radius=2
        )
        if box.width > 5 * u:
            canvas.text((box.left + round(2.7 * u), y - u // 10), words, width=box.width - 3 * u)
    canvas.down(box.right - 1, box.top, box.bottom)


def _heading(canvas: Canvas, box: Box, title: str) -> Box:
    """The title, the span of time and a search field; returns the box below."""
    random, u, theme = canvas.random, canvas.size, canvas.theme
    y = box.top + u // 2
    wide = canvas.text((box.left + u, y), title, scale=1.4, bold=True, width=box.width // 2)
    span = random.choice(_SPANS)
    right = box.right - u - canvas.width_of(span) - u
    canvas.button((right, y), span, chosen=random.random() < 0.3)
    field = Box(box.left + wide + 3 * u, y, right - u, y + round(1.7 * u))
    if field.width > 8 * u and random.random() < 0.7:
        canvas.rect(field, theme.panel, theme.line, radius=3)
        query = random.choice(
            (
                f"severity:high AND host:{content.short_host(random)}",
                f"src_ip={content.address(random)}",
                "Search events ...",
            )
        )
        canvas.text((field.left + u // 2, field.top + u // 4), query, theme.muted, width=field.width - u)
    return Box(box.left, box.top + round(2.5 * u), box.right, box.bottom)


def _counters(canvas: Canvas, box: Box) -> None:
    random, u, theme = canvas.random, canvas.size, canvas.theme
    count = max(2, min(random.randint(3, 7), box.width // (8 * u)))
    filled = random.random() < 0.3
    for name, part in zip(random.sample(list(_COUNTERS), count), box.columns(*[1] * count), strict=True):
        edge = Box(part.left + u // 4, part.top, part.right - u // 4, part.bottom)
        colour = random.choice((theme.accent, theme.alarm, theme.warning, theme.good, theme.text))
        canvas.rect(edge, theme.tint(colour, 0.3) if filled else theme.panel, theme.line, radius=3)
        number = random.randint(_COUNTERS[name] // 30, _COUNTERS[name])
        words = f"{number:,}" if canvas.width_of(f"{number:,}", scale=1.7) < edge.width - u else f"{number / 1e6:.1f} M"
        canvas.text(
            (edge.left, edge.top + round(0.5 * u)),
            words,
            theme.text if filled else colour,
            scale=1.7,
            bold=True,
            width=edge.width,
            align="centre",
        )
        canvas.text(
            (edge.left, edge.top + round(2.9 * u)),
            name,
            theme.muted if not filled else theme.text,
            width=edge.width,
            align="centre",
        )


def _alerts(canvas: Canvas, box: Box) -> None:
    random = canvas.random
    inside = _panel(canvas, box, random.choice(("Latest alerts", "Open alerts", "Notable events", "Alert queue")))
    with canvas.pane(inside) as pane:
        _alert_rows(pane)


def _alert_rows(pane: Canvas) -> None:
    random, u = pane.random, pane.size
    headers = ("Time", "Severity", "Rule", "Source", "Status")
    room = pane.box.width - round(11.5 * u)  # what is left beside time and severity
    count = 5 if room > 26 * u else 4 if room > 20 * u else 3
    widths = (round(5.5 * u), 6 * u, *spread(room, *(3, 1.3, 1)[: count - 2]))
    y, time = head_row(pane, widths, headers[:count], 0), content.moment(random)
    while y < pane.box.bottom:
        severity = random.choice(content.SEVERITIES)
        status = random.choice(("Open", "New", "Triage", "Closed", "Assigned"))
        words = (f"{time:%H:%M:%S}", "", _rule(random), content.private_address(random), status)
        pane.badge((widths[0] + u // 3, y + round(0.2 * u)), severity, pane.theme.severity(severity), scale=0.8)
        y = table_row(pane, widths, words[:count], y)
        pane.across(y - 1, mix(pane.theme.panel, pane.theme.line, 0.5))
        time -= timedelta(seconds=random.randint(1, 400))


def _rule(random: Random) -> str:
    """What an alert says."""
    return random.choice(_RULES).format(
        word=content.word(random),
        ip=content.address(random),
        host=content.short_host(random),
        user=content.user(random),
    )

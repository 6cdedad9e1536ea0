"""Charts of a dashboard: columns over time, curves, rings, bars and grids, drawn into a box of a canvas.

They show numbers drawn from the canvas's random source and nothing else.
"""

from __future__ import annotations

import math

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.themes import mix


def columns(canvas: Canvas, box: Box) -> None:
    """Stacked columns over time."""
    random, inside = canvas.random, _axes(canvas, box)
    count, layers = random.choice((12, 24, 24, 36, 48)), random.randint(1, 4)
    colours = random.sample(canvas.theme.series, layers)
    level = random.uniform(0.2, 0.5)
    for i in range(count):
        left = inside.left + inside.width * i // count
        right = inside.left + inside.width * (i + 1) // count - 1
        level = min(0.95, max(0.06, level + random.uniform(-0.12, 0.12) + (0.5 if random.random() < 0.04 else 0)))
        y = inside.bottom
        for share, colour in zip(_shares(canvas, layers), colours, strict=True):
            top = y - round(inside.height * level * share)
            canvas.rect(Box(left, top, max(right, left + 1), y), colour)
            y = top


def curves(canvas: Canvas, box: Box) -> None:
    """Lines over time, the first of them with its area filled."""
    random, inside = canvas.random, _axes(canvas, box)
    count = max(8, inside.width // max(4, canvas.size // 2))
    for order, colour in enumerate(random.sample(canvas.theme.series, random.randint(1, 3))):
        level, points = random.uniform(0.2, 0.8), []
        for i in range(count):
            level = min(0.95, max(0.05, level + random.uniform(-0.1, 0.1)))
            points.append((inside.left + inside.width * i / (count - 1), inside.bottom - inside.height * level))
        if not order:
            area = [(inside.left, inside.bottom), *points, (inside.right, inside.bottom)]
            canvas.draw.polygon(area, canvas.theme.tint(colour, 0.3))
        canvas.draw.line(points, colour, 2)


def ring(canvas: Canvas, box: Box) -> None:
    """A ring of shares with its legend beside."""
    random, u, theme = canvas.random, canvas.size, canvas.theme
    wide = min(box.height, round(box.width * 0.5))
    middle, left = (box.top + box.bottom) // 2, box.left + u // 4
    around = (left, middle - wide // 2, left + wide - 1, middle + wide // 2 - 1)
    count, angle = random.randint(3, 6), random.uniform(0, 360)
    for i, share in enumerate(_shares(canvas, count)):
        canvas.draw.pieslice(around, angle, angle + 360 * share, theme.series[i], theme.panel)
        angle += 360 * share
    hole = round(wide * random.choice((0.22, 0.3, 0.0)))
    centre = left + wide // 2
    if hole:
        canvas.draw.ellipse((centre - hole, middle - hole, centre + hole, middle + hole), theme.panel)
    x = left + wide + u
    for i in range(count):
        y = middle - round((count / 2 - i) * 1.5 * u)
        if y < box.top or y + u > box.bottom:
            continue
        canvas.rect(Box(x, y + u // 4, x + u // 2, y + 3 * u // 4), theme.series[i])
        canvas.text((x + u, y), content.word(random), width=box.right - x - u, scale=0.9)


def bars(canvas: Canvas, box: Box) -> None:
    """Names with horizontal bars, the longest first."""
    random, u, theme = canvas.random, canvas.size, canvas.theme
    rows = max(2, min(9, box.height // round(1.6 * u)))
    name = random.choice((content.address, content.short_host, content.user, content.word))
    label, value, top = min(9 * u, box.width // 3), random.uniform(0.8, 1.0), random.randint(300, 90000)
    colour, room = random.choice(theme.series), box.width - min(9 * u, box.width // 3) - round(3.6 * u)
    for i in range(rows):
        y = box.top + box.height * i // rows
        canvas.text((box.left, y), name(random), width=label - u // 2, scale=0.9)
        long = max(2, round(room * value))
        canvas.rect(Box(box.left + label, y + u // 8, box.left + label + long, y + round(1.05 * u)), colour)
        canvas.text((box.left + label + long + u // 3, y), f"{round(top * value):,}", theme.muted, scale=0.9)
        value *= random.uniform(0.6, 0.97)


def grid(canvas: Canvas, box: Box) -> None:
    """A grid of hours by days, darker where more happened."""
    random, theme, u = canvas.random, canvas.theme, canvas.size
    days, hours = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), 24
    inside = Box(box.left + round(2.6 * u), box.top, box.right, box.bottom)
    colour = random.choice(theme.series)
    for row, part in enumerate(inside.rows(*[1] * len(days))):
        if part.height >= u:
            canvas.text((box.left, part.top + (part.height - round(1.1 * u)) // 2), days[row], theme.muted, scale=0.85)
        for hour, cell in enumerate(part.columns(*[1] * hours)):
            busy = math.exp(-(((hour - 13) / 5) ** 2)) * (1 if row < 5 else 0.4) * random.uniform(0.3, 1.1)
            canvas.rect(
                Box(cell.left, cell.top, cell.right - 1, cell.bottom - 1), mix(theme.page, colour, min(1, busy))
            )


def _shares(canvas: Canvas, count: int) -> list[float]:
    weights = [canvas.random.uniform(0.2, 1) for _ in range(count)]
    return [weight / sum(weights) for weight in weights]


def _axes(canvas: Canvas, box: Box) -> Box:
    """Grid lines with values at the left and hours below; returns the box inside."""
    u, theme, random = canvas.size, canvas.theme, canvas.random
    inside = Box(box.left + round(2.4 * u), box.top + u // 2, box.right, box.bottom - round(1.3 * u))
    if inside.height < 2 * u:
        return box
    steps, unit = 4 if inside.height > 8 * u else 2, random.choice((5, 20, 25, 100, 250))
    for i in range(steps + 1):
        y = inside.bottom - inside.height * i // steps
        canvas.across(y, mix(theme.panel, theme.line, 0.6), left=inside.left, right=inside.right)
        canvas.text(
            (box.left, y - u // 2), f"{unit * i:,}", theme.muted, scale=0.8, width=round(2.1 * u), align="right"
        )
    hour, labels = random.randint(0, 12), max(2, min(5, inside.width // (5 * u)))
    for i in range(labels):
        x = inside.left + (inside.width - 3 * u) * i // (labels - 1)
        canvas.text((x, inside.bottom + u // 6), f"{(hour + 2 * i) % 24:02d}:00", theme.muted, scale=0.8)
    return inside

"""Windows around the drawn screens: none, a title bar with its buttons left or right, or a browser.

`draw_frame` draws one on a canvas and returns the box that is left for the tool. Every kind of screen may stand in
every frame, so that no frame tells the kinds apart.
"""

from __future__ import annotations

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.themes import mix

_FRAMES = ("none", "left", "right", "right", "browser")


def draw_frame(canvas: Canvas, title: str) -> Box:
    """Draw a window's frame, or none, and return the box inside."""
    frame = canvas.random.choice(_FRAMES)
    canvas.rect(canvas.box, canvas.theme.page)
    if frame == "none":
        return canvas.box
    if frame == "browser":
        return _browser(canvas, title)
    return _draw_title(canvas, title, buttons=frame)


def _draw_title(canvas: Canvas, title: str, *, buttons: str) -> Box:
    high = round(2 * canvas.size)
    bar = Box(0, 0, canvas.box.right, high)
    fill = canvas.random.choice(
        (canvas.theme.chrome, canvas.theme.page, mix(canvas.theme.chrome, canvas.theme.accent, 0.35))
    )
    canvas.rect(bar, fill)
    canvas.across(high - 1)
    side = 5 * canvas.size
    centred = canvas.random.random() < 0.6
    room = canvas.box.right - 2 * side
    left = side if centred or buttons == "left" else canvas.size
    canvas.text((left, round(0.4 * canvas.size)), title, width=room, align="centre" if centred else "left")
    if buttons == "left":
        _round_buttons(canvas, high)
    else:
        _square_buttons(canvas, high)
    return Box(0, high, canvas.box.right, canvas.box.bottom)


def _round_buttons(canvas: Canvas, high: int) -> None:
    r = max(3, round(0.38 * canvas.size))
    for i, colour in enumerate((canvas.theme.alarm, canvas.theme.caution, canvas.theme.good)):
        x, y = round((1 + 1.3 * i) * canvas.size), high // 2
        canvas.draw.ellipse((x - r, y - r, x + r, y + r), colour)


def _square_buttons(canvas: Canvas, high: int) -> None:
    s, ink = max(3, round(0.32 * canvas.size)), canvas.theme.text
    y, x = high // 2, canvas.box.right - canvas.size
    canvas.draw.line((x - s, y - s, x + s, y + s), ink)
    canvas.draw.line((x - s, y + s, x + s, y - s), ink)
    x -= round(1.7 * canvas.size)
    canvas.draw.rectangle((x - s, y - s, x + s, y + s), outline=ink)
    x -= round(1.7 * canvas.size)
    canvas.draw.line((x - s, y, x + s, y), ink)


def _browser(canvas: Canvas, title: str) -> Box:
    u, theme, random = canvas.size, canvas.theme, canvas.random
    strip, bar = round(2 * u), round(2.2 * u)
    canvas.rect(Box(0, 0, canvas.box.right, strip), mix(theme.chrome, theme.line, 0.5))
    canvas.rect(Box(0, strip, canvas.box.right, strip + bar), theme.chrome)
    tabs = [title, *(f"{content.word(random).title()} | {content.site(random)}" for _ in range(random.randint(0, 3)))]
    wide = min(15 * u, (canvas.box.right - u) // len(tabs))
    for i, tab in enumerate(tabs):
        x = u // 2 + i * wide
        if not i:
            canvas.rect(Box(x, u // 4, x + wide, strip), theme.chrome, radius=u // 3)
        canvas.rect(
            Box(x + u // 2, round(0.75 * u), x + round(1.3 * u), round(1.5 * u)), random.choice(theme.series), radius=2
        )
        canvas.text((x + round(1.7 * u), round(0.55 * u)), tab, width=wide - round(2.2 * u), scale=0.9)
    for i, way in enumerate((-1, 1)):
        x, y, s = round((1.2 + 1.6 * i) * u), strip + bar // 2, round(0.3 * u)
        canvas.draw.line((x - way * s, y - s, x, y, x - way * s, y + s), theme.muted, 2)
    field = Box(4 * u, strip + round(0.3 * u), canvas.box.right - 2 * u, strip + bar - round(0.3 * u))
    canvas.rect(field, theme.panel, theme.line, radius=u // 2)
    canvas.text(
        (field.left + u, field.top + round(0.2 * u)),
        f"https://{content.host(random)}/{content.word(random)}",
        theme.muted,
        width=field.width - 2 * u,
    )
    canvas.across(strip + bar - 1)
    return Box(0, strip + bar, canvas.box.right, canvas.box.bottom)

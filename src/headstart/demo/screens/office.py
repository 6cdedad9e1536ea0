"""Screens that no class knows, to try novelty with: a spreadsheet, and a chat between colleagues.

`draw` fills a canvas with one or the other; what stands on it comes from the canvas's random source.
"""

from __future__ import annotations

from headstart.demo.screens import content
from headstart.demo.screens.canvas import Box, Canvas
from headstart.demo.screens.frames import draw_frame
from headstart.demo.screens.tables import bar_of_words
from headstart.demo.screens.themes import mix, on

_MENU = ("File", "Home", "Insert", "Layout", "Formulas", "Data", "Review", "View", "Help")
_NAMES = (
    "Amara",
    "Bjorn",
    "Chen",
    "Dalia",
    "Emeka",
    "Farah",
    "Goran",
    "Hana",
    "Ines",
    "Jonas",
    "Keiko",
    "Liam",
    "Nadia",
)
_REMARKS = (
    "Good morning! Did you see the note about Thursday?",
    "Yes, I will bring the slides.",
    "Can somebody send me the address of the restaurant?",
    "Sure, one moment.",
    "The train is late again, start without me please.",
    "Thanks a lot :)",
    "The new printer works on the second floor now, the old one leaves on Friday.",
    "Who has the key of the small meeting room?",
    "I moved our meeting to three o'clock because the customer cannot come earlier.",
    "Ha, same here.",
    "Could you read over my text until tomorrow? It is only two pages.",
    "Done!",
)


def draw(canvas: Canvas) -> None:
    """Draw a spreadsheet or a chat over the whole canvas."""
    canvas.random.choice((_sheet, _chat))(canvas)


def _sheet(canvas: Canvas) -> None:
    random, u, theme = canvas.random, canvas.size, canvas.theme
    box = draw_frame(canvas, f"{content.word(random)}-{random.randint(2018, 2025)}.sheet")
    bar_of_words(canvas, Box(box.left, box.top, box.right, box.top + 2 * u), _MENU, chosen=1)
    line = Box(box.left, box.top + 2 * u, box.right, box.top + 4 * u)
    canvas.rect(line, theme.panel, theme.line)
    column, number = random.randrange(1, 5), random.randint(2, 12)
    letter = chr(65 + column)
    formula = f"=SUM({letter}{number + 1}:{letter}{number + random.randint(5, 40)})"
    canvas.text((line.left + u, line.top + u // 3), f"{letter}{number}")
    canvas.text((line.left + 6 * u, line.top + u // 3), formula, width=line.width - 7 * u)
    with canvas.pane(Box(box.left, line.bottom, box.right, box.bottom)) as pane:
        _grid(pane, (column, number - 1))


def _grid(pane: Canvas, at: tuple[int, int]) -> None:
    random, u, theme, row = pane.random, pane.size, pane.theme, pane.row
    margin, wide = 3 * u, round(random.choice((6, 7, 8)) * u)
    columns, rows = (pane.box.width - margin) // wide + 1, pane.box.height // row + 1
    used = (random.randint(4, 9), random.randint(8, rows + 4))
    pane.rect(Box(0, 0, pane.box.width, row), theme.chrome)
    pane.rect(Box(0, 0, margin, pane.box.height), theme.chrome)
    for column in range(columns):
        x = margin + column * wide
        pane.text((x, round(0.2 * u)), chr(65 + column % 26), theme.muted, width=wide, align="centre")
        for line in range(rows):
            _value(pane, Box(x, (line + 1) * row, x + wide, (line + 2) * row), column, line, used)
        pane.down(x, 0, pane.box.height, mix(theme.panel, theme.line, 0.7))
    for line in range(rows):
        pane.across((line + 1) * row, mix(theme.panel, theme.line, 0.7))
        pane.text(
            (0, (line + 1) * row + round(0.2 * u)), str(line + 1), theme.muted, width=margin - u // 3, align="right"
        )
    x, y = margin + at[0] * wide, (at[1] + 1) * row
    pane.draw.rectangle((x, y, x + wide, y + row), outline=theme.accent, width=2)


def _value(pane: Canvas, cell: Box, column: int, line: int, used: tuple[int, int]) -> None:
    random, u, theme = pane.random, pane.size, pane.theme
    if column >= used[0] or line >= used[1]:
        return
    inside = (cell.left + u // 3, cell.top + round(0.2 * u))
    if line == 0:
        pane.rect(cell, theme.tint(theme.accent, 0.3))
        pane.text(inside, content.word(random).title(), bold=True, width=cell.width - u // 2)
    elif column == 0:
        pane.text(inside, f"{content.word(random).title()} {random.randint(1, 30)}", width=cell.width - u // 2)
    else:
        value = random.choice(
            (f"{random.randint(1, 9000):,}", f"{random.uniform(1, 900):.2f}", f"{random.uniform(1, 99):.1f} %")
        )
        pane.text(inside, value, width=cell.width - u // 2, align="right")


def _chat(canvas: Canvas) -> None:
    random, u, theme = canvas.random, canvas.size, canvas.theme
    box = draw_frame(canvas, random.choice(("Chat", "Team chat", f"Chat with {random.choice(_NAMES)}")))
    if box.width > 50 * u:
        side = Box(box.left, box.top, box.left + 14 * u, box.bottom)
        _people(canvas, side)
        box = Box(side.right, box.top, box.right, box.bottom)
    field = Box(box.left + u, box.bottom - 3 * u, box.right - u, box.bottom - u)
    with canvas.pane(Box(box.left, box.top, box.right, field.top - u)) as pane:
        _remarks(pane)
    canvas.rect(field, theme.panel, theme.line, radius=u // 2)
    canvas.text((field.left + u, field.top + u // 3), "Write a message", theme.muted, width=field.width - 2 * u)


def _remarks(pane: Canvas) -> None:
    random, y, remarks = pane.random, pane.size, list[str]()
    while y < pane.box.bottom:
        remarks = remarks or random.sample(_REMARKS, len(_REMARKS))
        y = _remark(pane, y, remarks.pop(), None if random.random() < 0.4 else random.choice(_NAMES[:5]))


def _people(canvas: Canvas, box: Box) -> None:
    random, u, theme = canvas.random, canvas.size, canvas.theme
    canvas.rect(box, theme.chrome)
    names, chosen = random.sample(_NAMES, len(_NAMES)), random.randrange(4)
    for i, name in enumerate(names[: (box.height - u) // (3 * u)]):
        y = box.top + u // 2 + 3 * i * u
        if i == chosen:
            canvas.rect(Box(box.left, y, box.right, y + 3 * u), theme.selected)
        _face(canvas, box.left + u, y + u // 2, name)
        canvas.text((box.left + 4 * u, y + u // 3), name, bold=True, width=box.width - 5 * u)
        last = random.choice(_REMARKS)
        canvas.text((box.left + 4 * u, y + round(1.6 * u)), last, theme.muted, scale=0.85, width=box.width - 5 * u)


def _face(canvas: Canvas, x: int, y: int, name: str) -> None:
    """A round sign with a person's first letter, always in the same colour."""
    wide, colour = 2 * canvas.size, canvas.theme.series[_NAMES.index(name) % len(canvas.theme.series)]
    canvas.draw.ellipse((x, y, x + wide, y + wide), colour)
    canvas.text((x, y + canvas.size // 3), name[0], on(colour), width=wide, align="centre")


def _remark(pane: Canvas, y: int, words: str, name: str | None) -> int:
    """One remark in its bubble, on the right where nobody else made it; returns the y below."""
    u, theme = pane.size, pane.theme
    wide = min(pane.width_of(words) + 2 * u + 2, max(12 * u, round(pane.box.width * 0.6)))
    left = 4 * u if name else pane.box.width - wide - u
    fill = theme.tint(theme.line, 0.35) if name else theme.selected
    bubble = Box(left, y, left + wide, y + round((1.45 * pane.lines(words, wide - 2 * u) + 0.8) * u))
    pane.rect(bubble, fill, radius=u // 2)
    pane.wrap_text(Box(left + u, y + u // 3, left + wide - u, 0), words, on(fill))
    if name:
        _face(pane, u, y, name)
    return max(bubble.bottom, y + 2 * u) + round(0.8 * u)

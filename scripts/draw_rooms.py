"""Draws docs/rooms.svg from the imports: a row a level, a box a room, and what each room imports.

Lines to the two lowest levels, which every room uses, are left out.

    python scripts/draw_rooms.py [--check]

The levels are those that tests/test_layers.py holds. With --check nothing is written: exit 1 where the picture is old.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from html import escape
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "rooms.svg"
WIDTH, ROW, BOX, GAP, LEFT = 980, 74, 46, 14, 40
INK, PALE, BLUE, GRID = "#1f2933", "#eef2f6", "#3b6ea5", "#c3cdd7"


def layers() -> ModuleType:
    """The test that knows the levels and reads the imports."""
    spec = importlib.util.spec_from_file_location("test_layers", ROOT / "tests" / "test_layers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw() -> str:
    """The picture."""
    house = layers()
    lines = Counter({name: len(path.read_text().splitlines()) for name, path in house.MODULES.items() if path.exists()})
    rooms: Counter[str] = Counter()
    for name, count in lines.items():
        rooms[name.partition(".")[0]] += count
    arrows = Counter(
        (name.partition(".")[0], other.partition(".")[0])
        for name in house.MODULES
        for other in set(house.neighbours(name))
        if other.partition(".")[0] not in (name.partition(".")[0], *house.LEVELS[0], *house.LEVELS[1])
    )
    levels = [sorted(room for room in level if room in rooms) for level in house.LEVELS]
    places = place(levels, rooms)
    height = ROW * len(levels) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    parts += [arrow(places[a], places[b], count) for (a, b), count in sorted(arrows.items()) if a in places]
    parts += [text(14, y_of(number) + BOX / 2 + 4, str(number), 12, GRID) for number in range(len(levels))]
    parts += [box(room, *places[room], rooms[room]) for level in levels for room in level]
    return "\n".join([*parts, "</svg>", ""])


def y_of(level: int) -> int:
    """Where a level's boxes begin; the highest level stands at the top."""
    return 15 + ROW * (len(layers().LEVELS) - 1 - level)


def place(levels: list[list[str]], rooms: Counter[str]) -> dict[str, tuple[float, float, float]]:
    """Left edge, top and width of each room's box: wider for more lines."""
    places = {}
    for number, level in enumerate(levels):
        free = WIDTH - LEFT - 20 - GAP * (len(level) - 1)
        weights = [max(rooms[room], 900) ** 0.5 for room in level]
        widths = [min(max(free * weight / sum(weights), 70), 330) for weight in weights]
        scale = min(1.0, free / sum(widths))
        widths = [width * scale for width in widths]
        x = LEFT + (free + GAP * (len(level) - 1) - sum(widths) - GAP * (len(level) - 1)) / 2
        for room, width in zip(level, widths, strict=True):
            places[room] = (x, float(y_of(number)), width)
            x += width + GAP
    return places


def box(room: str, x: float, y: float, width: float, lines: int) -> str:
    """A room with its name and its lines of code."""
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="6" fill="{PALE}" stroke="{BLUE}"/>'
        + text(x + width / 2, y + 20, room, 13, INK, middle=True)
        + text(x + width / 2, y + 36, f"{round(lines, -1):,} lines", 10, BLUE, middle=True)
    )


def arrow(start: tuple[float, float, float], end: tuple[float, float, float], count: int) -> str:
    """A line from a room down to one that it imports; thicker for more imports."""
    x1, x2 = start[0] + start[2] / 2, end[0] + end[2] / 2
    width = min(0.4 + 0.12 * count, 3)
    return (
        f'<path d="M{x1:.0f} {start[1] + BOX:.0f} C{x1:.0f} {start[1] + ROW:.0f} {x2:.0f} {end[1] - 28:.0f} '
        f'{x2:.0f} {end[1]:.0f}" fill="none" stroke="{GRID}" stroke-width="{width:.1f}"/>'
    )


def text(x: float, y: float, words: str, size: int, colour: str, *, middle: bool = False) -> str:
    """Words."""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}"{anchor}>{escape(words)}</text>'


def main() -> None:
    """Write the picture, or compare it."""
    picture = draw()
    if "--check" in sys.argv:
        sys.exit(0 if PICTURE.exists() and PICTURE.read_text() == picture else f"{PICTURE} is old: run {__file__}")
    PICTURE.write_text(picture)


if __name__ == "__main__":
    main()

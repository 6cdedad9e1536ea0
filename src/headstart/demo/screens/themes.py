"""Colour themes of the drawn screens: light, dark and high contrast, each in many tints.

`theme` makes one from its name and a random source. Every kind of screen is drawn in every theme, so that no colour
tells the kinds apart.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]

NAMES = ("light", "dark", "contrast")


@dataclass(frozen=True)
class Theme:
    """The colours of a screen.

    page, panel, chrome: surfaces, from the lowest to window bars; line: rules between them; text and muted: words;
    accent: what is chosen or can be pressed; selected: behind a selected row; alarm, warning, caution, good, notice:
    from the worst to the mildest; series: of charts.
    """

    name: str
    page: Colour
    panel: Colour
    chrome: Colour
    line: Colour
    text: Colour
    muted: Colour
    accent: Colour
    selected: Colour
    alarm: Colour
    warning: Colour
    caution: Colour
    good: Colour
    notice: Colour
    series: tuple[Colour, ...]

    @property
    def dark(self) -> bool:
        """Whether words are lighter than the page."""
        return sum(self.text) > sum(self.page)

    def severity(self, name: str) -> Colour:
        """The colour of a severity, as reports and alerts call it: 'Critical', 'High', 'Medium', 'Low' or 'Info'."""
        return {
            "Critical": self.alarm,
            "High": self.warning,
            "Medium": self.caution,
            "Low": self.good,
            "Info": self.notice,
        }[name]

    def tint(self, colour: Colour, share: float) -> Colour:
        """The panel with a share of a colour in it: a background that words can be read on."""
        return mix(self.panel, colour, share)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two: `first` at share 0, `second` at 1.

    >>> mix((0, 0, 0), (200, 100, 0), 0.5)
    (100, 50, 0)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def hsl(hue: float, saturation: float, lightness: float) -> Colour:
    """A colour by hue, saturation and lightness, each in 0 to 1 (the hue wraps).

    >>> hsl(0.0, 1.0, 0.5)
    (255, 0, 0)
    """
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue % 1, lightness, saturation))
    return red, green, blue


def on(colour: Colour) -> Colour:
    """Black or white, whichever is read better on a colour (Rec. 601 luma)."""
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return (16, 16, 20) if luma > 140 else (255, 255, 255)


def theme(name: str, random: Random) -> Theme:
    """A theme of this name (one of `NAMES`) in a tint drawn at random."""
    hue, accent = random.random(), random.random()
    if name == "light":
        return _make_theme(name, _light(hue, random.uniform(0.0, 0.3)), accent, lightness=0.42, saturation=0.7)
    if name == "dark":
        deep = random.uniform(0.05, 0.16)
        return _make_theme(name, _dark(hue, random.uniform(0.0, 0.35), deep), accent, lightness=0.6, saturation=0.6)
    if random.random() < 0.6:
        surfaces = ((0, 0, 0), (0, 0, 0), (20, 20, 20), (235, 235, 235), (255, 255, 255), (225, 225, 150))
        return _make_theme(name, surfaces, accent, lightness=0.6, saturation=1.0)
    surfaces = ((255, 255, 255), (255, 255, 255), (235, 235, 235), (0, 0, 0), (0, 0, 0), (40, 40, 60))
    return _make_theme(name, surfaces, accent, lightness=0.34, saturation=1.0)


def _light(hue: float, saturation: float) -> tuple[Colour, ...]:
    """Page, panel, chrome, line, text and muted of a light theme."""
    levels = (0.955, 0.99, 0.89, 0.8, 0.13, 0.42)
    return tuple(hsl(hue, saturation, level) for level in levels)


def _dark(hue: float, saturation: float, deep: float) -> tuple[Colour, ...]:
    """Page, panel, chrome, line, text and muted of a dark theme whose page has the lightness `deep`."""
    levels = (deep, deep + 0.035, deep + 0.09, deep + 0.17, 0.88, 0.62)
    return tuple(hsl(hue, saturation * (1 if level < 0.5 else 0.4), level) for level in levels)


def _make_theme(name: str, surfaces: tuple[Colour, ...], hue: float, *, lightness: float, saturation: float) -> Theme:
    page, panel, chrome, line, text, muted = surfaces
    accent = hsl(hue, saturation, lightness)
    strong = [hsl(of, saturation, lightness) for of in (0.0, 0.07, 0.135, 0.37, 0.58)]
    alarm, warning, caution, good, notice = strong
    series = tuple(hsl(hue + step, saturation * 0.9, lightness) for step in (0, 0.5, 0.12, 0.62, 0.3, 0.8))
    selected = mix(panel, accent, 0.55 if name == "contrast" else 0.3)
    return Theme(
        name, page, panel, chrome, line, text, muted, accent, selected, alarm, warning, caution, good, notice, series
    )

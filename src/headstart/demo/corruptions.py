"""Photographs as a bad day would have made them: rain, night, fog, blur, noise and JPEG, in five severities.

`corrupt` takes an image, the name of a corruption and a severity of 1 to 5 and gives an image of the same size; the
same seed gives the same image. The kinds and the idea of five severities are those of ImageNet-C (Hendrycks and
Dietterich 2019, https://arxiv.org/abs/1903.12261); the formulas are simple ones of our own, so the numbers are not
comparable with published ones. Nothing is loaded, saved or scored here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from headstart.checks import at_least, between, one_of

SEVERITIES = (1, 2, 3, 4, 5)
_SIDE = 224
"""Lengths below are for a shorter side of so many pixels, and grow with it."""

Pixels = NDArray[np.float64]
"""(height, width, 3), 0 to 1."""


def corrupt(image: Image.Image, kind: str, severity: int, *, seed: int = 0) -> Image.Image:
    """The image under a corruption.

    Parameters
    ----------
    image : PIL image
        Any mode; it becomes RGB.
    kind : str
        One of `CORRUPTIONS`.
    severity : int
        1 (slight) to 5 (heavy).
    seed : int
        Of what is drawn: drops, grains, wisps.

    Returns
    -------
    PIL image
        RGB, of the same size.

    Raises
    ------
    OptionError
        Another kind or severity.

    Examples
    --------
    >>> corrupt(Image.new("RGB", (32, 32), "white"), "night", 5).getpixel((0, 0))[0] < 100
    True
    """
    one_of("corruption", kind, list(CORRUPTIONS))
    between("severity", severity, SEVERITIES[0], SEVERITIES[-1])
    at_least("seed", seed, 0)
    pixels = np.asarray(image.convert("RGB"), np.float64) / 255
    return _to_image(CORRUPTIONS[kind](pixels, int(severity) - 1, np.random.default_rng(seed)))


def _to_image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8))


def _scale(pixels: Pixels) -> float:
    return float(min(pixels.shape[:2])) / _SIDE


def _rain(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Bright slanted streaks over a duller picture."""
    height, width = pixels.shape[:2]
    share, length = (
        (0.003, 0.006, 0.010, 0.015, 0.022)[level],
        max(3, round((8, 10, 13, 16, 20)[level] * _scale(pixels))),
    )
    drops = (random.random((height, width)) < share).astype(np.float64)
    slant = random.uniform(-0.4, 0.4)
    # A drop falls while the shutter is open: the mean of the drops moved along its path.
    streaks = sum(np.roll(drops, (step, round(slant * step)), axis=(0, 1)) for step in range(length))
    dull = (0.95, 0.9, 0.85, 0.78, 0.7)[level]
    veil = pixels * dull + 0.06 * (1 - dull)
    wet: Pixels = veil + np.minimum(streaks, 1.0)[..., None] * (0.75 - veil) * 0.7
    return wet


def _night(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Little light (a gain below 1 and a gamma above it), little colour, and the grain of a high gain."""
    gain, gamma = (0.6, 0.45, 0.33, 0.24, 0.17)[level], (1.1, 1.2, 1.3, 1.4, 1.5)[level]
    grey = pixels.mean(axis=2, keepdims=True)
    dark = (0.6 * pixels + 0.4 * grey) ** gamma * gain * np.array([0.9, 0.95, 1.1])
    grainy: Pixels = dark + random.normal(0, 0.01 + 0.005 * level, pixels.shape)
    return grainy


def _fog(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """A white veil, thicker in some places: Koschmieder's law I = J t + A (1 - t) with a transmission t of many
    scales."""
    thickness = (0.35, 0.47, 0.58, 0.68, 0.78)[level] * (0.75 + 0.5 * _clouds(pixels.shape[0], pixels.shape[1], random))
    transmission = 1 - np.minimum(thickness, 0.95)[..., None]
    foggy: Pixels = pixels * transmission + 0.85 * (1 - transmission)
    return foggy


def _clouds(height: int, width: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(height, width) of 0 to 1: noise of halving scales and amplitudes, one upon the other."""
    total = np.zeros((height, width))
    for octave in range(1, 6):
        cells = random.random((2**octave + 1, 2**octave + 1)).astype(np.float32)
        layer = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float64) / 2**octave
    low, high = total.min(), total.max()
    clouds: Pixels = (total - low) / max(high - low, 1e-9)
    return clouds


def _blur(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """A Gaussian blur."""
    radius = (1.0, 1.6, 2.4, 3.4, 4.8)[level] * _scale(pixels)
    return np.asarray(_to_image(pixels).filter(ImageFilter.GaussianBlur(radius)), np.float64) / 255


def _noise(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Gaussian noise, every channel by itself."""
    return pixels + random.normal(0, (0.06, 0.10, 0.15, 0.22, 0.32)[level], pixels.shape)


def _jpeg(pixels: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Saved once too often."""
    buffer = io.BytesIO()
    _to_image(pixels).save(buffer, "JPEG", quality=(25, 18, 12, 8, 5)[level])
    return np.asarray(Image.open(buffer), np.float64) / 255


CORRUPTIONS: Mapping[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    "rain": _rain,
    "night": _night,
    "fog": _fog,
    "blur": _blur,
    "noise": _noise,
    "jpeg": _jpeg,
}
"""What can befall an image, by name."""

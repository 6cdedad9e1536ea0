"""Images of doubtful quality: tiny or very long ones, near-black, near-white and even ones, blurred ones.

`doubtful` takes the facts of images (`Looks`) and returns `Doubt`s: the row, the kind, a sentence and how severe it
is. Thresholds are set for few false alarms; blur is judged against the rest of the data set, because a set may be soft
all through. Nothing is decided here: a doubt is something to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headstart.data.duplicates.thumbnails import Thumbnails
from headstart.records.arrays import Floats

TINY, LONG, DARK, WHITE, EVEN, BLURRED = "tiny", "long", "near-black", "near-white", "even", "blurred"
KINDS = (TINY, LONG, DARK, WHITE, EVEN, BLURRED)

_TINY = 48
_TINY_SHARE = 0.25
_LONG, _LONG_TIMES = 3.0, 2.0
_DARK, _WHITE = 40, 230
_EVEN = 10
_BLUR_DEVIATIONS = -3.5
_BLUR_RATIO = -2.0
_FEWEST = 20
"""With fewer images there is no telling how sharp the others are."""


@dataclass(frozen=True)
class QualityIssue:
    """row: among the images that were looked at. severity: from 0 to 1, of its kind."""

    row: int
    kind: str
    sentence: str
    severity: float


def find_quality_issues(looks: Thumbnails) -> tuple[QualityIssue, ...]:
    """What is doubtful about the images' quality; rows as in `looks.rows`."""
    found = [*_sizes(looks), *_greys(looks), *_blurred(looks)]
    return tuple(sorted(found, key=lambda doubt: (KINDS.index(doubt.kind), -doubt.severity, doubt.row)))


def blur(looks: Thumbnails) -> Floats:
    """How soft each image is: log of its fine detail over its coarse detail; lower is softer, whatever it shows.

    Detail is the variance of the Laplacian (Pech-Pacheco et al. 2000). Its ratio between two scales does not depend on
    how much there is to see, which the variance itself does.
    """
    ratio: Floats = np.log((looks.fact("fine") + 0.5) / (looks.fact("coarse") + 0.5))
    return ratio


def _sizes(looks: Thumbnails) -> Iterator[QualityIssue]:
    sides = np.stack([looks.fact("width"), looks.fact("height")])
    shorter, longer = sides.min(axis=0), sides.max(axis=0)
    if not len(shorter):
        return
    usual, usual_aspect = float(np.median(shorter)), float(np.median(longer / shorter))
    least = min(_TINY, usual) if usual < 2 * _TINY else max(_TINY, _TINY_SHARE * usual)
    for row, (width, height) in enumerate(sides.T.astype(int).tolist()):
        size = f"{width} x {height} pixels"
        if shorter[row] < least:
            sentence = f"It has only {size}; half of the images have a shorter side of {usual:.0f} or more."
            yield QualityIssue(int(looks.rows[row]), TINY, sentence, 1 - float(shorter[row]) / least)
        aspect = float(longer[row] / shorter[row])
        if aspect > max(_LONG, _LONG_TIMES * usual_aspect):
            sentence = f"It is {aspect:.1f} times as long as it is wide ({size}): most of it is cut off or squeezed."
            yield QualityIssue(int(looks.rows[row]), LONG, sentence, 1 - _LONG / aspect)


def _greys(looks: Thumbnails) -> Iterator[QualityIssue]:
    ends = np.stack([looks.fact("darkest"), looks.fact("brightest")], axis=1).astype(int)
    for row, (darkest, brightest) in zip(looks.rows.tolist(), ends.tolist(), strict=True):
        span = f"its grey levels run from {darkest} to {brightest} of 0 to 255"
        if brightest < _DARK:
            yield QualityIssue(row, DARK, f"It is nearly black: {span}.", 1 - brightest / _DARK)
        elif darkest > _WHITE:
            yield QualityIssue(row, WHITE, f"It is nearly white: {span}.", (darkest - _WHITE) / (255 - _WHITE))
        elif brightest - darkest < _EVEN:
            yield QualityIssue(row, EVEN, f"It shows nothing: {span}.", 1 - (brightest - darkest) / _EVEN)


def _blurred(looks: Thumbnails) -> Iterator[QualityIssue]:
    sharpness = blur(looks)
    shows = looks.fact("brightest") - looks.fact("darkest") >= _EVEN
    if shows.sum() < _FEWEST:
        return
    middle = float(np.median(sharpness[shows]))
    spread = max(1.4826 * float(np.median(np.abs(sharpness[shows] - middle))), 0.1)
    deviations = (sharpness - middle) / spread
    for row in np.flatnonzero(shows & (deviations < _BLUR_DEVIATIONS) & (sharpness < _BLUR_RATIO)):
        times = float(np.exp(middle - sharpness[row]))
        sentence = f"It looks blurred: its fine detail is {times:.0f} times weaker than usual in these data."
        yield QualityIssue(int(looks.rows[row]), BLURRED, sentence, float(1 + 3 / deviations[row]))

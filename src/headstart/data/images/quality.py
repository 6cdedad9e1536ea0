"""Finds quality issues: tiny or very long images, near-black, near-white and even ones, blurred ones.

`find_quality_issues` takes `Thumbnails` with their facts and returns `QualityIssue`s: the row, the kind, a sentence and
the severity. Thresholds are set for few false alarms; blur is judged against the rest of the data set, because a set
may be soft all through. Nothing is decided here: an issue is something to look at.
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
    """What may be wrong with one image.

    row: of the image among the samples. kind: one of `KINDS`. sentence: what was found. severity: from 0 to 1, to be
    compared within a kind.
    """

    row: int
    kind: str
    sentence: str
    severity: float


def find_quality_issues(thumbnails: Thumbnails) -> tuple[QualityIssue, ...]:
    """The quality issues by kind, the most severe first; rows as in `thumbnails.rows`."""
    issues = [*_size_issues(thumbnails), *_grey_issues(thumbnails), *_blur_issues(thumbnails)]
    return tuple(sorted(issues, key=lambda issue: (KINDS.index(issue.kind), -issue.severity, issue.row)))


def sharpness_ratio(thumbnails: Thumbnails) -> Floats:
    """Log of each image's fine detail over its coarse detail: (n,); lower is softer, whatever the image shows.

    Detail is the variance of the Laplacian (Pech-Pacheco et al. 2000). Its ratio between two scales does not depend on
    how much there is to see, which the variance itself does.
    """
    ratio: Floats = np.log((thumbnails.fact("fine") + 0.5) / (thumbnails.fact("coarse") + 0.5))
    return ratio


def _size_issues(thumbnails: Thumbnails) -> Iterator[QualityIssue]:
    sides = np.stack([thumbnails.fact("width"), thumbnails.fact("height")])
    shorter, longer = sides.min(axis=0), sides.max(axis=0)
    if not len(shorter):
        return
    usual, usual_aspect = float(np.median(shorter)), float(np.median(longer / shorter))
    least = min(_TINY, usual) if usual < 2 * _TINY else max(_TINY, _TINY_SHARE * usual)
    for row, (width, height) in enumerate(sides.T.astype(int).tolist()):
        size = f"{width} x {height} pixels"
        if shorter[row] < least:
            sentence = f"It has only {size}; half of the images have a shorter side of {usual:.0f} or more."
            yield QualityIssue(int(thumbnails.rows[row]), TINY, sentence, 1 - float(shorter[row]) / least)
        aspect = float(longer[row] / shorter[row])
        if aspect > max(_LONG, _LONG_TIMES * usual_aspect):
            sentence = f"It is {aspect:.1f} times as long as it is wide ({size}): most of it is cut off or squeezed."
            yield QualityIssue(int(thumbnails.rows[row]), LONG, sentence, 1 - _LONG / aspect)


def _grey_issues(thumbnails: Thumbnails) -> Iterator[QualityIssue]:
    ends = np.stack([thumbnails.fact("darkest"), thumbnails.fact("brightest")], axis=1).astype(int)
    for row, (darkest, brightest) in zip(thumbnails.rows.tolist(), ends.tolist(), strict=True):
        span = f"its grey levels run from {darkest} to {brightest} of 0 to 255"
        if brightest < _DARK:
            yield QualityIssue(row, DARK, f"It is nearly black: {span}.", 1 - brightest / _DARK)
        elif darkest > _WHITE:
            yield QualityIssue(row, WHITE, f"It is nearly white: {span}.", (darkest - _WHITE) / (255 - _WHITE))
        elif brightest - darkest < _EVEN:
            yield QualityIssue(row, EVEN, f"It shows nothing: {span}.", 1 - (brightest - darkest) / _EVEN)


def _blur_issues(thumbnails: Thumbnails) -> Iterator[QualityIssue]:
    sharpness = sharpness_ratio(thumbnails)
    shows = thumbnails.fact("brightest") - thumbnails.fact("darkest") >= _EVEN
    if shows.sum() < _FEWEST:
        return
    middle = float(np.median(sharpness[shows]))
    # 1.4826 x median absolute deviation estimates a normal's standard deviation
    spread = max(1.4826 * float(np.median(np.abs(sharpness[shows] - middle))), 0.1)
    deviations = (sharpness - middle) / spread  # robust z-scores
    for row in np.flatnonzero(shows & (deviations < _BLUR_DEVIATIONS) & (sharpness < _BLUR_RATIO)):
        times = float(np.exp(middle - sharpness[row]))
        sentence = f"It looks blurred: its fine detail is {times:.0f} times weaker than usual in these data."
        yield QualityIssue(int(thumbnails.rows[row]), BLURRED, sentence, float(1 + 3 / deviations[row]))

"""How foreign two sets of images are, as one plot: the training images above the line, the batch below it.

Takes scores of both sides, returns an SVG file's text. It measures nothing and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats
from headstart.report.plots.svg import BLUE, INK, ORANGE, PALE, area, document, line, text

_BINS = 40
_WIDTH, _TALL, _LEFT, _RIGHT, _TOP, _FOOT = 760, 84, 12, 12, 50, 50


def scores_svg(reference: Floats, batch: Floats, *, title: str, name: str = "training") -> str:
    """The plot as the text of an SVG file.

    reference, batch: scores (n,) and (m,), higher = more foreign. name: what the images compared with are called.
    A bar's height is its share of its own side's images, on one scale for both.
    """
    edges = _edges(np.concatenate([reference, batch]))
    shares = [np.histogram(scores, edges)[0] / len(scores) for scores in (reference, batch)]
    most = max(float(side.max()) for side in shares)
    middle, low, end = _TOP + _TALL, _TOP + 2 * _TALL, _WIDTH - _RIGHT
    parts = [
        text(_LEFT, 20, title, bold=True),
        *_bars(shares[0] / most, middle, -1, BLUE),
        *_bars(shares[1] / most, middle, 1, ORANGE),
        line([(_LEFT, middle), (end, middle)], INK),
        text(_LEFT, _TOP - 8, f"{name} images ({len(reference):,})", colour=BLUE),
        text(_LEFT, low + 16, f"the batch ({len(batch):,})", colour=ORANGE),
        text(_LEFT, low + 38, f"← like the {name} images", colour=PALE),
        text(end, low + 38, "foreign to them →", anchor="end", colour=PALE),
    ]
    return document(_WIDTH, low + _FOOT, title, parts)


def _edges(scores: Floats) -> NDArray[np.float64]:
    low, high = float(scores.min()), float(scores.max())
    return np.linspace(low, max(high, low + 1e-6), _BINS + 1)


def _bars(shares: NDArray[np.float64], middle: float, direction: int, colour: str) -> Iterator[str]:
    """A bar for each share of the highest; direction: -1 upwards, 1 downwards."""
    step = (_WIDTH - _LEFT - _RIGHT) / len(shares)
    for i, share in enumerate(shares.tolist()):
        if share > 0:
            left, far = _LEFT + i * step, middle + direction * share * _TALL
            right = left + step - 1
            yield area([(left, middle), (left, far), (right, far), (right, middle)], colour, opacity=0.85)

"""Objects that are perhaps not labelled: seen surely, by heads that had not seen the image, where no label is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.metrics.boxes.overlap import overlaps
from headstart.records.boxes import Boxes, Detections

_APART = 0.3
"""A detection that overlaps a labelled object, of any class, by more than this is no new object."""


@dataclass(frozen=True)
class UnlabelledObject:
    """row: of the image. label: class number. corners: left, top, right, bottom. score: of the detection."""

    row: int
    label: int
    corners: tuple[float, float, float, float]
    score: float


def unlabelled_objects(
    boxes: Boxes, detections: Sequence[Detections], threshold: float
) -> tuple[UnlabelledObject, ...]:
    """The detections from `threshold` on that overlap no labelled object, the surest first."""
    suspects = []
    for row, seen in enumerate(detections):
        shown = seen.above(threshold)
        alone = np.ones(len(shown), bool)
        labelled = boxes.corners[boxes.of(row)]
        if len(labelled) and len(shown):
            alone = overlaps(shown.corners, labelled).max(axis=1) <= _APART
        for place in np.flatnonzero(alone).tolist():
            left, top, right, bottom = shown.corners[place].tolist()
            suspects.append(
                UnlabelledObject(row, int(shown.labels[place]), (left, top, right, bottom), float(shown.scores[place]))
            )
    return tuple(sorted(suspects, key=lambda suspect: -suspect.score))

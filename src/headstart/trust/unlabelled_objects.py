"""Objects that are perhaps not labelled: seen surely, by heads that had not seen the image, where no label is.

Sure means that of detections with such a score nearly all hit a labelled object. Where labels are forgotten that share
is an underestimate, so fewer are named rather than more. A part of a labelled object is no new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.boxes.matching import match
from headstart.metrics.boxes.overlap import overlaps
from headstart.records.boxes import Boxes, Detections
from headstart.trust.calibration.detections import calibrate, fit_detections

SURE = 0.9
"""The share of detections with such a score that hit a labelled object."""
_APART, _INSIDE = 0.3, 0.5
"""A detection that overlaps a labelled object, of any class, by more than the one, or lies in one of its own class by
more than the other, is no new object."""
_FEWEST, _SHARE = 5, 0.03


@dataclass(frozen=True)
class UnlabelledObject:
    """row: of the image. label: class number. corners: left, top, right, bottom. score: of the detection. right: the
    share of detections with such a score that hit a labelled object."""

    row: int
    label: int
    corners: tuple[float, float, float, float]
    score: float
    right: float


def most_named(objects: int) -> int:
    """How many are named among so many labelled objects: three in a hundred, the surest."""
    return max(_FEWEST, round(_SHARE * objects))


def unlabelled_objects(
    boxes: Boxes, detections: Sequence[Detections], *, sure: float = SURE
) -> tuple[UnlabelledObject, ...]:
    """All sure detections that hit no labelled object, the surest first.

    detections: of heads that had not seen the image, one record an image of `boxes`. sure: the share right from which a
    detection counts, 0 to 1.
    """
    shares = calibrate(detections, fit_detections(match(boxes, detections)))
    suspects = []
    for row, (seen, right) in enumerate(zip(detections, shares, strict=True)):
        new = (right.scores >= sure) & _is_apart(seen, boxes, row)
        for place in np.flatnonzero(new).tolist():
            left, top, right_side, bottom = seen.corners[place].tolist()
            suspects.append(
                UnlabelledObject(
                    row,
                    int(seen.labels[place]),
                    (left, top, right_side, bottom),
                    float(seen.scores[place]),
                    float(right.scores[place]),
                )
            )
    return tuple(sorted(suspects, key=lambda suspect: -suspect.score))


def _is_apart(seen: Detections, boxes: Boxes, row: int) -> NDArray[np.bool_]:
    """(d,) whether each detection lies apart from what is labelled."""
    part = boxes.of(row)
    labelled = boxes.corners[part]
    if not len(labelled) or not len(seen):
        return np.ones(len(seen), bool)
    beside = overlaps(seen.corners, labelled).max(axis=1) <= _APART
    covered = overlaps(seen.corners, labelled, ignored=np.ones(len(labelled), bool))  # of the detection's own area
    same = seen.labels[:, None] == boxes.labels[part][None]
    return np.asarray(beside & ((covered * same).max(axis=1) <= _INSIDE))

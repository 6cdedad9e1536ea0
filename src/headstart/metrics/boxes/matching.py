"""Matches detections with labelled objects as COCO does: once, for all thresholds; every resampling uses that again.

Lin et al. 2014 and the reference code of the COCO evaluation: per image and class, the surest 100 detections choose in
turn the free object that they overlap most, at ten thresholds of intersection over union from 0.5 to 0.95. A detection
of an ignored object counts neither for nor against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.errors import InternalError
from headstart.metrics.boxes.overlap import overlaps
from headstart.records.arrays import Ints
from headstart.records.boxes import Boxes, Detections

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST = 100
"""Detections of an image and class that count."""
_ROUNDING = 1e-10
"""An overlap this close to 1 counts as whole, as in COCO."""


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """What became of the detections of one class, in all images, the surest first.

    image: (d,) the row of each one's image. scores: (d,). hit: (10, d) whether it hit an object, at each threshold.
    ignored: (10, d) whether it counts neither for nor against. objects: (n,) labelled objects an image. partner: (d,)
    the object that it hit at 0.5, as its place among all objects of the boxes; -1 where it hit none.
    """

    image: Ints
    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    objects: Ints
    partner: Ints


@dataclass(frozen=True, eq=False)
class Matches:
    """The matches of every class. names: the K classes. images: how many images there are."""

    classes: tuple[ClassMatches, ...]
    names: tuple[str, ...]
    images: int


def match(boxes: Boxes, detections: Sequence[Detections]) -> Matches:
    """The matches of detections, one record an image of `boxes`, with its labelled objects."""
    if len(boxes) != len(detections):
        raise InternalError(f"{len(detections)} images were detected in, and {len(boxes)} are labelled.")
    return Matches(tuple(_match_class(boxes, detections, k) for k in range(len(boxes.names))), boxes.names, len(boxes))


def _match_class(boxes: Boxes, detections: Sequence[Detections], label: int) -> ClassMatches:
    scores, image, hit, ignored, partner = [], [], [], [], []
    objects = np.zeros(len(boxes), np.int64)
    for row, seen in enumerate(detections):
        place = boxes.of(row)
        members = place.start + np.flatnonzero(boxes.labels[place] == label)
        members = members[np.argsort(boxes.ignored[members], kind="stable")]
        objects[row] = int((~boxes.ignored[members]).sum())
        chosen = np.flatnonzero(seen.labels == label)
        chosen = chosen[np.argsort(-seen.scores[chosen], kind="stable")][:MOST]
        taken = _assign(seen.corners[chosen], boxes.corners[members], boxes.ignored[members])
        scores.append(seen.scores[chosen])
        image.append(np.full(len(chosen), row))
        of_ignored = np.append(boxes.ignored[members], False)[taken]  # -1, no object, is the last place
        hit.append((taken >= 0) & ~of_ignored)
        ignored.append(of_ignored)
        partner.append(np.append(members, -1)[taken[0]] if len(chosen) else np.zeros(0, np.int64))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return ClassMatches(
        np.concatenate(image)[order].astype(np.int64),
        np.concatenate(scores)[order],
        np.concatenate(hit, axis=1)[:, order],
        np.concatenate(ignored, axis=1)[:, order],
        objects,
        np.concatenate(partner)[order].astype(np.int64),
    )


def _assign(corners: NDArray[np.float64], objects: NDArray[np.float64], ignored: NDArray[np.bool_]) -> Ints:
    """(10, d) the object that each detection hits, at each threshold; -1 where it hits none.

    Objects that count come first: one of them is preferred to an ignored one, which may be hit more than once. Of
    equal overlaps the later object is taken, as in COCO's loop.
    """
    taken = np.full((len(THRESHOLDS), len(corners)), -1, np.int64)
    if not len(objects) or not len(corners):
        return taken
    overlap = overlaps(corners, objects, ignored=ignored)
    count = int((~ignored).sum())
    candidates = [(d, np.flatnonzero(row >= THRESHOLDS[0] - _ROUNDING)) for d, row in enumerate(overlap)]
    for t, threshold in enumerate(THRESHOLDS):
        free = np.ones(len(objects), bool)
        for d, near in candidates:
            for group in (near[near < count], near[near >= count]):
                usable = group[free[group] & (overlap[d, group] >= min(threshold, 1 - _ROUNDING))]
                if len(usable):
                    best = usable[len(usable) - 1 - int(overlap[d, usable][::-1].argmax())]
                    taken[t, d] = best
                    free[best] = bool(best >= count)
                    break
    return taken

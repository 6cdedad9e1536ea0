"""Points that a detector learns from, with what it should say there; and its loss.

Around the middle of every object points are drawn, as many for a small one as for a large one; further ones around it
and anywhere are background, save for a ring in which a point is neither. That centre sampling is FCOS's (Tian et al.
2019), at points drawn anywhere rather than at the cells of a grid. A point of an object says its class and the
distances to the four sides, as logarithms of pixels; the loss of a box is 1 - GIoU (Rezatofighi et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.spatial.points import Points
from headstart.records.arrays import Floats, Ints

CENTRAL, RING = 0.1, 0.3
"""A point is an object's within this share of its width and height from its middle, and background beyond the other."""
_BOX_WEIGHT = 4.0
_RARE = -3.0
"""The first bias of a class: a probability of 0.05."""
LOWEST, HIGHEST = -2.0, 7.5
"""Between which logarithms of distances are read: 0.1 to 1,800 pixels."""


@dataclass(frozen=True)
class PointCounts:
    """How many points: per_object in the middle, near it, and anywhere in the image."""

    per_object: int = 12
    near: int = 12
    anywhere: int = 400


def counts_for(images: int, objects: int, most: int = 40_000) -> PointCounts:
    """Fewer points an image where there are many images, so that training takes seconds."""
    usual = images * 400 + objects * 24
    share = min(1.0, most / max(usual, 1))
    return PointCounts(max(4, round(12 * share)), max(4, round(12 * share)), max(60, round(400 * share)))


@dataclass(frozen=True, eq=False)
class BoxPoints:
    """points: (m, 2). labels: (m,) class, -1 for background. distances: (m, 4) to left, top, right and bottom."""

    points: Points
    labels: Ints
    distances: Floats


def draw_box_points(
    corners: NDArray[np.float64],
    labels: Ints,
    ignored: NDArray[np.bool_],
    size: tuple[float, float],
    *,
    counts: PointCounts,
    random: np.random.Generator,
) -> BoxPoints:
    """Points of one image. corners, size: in pixels of the canvas; size is what the image fills of it."""
    spans = corners[:, 2:] - corners[:, :2]
    middles = (corners[:, :2] + corners[:, 2:]) / 2
    parts = [random.random((counts.anywhere, 2)) * size]
    for middle, span in zip(middles, spans, strict=True):
        parts.append(middle + random.uniform(-CENTRAL, CENTRAL, (counts.per_object, 2)) * span)
        parts.append(middle + random.uniform(-1, 1, (counts.near, 2)) * span)
    points = np.concatenate(parts)
    points = points[((points >= 0) & (points < size)).all(axis=1)]
    return _label_points(points, corners, labels, ignored, middles, spans)


def _label_points(
    points: NDArray[np.float64],
    corners: NDArray[np.float64],
    labels: Ints,
    ignored: NDArray[np.bool_],
    middles: NDArray[np.float64],
    spans: NDArray[np.float64],
) -> BoxPoints:
    """What each point belongs to: the smallest object whose middle it is in. Points of a ring are left out."""
    if not len(corners):
        empty = np.zeros((len(points), 4), np.float32)
        return BoxPoints(points.astype(np.float32), np.full(len(points), -1, np.int64), empty)
    off = (np.abs(points[:, None] - middles[None]) / spans[None]).max(axis=2)
    area = np.where((off <= CENTRAL) & ~ignored, spans.prod(axis=1)[None], np.inf)
    owner = area.argmin(axis=1)
    positive = np.isfinite(area.min(axis=1))
    doubtful = ((off <= np.where(ignored, 0.5, RING)).any(axis=1)) & ~positive
    box = corners[owner]
    distances = np.concatenate([points - box[:, :2], box[:, 2:] - points], axis=1)
    used = ~doubtful
    return BoxPoints(
        points[used].astype(np.float32),
        np.where(positive, labels[owner], -1)[used].astype(np.int64),
        np.maximum(distances, 0.1)[used].astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class BoxLoss:
    """Binary cross-entropy a class and (1 - GIoU) a box, over the objects' points of a step.

    labels: (m,) -1 for background. distances: (m, 4). weights: (K,) how much a class's points count.
    """

    labels: Ints
    distances: Floats
    weights: Floats

    def start(self) -> Floats:
        """The first biases: every class is rare, every box of the usual size."""
        usual = np.log(np.maximum(self.distances[self.labels >= 0], 1)).mean(axis=0)
        return np.concatenate([np.full(len(self.weights), _RARE), usual]).astype(np.float32)

    def gradient(self, outputs: Floats, rows: Ints) -> Floats:
        """(m, K + 4) the gradient of the mean loss an object's point."""
        classes = len(self.weights)
        labels = self.labels[rows]
        positive = np.flatnonzero(labels >= 0)
        count = np.float32(max(len(positive), 1))
        delta = np.empty_like(outputs)
        delta[:, :classes] = 1 / (1 + np.exp(-np.clip(outputs[:, :classes], -30, 30)))  # d loss / d logit = p - y
        delta[positive, labels[positive]] -= 1
        delta[:, :classes] *= self.weights
        delta[:, classes:] = 0
        boxes = outputs[positive, classes:].astype(np.float64)
        delta[positive, classes:] = -_BOX_WEIGHT * giou_gradient(boxes, self.distances[rows[positive]])
        return delta / count


def giou_gradient(logs: NDArray[np.float64], targets: NDArray[np.floating]) -> NDArray[np.float64]:
    """(m, 4) the gradient of GIoU in the logarithms of the distances; all boxes hold their point.

    GIoU = I / U - 1 + U / C with I the intersection, U the union and C the hull (Rezatofighi et al. 2019).
    """
    sides = np.exp(np.clip(logs, LOWEST, HIGHEST))
    wanted = np.asarray(targets, np.float64)
    inner, outer = np.minimum(sides, wanted), np.maximum(sides, wanted)
    inner_w, inner_h = inner[:, 0] + inner[:, 2], inner[:, 1] + inner[:, 3]
    outer_w, outer_h = outer[:, 0] + outer[:, 2], outer[:, 1] + outer[:, 3]
    w, h = sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]
    shared, hull = (inner_w * inner_h)[:, None], (outer_w * outer_h)[:, None]
    area = (wanted[:, 0] + wanted[:, 2]) * (wanted[:, 1] + wanted[:, 3])
    union = (w * h + area)[:, None] - shared
    smaller = sides < wanted
    d_shared = smaller * np.stack([inner_h, inner_w, inner_h, inner_w], axis=1)
    d_hull = ~smaller * np.stack([outer_h, outer_w, outer_h, outer_w], axis=1)
    d_union = np.stack([h, w, h, w], axis=1) - d_shared
    slope = (d_shared * union - shared * d_union) / union**2 + (d_union * hull - union * d_hull) / hull**2
    return np.asarray(slope * sides)

"""From a detector's outputs to boxes: distances to corners, non-maximum suppression a class, boxes voted by neighbours.

A box that stays becomes the mean of those that overlap it by half or more, weighted by score and overlap: many cells
see one object, and their mean lies better than the surest alone (box voting, Gidaris & Komodakis 2015; weights as in He
et al. 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.heads.spatial.box_points import HIGHEST, LOWEST
from headstart.heads.spatial.points import Points
from headstart.metrics.boxes.overlap import overlaps
from headstart.records.arrays import Floats
from headstart.records.boxes import Detections

SUPPRESS = 0.4
"""Overlap from which the less sure of two boxes of a class goes."""
LEAST = 0.02
"""Scores below are not looked at."""
MOST_CELLS, MOST = 400, 100
"""Cells of a class that are looked at, and boxes of an image that stay."""
VOTES = 0.05
"""How quickly a neighbour's vote falls with its overlap: exp(-(1 - overlap)² / this)."""


def decode_boxes(
    outputs: Floats, points: Points, scales: tuple[float, float], size: tuple[int, int], *, least: float = LEAST
) -> Detections:
    """The objects of one image. outputs: (m, K + 4) at points of the canvas. scales: pixels of the canvas a pixel of
    the image. size: of the image. least: scores below are left out."""
    classes = outputs.shape[1] - 4
    scores = 1 / (1 + np.exp(-np.clip(outputs[:, :classes].astype(np.float64), -30, 30)))
    parts = []
    for label in range(classes):
        near = np.flatnonzero(scores[:, label] >= least)
        near = near[np.argsort(-scores[near, label], kind="stable")][:MOST_CELLS]
        if len(near):
            corners, sure = suppress(_corners(outputs[near, classes:], points[near]), scores[near, label])
            parts.append((corners, sure, np.full(len(sure), label)))
    if not parts:
        return Detections.none()
    corners, sure, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-sure, kind="stable")[:MOST]
    limits = np.array([*size, *size], np.float64)
    placed = np.clip(corners[order] / np.array([*scales, *scales]), 0, limits)
    return Detections(placed, sure[order], labels[order].astype(np.int64))


def _corners(logs: Floats, points: Points) -> NDArray[np.float64]:
    sides = np.exp(np.clip(logs.astype(np.float64), LOWEST, HIGHEST))
    return np.concatenate([points - sides[:, :2], points + sides[:, 2:]], axis=1)


def suppress(
    corners: NDArray[np.float64], scores: NDArray[np.float64], *, limit: float = SUPPRESS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boxes that stay, voted by their neighbours, with their scores. corners: the surest first."""
    overlap = overlaps(corners, corners)
    free = np.ones(len(corners), bool)
    chosen: list[int] = []
    for place in range(len(corners)):
        if free[place]:
            chosen.append(place)
            free &= overlap[place] <= limit
    votes = overlap[chosen]
    weights = np.where(votes >= 0.5, np.exp(-((1 - votes) ** 2) / VOTES), 0.0) * scores
    return weights @ corners / weights.sum(axis=1, keepdims=True), scores[np.array(chosen, np.int64)]

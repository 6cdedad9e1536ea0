"""What taps say at points of the canvas: bilinear values between the centres of their cells.

Features of a point are the taps' channels side by side. Training gathers them at sampled points alone; a grid is made
by a matrix an axis (`interpolation`), which gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats

Points = NDArray[np.float32]
"""(m, 2) across and down, in pixels of the canvas."""


def gather(maps: Sequence[Floats], points: Points, size: tuple[int, int]) -> Floats:
    """(m, d) the features of points. maps: (rows, columns, channels) a tap. size: the canvas's width and height."""
    return np.concatenate([_bilinear(tap, points, size) for tap in maps], axis=1)


def _bilinear(tap: Floats, points: Points, size: tuple[int, int]) -> Floats:
    rows, columns, _ = tap.shape
    left, right, across = _neighbours(points[:, 0] * np.float32(columns / size[0]), columns)
    top, bottom, down = _neighbours(points[:, 1] * np.float32(rows / size[1]), rows)
    across, down = across[:, None], down[:, None]
    upper = tap[top, left].astype(np.float32) * (1 - across) + tap[top, right] * across
    lower = tap[bottom, left].astype(np.float32) * (1 - across) + tap[bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _neighbours(
    place: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The cells before and after each place (cells are centred at halves), and how far it lies on the way."""
    inside = np.clip(place - 0.5, 0, count - 1)
    low = np.minimum(inside.astype(np.int64), max(count - 2, 0))
    return low, np.minimum(low + 1, count - 1), (inside - low).astype(np.float32)


def interpolation(cells: int, count: int) -> Floats:
    """(cells, count) how `count` cells of a tap give `cells` of a grid over the same length.

    >>> interpolation(4, 2).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    place = ((np.arange(cells) + 0.5) * count / cells).astype(np.float32)
    low, high, way = _neighbours(place, count)
    matrix = np.zeros((cells, count), np.float32)
    np.add.at(matrix, (np.arange(cells), low), 1 - way)
    np.add.at(matrix, (np.arange(cells), high), way)
    return matrix


def grid_points(columns: int, rows: int, stride: int) -> Points:
    """(rows * columns, 2) the centres of a grid's cells, row by row."""
    down, across = np.mgrid[:rows, :columns]
    return (np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float32) + 0.5) * np.float32(stride)

"""Ridge regression from Gram matrices, one a fold: cross-validation subtracts a fold's matrix and solves again.

A fold keeps (d, d) and (d, o) sums whatever the number of its points, so this floor is there at once and every other
head has something to beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.spatial.network import CellNetwork
from headstart.records.arrays import Floats, Ints

_PENALTY = 1e-2
"""Of the mean variance of a feature, a point: small beside thousands of points, and enough to be stable."""
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Gram:
    """Weighted sums over points, of features with a one behind them. xx: (d + 1, d + 1). xy: (d + 1, o)."""

    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.xx + other.xx, self.xy + other.xy)

    def __sub__(self, other: Gram) -> Gram:
        return Gram(self.xx - other.xx, self.xy - other.xy)

    def solve(self) -> CellNetwork:
        """The ridge solution as one layer; the bias is not punished."""
        count = max(float(self.xx[-1, -1]), 1e-9)
        mean = self.xx[:-1, -1] / count
        variance = np.maximum(np.diag(self.xx)[:-1] / count - mean**2, 1e-8)
        penalty = np.diag(np.append(variance * _PENALTY * count, 0.0))
        weights = np.linalg.solve(self.xx + penalty + 1e-9 * count * np.eye(len(penalty)), self.xy)
        return CellNetwork(weights[:-1].astype(np.float32), weights[-1].astype(np.float32))


def gram(X: NDArray[np.float16], Y: Floats, rows: Ints, weights: Floats) -> Gram:
    """The sums over some points. X: (m, d). Y: (m, o). weights: (m,)."""
    width = X.shape[1] + 1
    xx, xy = np.zeros((width, width)), np.zeros((width, Y.shape[1]))
    for part in np.array_split(rows, len(rows) // _BLOCK + 1):
        block = np.concatenate([X[part].astype(np.float32), np.ones((len(part), 1), np.float32)], axis=1)
        weighted = block * weights[part, None]
        xx += weighted.T @ block
        xy += weighted.T @ Y[part]
    return Gram(xx, xy)

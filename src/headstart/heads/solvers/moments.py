"""Second moments of the training rows of every fold: those of all rows less those of the fold.

Least squares and Gaussian classes need nothing of the rows but these sums, so a fold costs one product over its own
rows and not one over all the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import iterate_folds
from headstart.heads.side_by_side import run_side_by_side
from headstart.records.arrays import Ints


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums over rows Z (n, r) with targets Y (n, J).

    mass: sum of weights. rows: (r,) Σ w z. gram: (r, r) Σ w z zᵀ. targets: (J,) Σ w y. cross: (r, J) Σ w z yᵀ.
    """

    mass: float
    rows: NDArray[Any]
    gram: NDArray[Any]
    targets: NDArray[Any]
    cross: NDArray[Any]

    def without(self, other: Moments) -> Moments:
        """The moments of the rows that `other` does not hold."""
        return Moments(
            self.mass - other.mass,
            self.rows - other.rows,
            self.gram - other.gram,
            self.targets - other.targets,
            self.cross - other.cross,
        )

    def centred(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """`gram` (r, r) and `cross` (r, J) about the weighted means of rows and targets."""
        # Σ w (z - z̄)(z - z̄)ᵀ = Σ w z zᵀ - z̄ (Σ w z)ᵀ, and likewise with y.
        mean = self.rows / self.mass
        gram = self.gram - np.outer(mean, self.rows)
        return gram, self.cross - np.outer(mean, self.targets)


def moments(Z: NDArray[Any], Y: NDArray[Any], weights: NDArray[Any] | None = None) -> Moments:
    """Sums over all rows of `Z` and `Y`; weights of 1 where none are given."""
    if weights is None:
        return Moments(float(len(Z)), Z.sum(axis=0), Z.T @ Z, Y.sum(axis=0), Z.T @ Y)
    # √w on both sides keeps Σ w z zᵀ exactly symmetric.
    scaled = Z * np.sqrt(weights).astype(Z.dtype)[:, None]
    w = weights.astype(Z.dtype)
    return Moments(float(w.sum()), w @ Z, scaled.T @ scaled, w @ Y, (Z * w[:, None]).T @ Y)


def run_fold_moments(
    work: Callable[[int, NDArray[np.bool_], Moments], None],
    Z: NDArray[Any],
    Y: NDArray[Any],
    folds: Ints,
    weights: NDArray[Any] | None = None,
) -> None:
    """Call `work` with (repeat, held-out rows, moments of the rows trained on) of every fold, folds side by side."""
    total = moments(Z, Y, weights)

    def one_fold(fold: tuple[int, int, NDArray[np.bool_], NDArray[np.bool_]]) -> None:
        """The moments of all rows less those of the fold."""
        r, _, _, held_out = fold
        fold_weights = None if weights is None else weights[held_out]
        work(r, held_out, total.without(moments(Z[held_out], Y[held_out], fold_weights)))

    run_side_by_side(one_fold, iterate_folds(folds))

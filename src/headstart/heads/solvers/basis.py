"""Standardised features in their own eigenbasis, shared by every fold and every strength.

Takes embeddings (n, d); returns them centred, scaled to unit variance and rotated so that their columns are
uncorrelated. In that basis the curvature of a linear model's loss is close to diagonal, and with fewer rows than
features there are only as many columns as rows. Uses no labels: the statistics are those of all the rows given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import signed_root
from headstart.records.arrays import Floats

_TINY = 1e-12
"""Directions whose share of the variance is below this are rounding noise of float64."""


@dataclass(frozen=True, eq=False)
class Standard:
    """How features are brought to mean 0 and standard deviation 1.

    centre, scale: (d,); a feature that never varies has the scale 1 and so becomes 0.
    signed_sqrt: whether sign(x) √|x| is taken first.
    """

    centre: Floats
    scale: Floats
    signed_sqrt: bool = False

    def apply(self, X: Floats) -> Floats:
        """Standardised copy of `X` (n, d)."""
        rows = signed_root(X) if self.signed_sqrt else X
        shifted = np.subtract(rows, self.centre, dtype=np.float32)
        return np.divide(shifted, self.scale, out=shifted)


def standardise(X: Floats, *, signed_sqrt: bool = False) -> Standard:
    """Learn mean and standard deviation of each column of `X` (n, d)."""
    rows = signed_root(X) if signed_sqrt else X
    centre = rows.mean(axis=0, dtype=np.float64)
    shifted = rows - centre.astype(np.float32)
    # Variance about a centre m that was rounded to float32: mean (x - m)² - (mean of x - m)².
    squares = np.einsum("ij,ij->j", shifted, shifted, dtype=np.float64) / len(rows)
    spread = np.sqrt(np.maximum(squares - shifted.mean(axis=0, dtype=np.float64) ** 2, 0))
    # A deviation of less than 1e-6 of the mean is the rounding of float32, not a signal.
    varies = spread > 1e-6 * np.abs(centre) + _TINY
    return Standard(centre.astype(np.float32), np.where(varies, spread, 1.0).astype(np.float32), signed_sqrt)


@dataclass(frozen=True, eq=False)
class Basis:
    """Rows in the eigenbasis of their covariance.

    rows: (n, r) = X @ axes. axes: (d, r), orthonormal columns. energy: (r,) sum of squares of each column of `rows`.
    """

    rows: NDArray[Any]
    axes: NDArray[Any]
    energy: NDArray[np.float64]


def basis(X: NDArray[Any]) -> Basis:
    """Rotate `X` (n, d; float32 or float64) onto its r = min(n, d) principal axes.

    Loses nothing that a linear model with a ridge penalty could use: its weights lie in the span of the rows.
    """
    n, d = X.shape
    return _from_covariance(X) if n >= d else _from_products(X)


def decomposition_cost(n: int, d: int) -> float:
    """What `basis` costs, in 10⁹ operations: products of O(n d r) and an eigendecomposition of O(r³)."""
    r = min(n, d)
    return (4.0 * n * d * r + 20.0 * r**3) / 1e9


def _from_covariance(X: NDArray[Any]) -> Basis:
    from scipy.linalg import eigh

    # XᵀX = V Λ Vᵀ; the rows in the basis V are X V, and their columns are uncorrelated.
    axes: NDArray[Any] = eigh(X.T @ X, driver="evd", overwrite_a=True, check_finite=False)[1]
    rows = X @ axes
    return Basis(rows, axes, np.einsum("ij,ij->j", rows, rows, dtype=np.float64))


def _from_products(X: NDArray[Any]) -> Basis:
    """With fewer rows than features: the eigenvectors of X Xᵀ, in float64 because the axes divide by their roots."""
    from scipy.linalg import eigh

    # The singular value decomposition X = U √Λ Vᵀ by way of X Xᵀ = U Λ Uᵀ: V = Xᵀ U / √Λ and X V = U √Λ.
    wide = X.astype(np.float64)
    energy, left = eigh(wide @ wide.T, driver="evd", check_finite=False)
    nonzero = energy > _TINY * max(float(energy[-1]), _TINY)
    singular = np.sqrt(energy[nonzero])
    axes = (wide.T @ left[:, nonzero]) / singular
    return Basis((left[:, nonzero] * singular).astype(X.dtype), axes.astype(X.dtype), energy[nonzero])

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
    root: whether the signed square root is taken first.
    """

    centre: Floats
    scale: Floats
    root: bool = False

    def apply(self, X: Floats) -> Floats:
        """Standardised copy of `X` (n, d)."""
        rows = signed_root(X) if self.root else X
        shifted = np.subtract(rows, self.centre, dtype=np.float32)
        return np.divide(shifted, self.scale, out=shifted)


def standardise(X: Floats, *, root: bool = False) -> Standard:
    """Learn mean and standard deviation of each column of `X` (n, d)."""
    rows = signed_root(X) if root else X
    centre = rows.mean(axis=0, dtype=np.float64)
    shifted = rows - centre.astype(np.float32)
    # The centre's own rounding is taken out again: Σ(x - m)² - n (mean of x - m)².
    squares = np.einsum("ij,ij->j", shifted, shifted, dtype=np.float64) / len(rows)
    spread = np.sqrt(np.maximum(squares - shifted.mean(axis=0, dtype=np.float64) ** 2, 0))
    varies = spread > 1e-6 * np.abs(centre) + _TINY
    return Standard(centre.astype(np.float32), np.where(varies, spread, 1.0).astype(np.float32), root)


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


def _from_covariance(X: NDArray[Any]) -> Basis:
    axes = _eigenvectors(X.T @ X)
    rows = X @ axes
    return Basis(rows, axes, np.einsum("ij,ij->j", rows, rows, dtype=np.float64))


def _from_products(X: NDArray[Any]) -> Basis:
    """With fewer rows than features: the eigenvectors of X Xᵀ, in float64 because the axes divide by their roots."""
    from scipy.linalg import eigh

    wide = X.astype(np.float64)
    energy, left = eigh(wide @ wide.T, driver="evd", check_finite=False)
    kept = energy > _TINY * max(float(energy[-1]), _TINY)
    roots = np.sqrt(energy[kept])
    axes = (wide.T @ left[:, kept]) / roots
    return Basis((left[:, kept] * roots).astype(X.dtype), axes.astype(X.dtype), energy[kept])


def _eigenvectors(gram: NDArray[Any]) -> NDArray[Any]:
    from scipy.linalg import eigh

    return eigh(gram, driver="evd", overwrite_a=True, check_finite=False)[1]  # type: ignore[no-any-return]

"""Ridge systems (G + α I) W = B for many α, where G is nearly diagonal.

Two exact ways, the cheaper by arithmetic: a Cholesky factor for each α, or conjugate gradients for all α and columns
at once, preconditioned by the diagonal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXPECTED_STEPS = 25
_MOST_STEPS = 300
_PRECISION = 1e-5
"""Preconditioned residual, relative to the right-hand side's, at which conjugate gradients stop."""


def solve_ridges(gram: NDArray[Any], target: NDArray[Any], alphas: NDArray[np.float64]) -> NDArray[Any]:
    """Weights (A, r, J) for every α; `gram` (r, r) symmetric, `target` (r, J)."""
    r, J = target.shape
    # Operations for one α: r³/3 for a Cholesky factor, 2 r² a step and column for conjugate gradients.
    if r / 3 < 2 * _EXPECTED_STEPS * J:
        return np.stack([_factored(gram, target, alpha) for alpha in alphas])
    return _conjugate(gram, target, alphas)


def _factored(gram: NDArray[Any], target: NDArray[Any], alpha: float) -> NDArray[Any]:
    """Cholesky, of the matrix scaled to a unit diagonal: in float32 that is what keeps it accurate."""
    from scipy.linalg import cho_factor, cho_solve

    # With D = diag(G + αI)^-½: (G + αI)⁻¹ = D (D (G + αI) D)⁻¹ D, and the matrix in the middle has a unit diagonal.
    scale = 1.0 / np.sqrt(gram.diagonal() + alpha)
    matrix = gram * scale[:, None]
    matrix *= scale
    matrix.flat[:: len(matrix) + 1] = 1.0 + 1e-6  # a jitter above the rounding of float32 keeps it positive definite
    factor = cho_factor(matrix.astype(gram.dtype, copy=False), lower=True, overwrite_a=True, check_finite=False)
    return (scale[:, None] * cho_solve(factor, scale[:, None] * target)).astype(gram.dtype)  # type: ignore[no-any-return]


def _conjugate(gram: NDArray[Any], target: NDArray[Any], alphas: NDArray[np.float64]) -> NDArray[Any]:
    """Preconditioned conjugate gradients (Nocedal & Wright 2006, algorithm 5.3), each column a system of its own."""
    r, J = target.shape
    shift = np.repeat(alphas, J).astype(gram.dtype)  # α of each of the A·J columns
    inverse = 1.0 / (np.maximum(gram.diagonal(), 0)[:, None] + shift)  # the preconditioner M⁻¹ = 1 / (diag G + α)
    residual = np.tile(target, (1, len(alphas)))  # R = B - (G + αI) W, with W = 0
    W = np.zeros_like(residual)
    preconditioned = inverse * residual
    direction = preconditioned.copy()
    size = np.einsum("ij,ij->j", residual, preconditioned)  # rᵀM⁻¹r of every column
    limit = _PRECISION**2 * size
    for _ in range(_MOST_STEPS):
        if (size <= limit).all():
            break
        image = gram @ direction + shift * direction
        curvature = np.einsum("ij,ij->j", direction, image)
        # Step length rᵀM⁻¹r / pᵀ(G + αI)p; a column that has converged stands still.
        length = np.where(size > limit, size / np.where(curvature > 0, curvature, 1.0), 0.0)
        W += length * direction
        residual -= length * image
        preconditioned = inverse * residual
        new_size = np.einsum("ij,ij->j", residual, preconditioned)
        # The next direction is conjugate to the last: β = new rᵀM⁻¹r / old rᵀM⁻¹r.
        beta = np.where(size > 0, new_size / np.where(size > 0, size, 1.0), 0.0)
        direction = preconditioned + beta * direction
        size = new_size
    return np.ascontiguousarray(W.reshape(r, len(alphas), J).transpose(1, 0, 2))

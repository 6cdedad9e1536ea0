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
    if r / 3 < 2 * _EXPECTED_STEPS * J:
        return np.stack([_factored(gram, target, alpha) for alpha in alphas])
    return _conjugate(gram, target, alphas)


def _factored(gram: NDArray[Any], target: NDArray[Any], alpha: float) -> NDArray[Any]:
    """Cholesky, of the matrix scaled to a unit diagonal: in float32 that is what keeps it accurate."""
    from scipy.linalg import cho_factor, cho_solve

    scale = 1.0 / np.sqrt(gram.diagonal() + alpha)
    matrix = gram * scale[:, None]
    matrix *= scale
    matrix.flat[:: len(matrix) + 1] = 1.0 + 1e-6
    factor = cho_factor(matrix.astype(gram.dtype, copy=False), lower=True, overwrite_a=True, check_finite=False)
    return (scale[:, None] * cho_solve(factor, scale[:, None] * target)).astype(gram.dtype)  # type: ignore[no-any-return]


def _conjugate(gram: NDArray[Any], target: NDArray[Any], alphas: NDArray[np.float64]) -> NDArray[Any]:
    r, J = target.shape
    shift = np.repeat(alphas, J).astype(gram.dtype)
    inverse = 1.0 / (np.maximum(gram.diagonal(), 0)[:, None] + shift)
    residual = np.tile(target, (1, len(alphas)))
    W = np.zeros_like(residual)
    ahead = inverse * residual
    direction = ahead.copy()
    size = np.einsum("ij,ij->j", residual, ahead)
    wanted = _PRECISION**2 * size
    for _ in range(_MOST_STEPS):
        if (size <= wanted).all():
            break
        image = gram @ direction + shift * direction
        curve = np.einsum("ij,ij->j", direction, image)
        length = np.where(size > wanted, size / np.where(curve > 0, curve, 1.0), 0.0)
        W += length * direction
        residual -= length * image
        ahead = inverse * residual
        new = np.einsum("ij,ij->j", residual, ahead)
        direction = ahead + np.where(size > 0, new / np.where(size > 0, size, 1.0), 0.0) * direction
        size = new
    return np.ascontiguousarray(W.reshape(r, len(alphas), J).transpose(1, 0, 2))

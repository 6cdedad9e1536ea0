"""How alike two sets of features of the same images are: linear CKA, with what unrelated features would reach.

Takes two arrays with a row an image; their widths may differ. numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.errors import DataError
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Floats

_CONSTANT = 1e-12
"""Features that vary less than this share of their size do not vary."""


@dataclass(frozen=True)
class CkaEstimate:
    """cka: 0 (nothing in common) to 1 (equal but for rotation and scale). chance: the mean of `cka` when the images of
    one side are shuffled, which comes close to 1 where images are few and features many."""

    cka: float
    chance: float


def linear_cka(X: Floats, Y: Floats) -> CkaEstimate:
    """Centred kernel alignment with linear kernels: |YᵀX|² / (|XᵀX| |YᵀY|) of centred features, Frobenius norms.

    Kornblith, Norouzi, Lee, Hinton 2019 (ICML), section 3. It does not change when features are rotated or multiplied
    by a number. With the images' inner products K = XXᵀ, L = YYᵀ it is ⟨K, L⟩ / (|K| |L|), which is computed where
    there are fewer images than features. Over all orders of the images its mean is tr K tr L / ((n - 1) |K| |L|).
    X: (n, d), Y: (n, e), finite. Raises `DataError` for fewer than 2 images. Two features that do not vary are alike
    (1), one that varies and one that does not are not (0).

    >>> X = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    >>> similarity = linear_cka(X, -2 * X[:, ::-1])
    >>> print(f"{similarity.cka:.6f} {similarity.chance:.2f}")
    1.000000 0.14
    """
    if len(X) != len(Y) or len(X) < 2:
        raise DataError(f"features are compared on at least 2 images, the same ones; found {len(X)} and {len(Y)}.")
    x, y = _centred(X), _centred(Y)
    if x is None or y is None:
        return CkaEstimate(float(x is y), float(x is y))
    cross, scale = _by_images(x, y) if len(x) < max(x.shape[1], y.shape[1]) else _by_features(x, y)
    return CkaEstimate(min(cross / scale, 1.0), min(1.0 / ((len(x) - 1) * scale), 1.0))


def _centred(X: Floats) -> Reals | None:
    """Rows about their mean, of Frobenius norm 1 (then tr K = 1); None where they do not vary."""
    rows = np.asarray(X, np.float64)
    size = np.abs(rows).max(initial=0.0)
    rows = (rows - rows.mean(axis=0)) / (size or 1.0)
    norm = float(np.linalg.norm(rows))
    return rows / norm if norm > _CONSTANT * np.sqrt(rows.size) else None


def _by_features(x: Reals, y: Reals) -> tuple[float, float]:
    cross = float((np.abs(y.T @ x) ** 2).sum())
    return cross, float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def _by_images(x: Reals, y: Reals) -> tuple[float, float]:
    one, other = x @ x.T, y @ y.T
    return max(float((one * other).sum()), 0.0), float(np.linalg.norm(one) * np.linalg.norm(other))

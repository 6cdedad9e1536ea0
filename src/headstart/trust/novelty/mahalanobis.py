"""Novelty values of one layer: Mahalanobis distance to the nearest class, and direction.

Lee et al. 2018: class means, one covariance shared by all classes, the smallest Mahalanobis distance. The covariance
is shrunk towards a multiple of the identity by Ledoit and Wolf's rule (2004), so that fewer rows than features will do.
Rows are brought to length one about the training mean first, which helped on every set that was tried with the last
layer (normalising for this score: Mueller and Hein 2025). The direction, as a cosine under the same covariance, flags
what lies near the known rows and yet towards none of their classes. Relative distances (Ren et al. 2021) lost:
docs/novelty.md.

Stored are the class means, the leading eigenvectors and one level for the rest, not the (d, d) matrix. Scoring needs
numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import row_blocks, unit_rows
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays

MOST_AXES = 256
"""Eigenvectors kept; further ones share one variance, their mean."""
MOST_ROWS = 2000
"""The covariance is learned on at most this many rows, evenly drawn: its cost grows with their square or cube."""
_TINY = 1e-10
_SMALL = np.float32(1e-12)

_MOST_AT_ONCE = 3
"""All eigenvectors are found faster than the leading ones alone, up to so many times as many."""

Wide = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Class means and one shared covariance, as `distance_and_direction` needs them.

    centre: (d,), the training mean. means: (K, d), of the classes' rows after centring and normalising. axes: (d, r),
    orthonormal. discount: (r,), 1 - level / variance along each axis, in [0, 1). level: the variance everywhere else.
    """

    layout: ClassVar[Layout] = {
        "centre": ("f4", "d"),
        "means": ("f2", "Kd"),
        "axes": ("f2", "dr"),
        "discount": ("f4", "r"),
        "level": ("f4", ""),
    }
    centre: Floats
    means: NDArray[np.float16]
    axes: NDArray[np.float16]
    discount: Floats
    level: NDArray[Any]

    def __post_init__(self) -> None:
        if not float(self.level) > 0 or (len(self.discount) and not self.discount.min() >= 0):
            raise array_error("novelty score", "its variances are not above 0")
        if len(self.discount) and not self.discount.max() < 1:
            raise array_error("novelty score", "its variances are not finite")

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Mahalanobis:
        """Build it from what `to_arrays` gave; `BundleError` where that is not what it needs."""
        return cls(**check_arrays("novelty score", arrays, cls.layout))

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return len(self.centre)

    def distance_and_direction(self, X: Floats) -> Floats:
        """(n, d) → (n, 2), both higher = more novel.

        Distance: the smallest Mahalanobis distance to a class mean, √(distance² / d): about 1 for a row like the
        training rows. Direction: 1 - the largest cosine with a class mean, 0 to 2, both taken from the training mean
        and under the same covariance: a row can lie as near as the known ones and yet point where no class is. 0 where
        there is one class alone, whose mean is the training mean.
        """
        values = np.empty((len(X), 2), np.float32)
        means, axes = self.means.astype(np.float32), self.axes.astype(np.float32)
        # The covariance is V diag(v) Vᵀ + level (I - V Vᵀ), V the axes; its inverse times the level is I - V D Vᵀ with
        # D = diag(1 - level / v), the discount. So level · aᵀ Σ⁻¹ b = a·b - (Vᵀa)ᵀ D (Vᵀb): no (d, d) matrix.
        mean_projections = means @ axes
        mean_norms = _squared_norms(means, mean_projections, self.discount)
        for block in row_blocks(len(X), self.width):
            rows = unit_rows(X[block] - self.centre)
            projections = rows @ axes
            norms = _squared_norms(rows, projections, self.discount)[:, None]
            inner = rows @ means.T - (projections * self.discount) @ mean_projections.T
            values[block, 0] = (norms + mean_norms - 2 * inner).min(axis=1)  # |a - b|² = |a|² + |b|² - 2 a·b
            values[block, 1] = 1 - (inner / np.sqrt(np.maximum(norms * mean_norms, _SMALL))).max(axis=1)
        if len(means) == 1:
            values[:, 1] = 0
        values[:, 0] = np.sqrt(np.maximum(values[:, 0], 0) / (self.level * np.float32(self.width)))
        return values

    def to_arrays(self) -> Arrays:
        """The fields, by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.layout}


def _squared_norms(rows: Floats, projections: Floats, discount: Floats) -> Floats:
    """level · aᵀ Σ⁻¹ a of rows a (n, d): (n,). projections: (n, r), the rows on the axes."""
    return (rows * rows).sum(axis=1) - (projections * projections) @ discount  # type: ignore[no-any-return]


def fit_mahalanobis(X: Floats, labels: Ints, *, most_axes: int = MOST_AXES, most_rows: int = MOST_ROWS) -> Mahalanobis:
    """Class means and the shrunk covariance within classes, from embeddings X (n, d) and class numbers (n,).

    Any number of classes and rows from one up will do.

    >>> X = np.random.default_rng(0).standard_normal((80, 6)).astype(np.float32) + 5
    >>> form = fit_mahalanobis(X, np.arange(80) % 2)
    >>> distances = form.distance_and_direction(np.concatenate([np.zeros((1, 6), np.float32), X]))[:, 0]
    >>> bool(distances[0] > np.median(distances))
    True
    """
    centre = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = unit_rows(X - centre)
    member = np.unique(labels, return_inverse=True)[1]
    means = np.stack([rows[member == k].mean(axis=0) for k in range(member.max() + 1)])
    sample = slice(None, None, -(-len(X) // most_rows))
    axes, variances, level = shrunk_covariance((rows[sample] - means[member[sample]]).astype(np.float64), most_axes)
    return Mahalanobis(
        centre,
        means.astype(np.float16),
        np.ascontiguousarray(axes, np.float16),
        np.minimum(1 - level / variances, 1 - 2**-20).astype(np.float32),
        np.array(level, np.float32),
    )


def shrunk_covariance(residuals: Wide, most_axes: int) -> tuple[Wide, Wide, float]:
    """Leading eigenvectors (d, r) and eigenvalues (r,) of the shrunk covariance of centred rows, and the others' mean.

    The matrix is (1 - s) S + s m I, with S = RᵀR / n, m = trace S / d and Ledoit and Wolf's s. Residuals that are all
    zero (every class one row) make a sphere.
    """
    from scipy.linalg import eigh

    n, d = residuals.shape
    tall = n >= d
    # RᵀR and R Rᵀ have the same eigenvalues: the smaller one is decomposed.
    gram = residuals.T @ residuals if tall else residuals @ residuals.T
    mean = float(gram.trace()) / (n * d)  # m: the mean variance of a feature
    if not mean > _TINY / d:
        return np.zeros((d, 0)), np.zeros(0), 1.0 / d
    shrinkage = ledoit_wolf(residuals, gram)
    r = min(most_axes, n, d)
    leading = [len(gram) - r, len(gram) - 1] if len(gram) > _MOST_AT_ONCE * r else None
    values, vectors = eigh(gram, subset_by_index=leading, check_finite=False)
    values, vectors = values[-r:], vectors[:, -r:]
    positive = values > _TINY * values[-1]
    values, vectors = values[positive], vectors[:, positive]
    # R Rᵀ u = λ u gives the eigenvector Rᵀu / √λ of RᵀR, of length one.
    axes = vectors if tall else residuals.T @ (vectors / np.sqrt(values))
    # What the trace holds beyond the leading eigenvalues is spread evenly over the other d - r directions.
    rest = max(mean * n * d - float(values.sum()), 0.0) / n / max(d - len(values), 1)
    level = (1 - shrinkage) * rest + shrinkage * mean
    if not level > _TINY * mean:  # nothing is shrunk and nothing is left over: keep the inverse finite
        level = _TINY**0.5 * mean
    return axes, np.maximum((1 - shrinkage) * values / n + shrinkage * mean, level), level


def ledoit_wolf(residuals: Wide, gram: Wide) -> float:
    """Ledoit and Wolf's (2004) weight of the identity, 0 to 1, for rows (n, d) about a known mean of zero.

    gram: RᵀR or R Rᵀ, which have the same trace and the same sum of squares: all that the rule needs.
    """
    n, d = residuals.shape
    mean = float(gram.trace()) / (n * d)
    squared_norm = float((gram**2).sum()) / n**2  # |S|², Frobenius
    fourth_moment = float(((residuals**2).sum(axis=1) ** 2).sum()) / n  # the mean of |x|⁴ = |x xᵀ|²
    noise = (fourth_moment - squared_norm) / n  # b²: the expected |S - Σ|²
    dispersion = squared_norm - d * mean**2  # d²: |S - m I|²
    return float(np.clip(noise / dispersion, 0, 1)) if dispersion > 0 else 1.0

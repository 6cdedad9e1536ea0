"""Distance to the nearest class in units of the spread within classes: a novelty score on embeddings.

Lee et al. 2018: class means, one covariance shared by all classes, the smallest Mahalanobis distance. The covariance
is shrunk towards a multiple of the identity by Ledoit and Wolf's rule (2004), so that fewer rows than features will do.
Rows are brought to length one about the training mean first, which helped on every set that was tried with the last
layer (normalising for this score: Mueller and Hein 2025). Relative distances (Ren et al. 2021) lost: docs/novelty.md.

Stored are the class means, the leading eigenvectors and one level for the rest, not the (d, d) matrix. Scoring needs
numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.arrays import blocks, unit
from headstart.records import Floats, Ints
from headstart.trust.arrays import Arrays, Layout, refuse

MOST_AXES = 256
"""Eigenvectors kept; further ones share one variance, their mean."""
MOST_ROWS = 2000
"""The covariance is learned on at most this many rows, evenly drawn: its cost grows with their square or cube."""
_TINY = 1e-10

Wide = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """The smallest of the distances to the class means, √(distance² / d): about 1 for a row like the trained ones.

    centre: (d,), the training mean. means: (K, d), of the classes' rows after centring and normalising. axes: (d, r),
    orthonormal. discount: (r,), 1 - level / variance along each axis, in [0, 1). level: the variance everywhere else.
    """

    kind: ClassVar[str] = "mahalanobis"
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
            raise refuse("novelty score", "its variances are not above 0")
        if len(self.discount) and not self.discount.max() < 1:
            raise refuse("novelty score", "its variances are not finite")

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return len(self.centre)

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        found = np.empty(len(X), np.float32)
        means, axes = self.means.astype(np.float32), self.axes.astype(np.float32)
        along = means @ axes
        for block in blocks(len(X), self.width):
            rows = unit(X[block] - self.centre)
            squared = _squared(rows, means, None) - _squared(rows @ axes, along, self.discount)
            found[block] = squared.min(axis=1)
        return np.sqrt(np.maximum(found, 0) / (self.level * np.float32(self.width)))

    def to_arrays(self) -> Arrays:
        """The fields, by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.layout}


def _squared(rows: Floats, means: Floats, weights: Floats | None) -> Floats:
    """(n, K) sums of weighted squared differences."""
    heavy = means if weights is None else means * weights
    own = rows * rows if weights is None else rows * rows * weights
    return own.sum(axis=1)[:, None] - 2 * (rows @ heavy.T) + (heavy * means).sum(axis=1)  # type: ignore[no-any-return]


def fit_mahalanobis(X: Floats, labels: Ints, *, most_axes: int = MOST_AXES, most_rows: int = MOST_ROWS) -> Mahalanobis:
    """Learn the score from embeddings X (n, d) and class numbers (n,); any number of classes and rows from one up.

    >>> X = np.random.default_rng(0).standard_normal((80, 6)).astype(np.float32) + 5
    >>> found = fit_mahalanobis(X, np.arange(80) % 2)
    >>> bool(found.score(np.zeros((1, 6), np.float32))[0] > np.median(found.score(X)))
    True
    """
    centre = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = unit(X - centre)
    member = np.unique(labels, return_inverse=True)[1]
    means = np.stack([rows[member == k].mean(axis=0) for k in range(member.max() + 1)])
    used = slice(None, None, -(-len(X) // most_rows))
    axes, variances, level = shrunk_covariance((rows[used] - means[member[used]]).astype(np.float64), most_axes)
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
    gram = residuals.T @ residuals if tall else residuals @ residuals.T
    mean = float(gram.trace()) / (n * d)
    if not mean > _TINY / d:
        return np.zeros((d, 0)), np.zeros(0), 1.0 / d
    shrinkage = ledoit_wolf(residuals, gram)
    r = min(most_axes, n, d)
    values, vectors = eigh(gram, subset_by_index=[len(gram) - r, len(gram) - 1], check_finite=False)
    kept = values > _TINY * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    axes = vectors if tall else residuals.T @ (vectors / np.sqrt(values))
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
    second = float((gram**2).sum()) / n**2
    fourth = float(((residuals**2).sum(axis=1) ** 2).sum()) / n
    noise = (fourth - second) / n
    spread = second - d * mean**2
    return float(np.clip(noise / spread, 0, 1)) if spread > 0 else 1.0

"""Distance to the nearest class in units of the spread within classes, and direction: novelty on one embedding.

Lee et al. 2018: class means, one covariance shared by all classes, the smallest Mahalanobis distance. The covariance
is shrunk towards a multiple of the identity by Ledoit and Wolf's rule (2004), so that fewer rows than features will do.
Rows are brought to length one about the training mean first, which helped on every set that was tried with the last
layer (normalising for this score: Mueller and Hein 2025). The direction, as a cosine under the same covariance, sees
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

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        return self.distance_and_direction(X)[:, 0]

    def distance_and_direction(self, X: Floats) -> Floats:
        """(n, d) → (n, 2): the score, and how far the row's direction is from that of the nearest class mean.

        The second is 1 - the largest cosine, 0 to 2, both seen from the training mean and measured with the same
        covariance: a row can lie as near as the known ones and yet point where no class is. 0 where there is one class
        alone, whose mean is the training mean.
        """
        found = np.empty((len(X), 2), np.float32)
        means, axes = self.means.astype(np.float32), self.axes.astype(np.float32)
        along = means @ axes
        theirs = _squared(means, along, self.discount)
        for block in row_blocks(len(X), self.width):
            rows = unit_rows(X[block] - self.centre)
            onto = rows @ axes
            own = _squared(rows, onto, self.discount)[:, None]
            inner = rows @ means.T - (onto * self.discount) @ along.T
            found[block, 0] = (own + theirs - 2 * inner).min(axis=1)
            found[block, 1] = 1 - (inner / np.sqrt(np.maximum(own * theirs, _SMALL))).max(axis=1)
        if len(means) == 1:
            found[:, 1] = 0
        found[:, 0] = np.sqrt(np.maximum(found[:, 0], 0) / (self.level * np.float32(self.width)))
        return found

    def to_arrays(self) -> Arrays:
        """The fields, by name."""
        return {name: np.asarray(getattr(self, name)) for name in self.layout}


def _squared(rows: Floats, along: Floats, discount: Floats) -> Floats:
    """(n,) squared lengths of rows (n, d), in units of the level; along: (n, r), the rows on the axes."""
    return (rows * rows).sum(axis=1) - (along * along) @ discount  # type: ignore[no-any-return]


def fit_mahalanobis(X: Floats, labels: Ints, *, most_axes: int = MOST_AXES, most_rows: int = MOST_ROWS) -> Mahalanobis:
    """Learn the score from embeddings X (n, d) and class numbers (n,); any number of classes and rows from one up.

    >>> X = np.random.default_rng(0).standard_normal((80, 6)).astype(np.float32) + 5
    >>> found = fit_mahalanobis(X, np.arange(80) % 2)
    >>> bool(found.score(np.zeros((1, 6), np.float32))[0] > np.median(found.score(X)))
    True
    """
    centre = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = unit_rows(X - centre)
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
    some = [len(gram) - r, len(gram) - 1] if len(gram) > _MOST_AT_ONCE * r else None
    values, vectors = eigh(gram, subset_by_index=some, check_finite=False)
    values, vectors = values[-r:], vectors[:, -r:]
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

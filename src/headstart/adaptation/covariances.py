"""Moving the source's rows so that their mean and covariance are the target's: CORAL and linear optimal transport.

`coral` whitens the source and colours it as the target (Sun, Feng and Saenko 2016, https://arxiv.org/abs/1511.05547);
`transport` is the optimal map between two Gaussians (Peyré and Cuturi 2019, equation 2.40), the shortest of all maps
that do so. References: on real shifts both gained less than standardising each domain by itself, and harmed more often
(docs/evidence/adapt.md); they are never chosen by themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats

Reals = NDArray[np.float64]
SHRINKAGE = 0.1
"""The share of the mean variance in the covariances: few rows leave them singular."""


def coral(source: Floats, target: Floats, *, shrinkage: float = SHRINKAGE) -> Floats:
    """(n, r): the source's rows with the target's mean and covariance, x ↦ (x - m_s) C_s^-½ C_t^½ + m_t."""
    moved = (source - source.mean(axis=0)) @ power(covariance(source, shrinkage), -0.5)
    moved = moved @ power(covariance(target, shrinkage), 0.5) + target.mean(axis=0)
    return moved.astype(np.float32)  # type: ignore[no-any-return]


def transport(source: Floats, target: Floats, *, shrinkage: float = SHRINKAGE) -> Floats:
    """(n, r): the source's rows under the Gaussian Monge map, A = C_s^-½ (C_s^½ C_t C_s^½)^½ C_s^-½."""
    ours, theirs = covariance(source, shrinkage), covariance(target, shrinkage)
    root, inverse = power(ours, 0.5), power(ours, -0.5)
    matrix = inverse @ power(root @ theirs @ root, 0.5) @ inverse
    moved = (source - source.mean(axis=0)) @ matrix + target.mean(axis=0)
    return moved.astype(np.float32)  # type: ignore[no-any-return]


def covariance(rows: Floats, shrinkage: float) -> Reals:
    """(r, r): the covariance of the rows (n, r), drawn towards a multiple of the identity."""
    plain = np.cov(rows, rowvar=False)
    even = np.trace(plain) / len(plain) * np.eye(len(plain))
    return (1 - shrinkage) * plain + shrinkage * even  # type: ignore[no-any-return]


def power(matrix: Reals, exponent: float) -> Any:
    """A symmetric positive matrix to a power."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.maximum(values, 1e-9 * values.max()) ** exponent) @ vectors.T

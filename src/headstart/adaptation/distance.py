"""Whether two domains differ at all: how well a classifier tells them apart, out of fold (the proxy A-distance).

Ben-David et al. 2010 ("A theory of learning from different domains"): with ε the domain classifier's error, the
distance is 2 (1 - 2ε). Half of the images right is chance and no distance; every image right is 2. Ridge regression on
the domains, the strength fixed, five folds that never part a group, both domains weighed alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.solvers.basis import standardise
from headstart.metrics.intervals import Estimate, wilson
from headstart.records.arrays import Floats, Ints

FOLDS = 5
MOST_ROWS = 700
"""Drawn of each domain: enough for an interval of a few points."""
Reals = NDArray[np.float64]
_RIDGE = 1.0
"""Penalty in units of the kernel's mean eigenvalue."""


@dataclass(frozen=True)
class DomainDistance:
    """How well two domains are told apart.

    accuracy: balanced, out of fold, with its 95 % interval; 0.5 is chance. distance: the proxy A-distance, 0 to 2.
    """

    accuracy: Estimate

    @property
    def distance(self) -> float:
        """2 (1 - 2ε), 0 where the classifier is worse than chance."""
        return max(0.0, 2 * (2 * self.accuracy.value - 1))


def domain_distance(
    source: Floats, target: Floats, *, groups: tuple[Ints, Ints] | None = None, seed: int = 0
) -> DomainDistance:
    """Tell the domains apart. source: (n, d), target: (m, d). groups: (n,) and (m,), equal numbers belong together."""
    random = np.random.default_rng(seed)
    drawn = [random.permutation(len(rows))[:MOST_ROWS] for rows in (source, target)]
    rows = np.concatenate([source[drawn[0]], target[drawn[1]]])
    second = np.repeat([False, True], [len(drawn[0]), len(drawn[1])])
    folds = np.concatenate(
        [_folds(None if groups is None else groups[i][drawn[i]], len(drawn[i]), random) for i in range(2)]
    )
    right = _out_of_fold(rows, second, folds)
    shares = [float(right[side].mean()) for side in (~second, second)]
    value = float(np.mean(shares))
    # As sure as a share of twice the smaller domain's images.
    trials = 2 * min(len(drawn[0]), len(drawn[1]))
    low, high = wilson(value * trials, trials)
    return DomainDistance(Estimate(value, float(low), float(high), "domain accuracy", method="Wilson, out of fold"))


def _folds(groups: Ints | None, n: int, random: np.random.Generator) -> Ints:
    """(n,) a fold for each row, one for each group."""
    groups = np.arange(n) if groups is None else groups
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    return (random.permutation(count) % FOLDS)[member]


def _out_of_fold(rows: Floats, second: NDArray[np.bool_], folds: Ints) -> NDArray[np.bool_]:
    """(n,) whether the domain of each row is told by a classifier that has not seen its fold."""
    Z = standardise(rows, signed_sqrt=True).apply(rows).astype(np.float64)
    kernel = Z @ Z.T if 2 * Z.shape[1] > len(Z) else None
    right = np.zeros(len(rows), np.bool_)
    for fold in range(FOLDS):
        held, train = folds == fold, folds != fold
        if not held.any() or second[train].all() or not second[train].any():
            continue
        scores, side = _ridge_scores(Z, kernel, train, second[train]), second[train]
        cut = (scores[train][side].mean() + scores[train][~side].mean()) / 2
        right[held] = (scores[held] > cut) == second[held]
    return right


def _ridge_scores(Z: Reals, kernel: Reals | None, train: NDArray[np.bool_], side: NDArray[np.bool_]) -> Reals:
    """(n,): scores of all rows by ridge weights of the training rows; each side has the mass ½ there.

    Z: (n, d). kernel: (n, n), Z Zᵀ, where that is the quicker way. side: the training rows' domain.
    """
    from scipy.linalg import solve

    mass = np.where(side, 0.5 / side.mean(), 0.5 / (~side).mean())
    wanted = np.where(side, 1.0, -1.0)
    # (Zᵀ M Z + λ)⁻¹ Zᵀ M y = Zᵀ (Z Zᵀ + λ M⁻¹)⁻¹ y
    if kernel is None:
        rows = Z[train]
        system = (rows.T * mass) @ rows
        system[np.diag_indices_from(system)] += _RIDGE * np.einsum("ij,ij->", rows, rows) / len(rows)
        weights: Reals = solve(system, rows.T @ (mass * wanted), assume_a="pos", check_finite=False)
        return Z @ weights
    system = kernel[np.ix_(train, train)]
    system[np.diag_indices_from(system)] += _RIDGE * np.trace(system) / len(system) / mass
    dual: Reals = solve(system, wanted, assume_a="pos", check_finite=False)
    return kernel[:, train] @ dual

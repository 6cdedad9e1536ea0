"""The softmax head that every way of adapting fits: cross-entropy on labelled rows, and what is wanted on unlabelled
ones.

`fit_softmax` takes rows in a space of few dimensions with soft labels, and, where it is wanted, unlabelled rows on
which the answers shall be sure and in given shares (information maximisation); it returns weights. Dense numpy and
scipy's L-BFGS: a few hundred columns, a few thousand rows, a tenth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats, Ints

Reals = NDArray[np.float64]
_TINY = 1e-12
_MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is wanted of unlabelled rows: sure answers, in these shares.

    rows: (m, r). shares: (K,). weight: of this against the labelled rows' mean cross-entropy.
    """

    rows: Floats
    shares: Reals
    weight: float = 0.3


def fit_softmax(
    rows: Floats,
    targets: Reals,
    *,
    ridge: float,
    weights: Reals | None = None,
    wanted: Wanted | None = None,
    start: Reals | None = None,
) -> Reals:
    """Weights (r + 1, K), intercepts last, of a softmax head.

    Minimises  mean w CE(y, p) + ridge/2 |W|² + weight (H(p | x) + KL(p̄ ‖ shares))  with the mean H of the unlabelled
    rows' entropies and p̄ their mean answer: information maximisation (Krause, Perona and Gomes 2010; Shi and Sha 2012)
    with the shares in place of equal ones. rows: (n, r). targets: (n, K), each summing to one. ridge: per row, as
    the cross-entropy is a mean; intercepts are free. weights: (n,), of the rows. start: where to begin.
    """
    from scipy.optimize import minimize

    X = _with_ones(rows)
    mass = np.full(len(X), 1 / len(X)) if weights is None else weights / weights.sum()
    U = None if wanted is None else _with_ones(wanted.rows)
    shape = (X.shape[1], targets.shape[1])

    def loss(flat: Reals) -> tuple[float, Reals]:
        W = flat.reshape(shape)
        value, slope = _cross_entropy(X, W, targets, mass)
        penalty = ridge * W
        penalty[-1] = 0
        value, slope = value + 0.5 * float((penalty * W).sum()), slope + penalty
        if U is not None and wanted is not None:
            more, steeper = _uncertainty(U, W, np.maximum(wanted.shares, 1e-4))
            value, slope = value + wanted.weight * more, slope + wanted.weight * steeper
        return value, slope.ravel()

    begin = np.zeros(shape) if start is None else start
    result = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS})
    solution: Reals = result.x.reshape(shape)
    return solution


def answers(rows: Floats, weights: Reals) -> Reals:
    """(m, K) probabilities of rows (m, r) by a head of `weights` (r + 1, K)."""
    return np.exp(_log_softmax(rows @ weights[:-1] + weights[-1]))


def one_hot(labels: Ints, classes: int) -> Reals:
    """(n, K): 1 at each row's label."""
    return np.eye(classes)[labels]


def _with_ones(rows: Floats) -> Reals:
    return np.concatenate([rows.astype(np.float64), np.ones((len(rows), 1))], axis=1)


def _log_softmax(scores: Reals) -> Reals:
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs: Reals = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _cross_entropy(X: Reals, W: Reals, targets: Reals, mass: Reals) -> tuple[float, Reals]:
    logs = _log_softmax(X @ W)
    # ∂CE/∂score = p - y, as the targets sum to one.
    return -float((mass[:, None] * targets * logs).sum()), X.T @ (mass[:, None] * (np.exp(logs) - targets))


def _uncertainty(U: Reals, W: Reals, shares: Reals) -> tuple[float, Reals]:
    """H(p | x) + KL(p̄ ‖ shares) and its slope."""
    logs = _log_softmax(U @ W)
    p = np.exp(logs)
    entropies = -(p * logs).sum(axis=1, keepdims=True)
    mean = p.mean(axis=0)
    excess = np.log(np.maximum(mean, _TINY) / (shares / shares.sum()))
    # ∂H/∂s_k = -p_k (log p_k + H); with g = log(p̄ / π) + 1, ∂KL/∂s_k = p_k (g_k - Σ p g), where the 1 cancels.
    slope = -p * (logs + entropies) + p * (excess - (p * excess).sum(axis=1, keepdims=True))
    return float(entropies.mean() + (mean * excess).sum()), U.T @ slope / len(U)

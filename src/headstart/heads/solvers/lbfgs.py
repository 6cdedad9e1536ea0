"""Logistic regression for all folds and all strengths at once: preconditioned L-BFGS over a batch of problems.

Each problem minimises, over weights W (K, r) and an intercept b (K,),

    Σ_i w_i · loss(row i)  +  |W|² / (2 C)          over the rows outside its held-out fold,

which is scikit-learn's objective divided by its C (for two classes: its one-column form). The intercept is free.
The features come in their eigenbasis (`basis.py`), where the Hessian is near diag(κ·energy + 1/C): that diagonal
starts every L-BFGS step. A problem stops when the decrease still to be had, estimated by half of gᵀH⁻¹g, falls below
`tol` times its objective: a rule that knows the scale of the loss, whatever the number of rows and classes.
Finished problems leave the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.heads.solvers.softmax_loss import Design, Losses
from headstart.records.arrays import Ints

_MEMORY = 8
_ARMIJO = 1e-4
_ROUNDING = 1e-2
_ABSENT = -8.0
"""Intercept, below the others, of a class that a problem never sees in training: e⁻⁸ of the likeliest."""


@dataclass(frozen=True, eq=False)
class Solution:
    """coefficients: (P, J, q), the last column the intercept. objective: (P,). steps: (P,). converged: (P,) bool."""

    coefficients: NDArray[Any]
    objective: NDArray[np.float64]
    steps: Ints
    converged: NDArray[np.bool_]


def solve(
    design: Design,
    energy: NDArray[np.float64],
    held: Ints,
    C: NDArray[np.float64],
    *,
    tol: float = 1e-5,
    start: NDArray[Any] | None = None,
    max_steps: int = 500,
) -> Solution:
    """Minimise the problems (`held[p]`, `C[p]`), p = 0..P-1, to a relative objective gap of about `tol`."""
    batch = _Batch(design, energy, held, C, start)
    P = len(held)
    solution = Solution(np.empty_like(batch.W), np.empty(P), np.zeros(P, dtype=np.int64), np.zeros(P, dtype=np.bool_))
    for step in range(max_steps + 1):
        done = batch.finished(tol)
        leaving = done | (step == max_steps) | batch.stuck
        where = batch.index[leaving]
        solution.coefficients[where] = batch.W[leaving]
        solution.objective[where] = batch.value[leaving]
        solution.steps[where] = step
        solution.converged[where] = (done | batch.stuck & batch.near)[leaving]
        batch.keep(~leaving)
        if len(batch.index) == 0:
            break
        batch.advance()
    return solution


class _Batch:
    """The problems still being solved, with their L-BFGS memory."""

    def __init__(
        self,
        design: Design,
        energy: NDArray[np.float64],
        held: Ints,
        C: NDArray[np.float64],
        start: NDArray[Any] | None,
    ) -> None:
        self.design, self.held, self.index = design, held, np.arange(len(held))
        J, q = design.columns, design.matrix.shape[1]
        dtype = design.matrix.dtype
        penalty = 1.0 / C
        self.penalty = np.where(np.arange(q) < q - 1, penalty[:, None], 0.0).astype(dtype)
        mass = design.masses(held)
        self.mass = mass.sum(axis=1)
        self.frozen = mass == 0 if J > 1 else (mass == 0).any(axis=1, keepdims=True)
        self.energy = np.append(energy / len(design.labels), 1.0).astype(dtype)
        self.W = np.zeros((len(held), J, q), dtype=dtype) if start is None else start.astype(dtype, copy=True)
        if start is None:
            self.W[:, :, -1] = _prior_intercepts(mass, J)
        self.S: list[NDArray[Any]] = []
        self.Y: list[NDArray[Any]] = []
        self.stuck = np.zeros(len(held), dtype=np.bool_)
        self.afresh = np.zeros(len(held), dtype=np.bool_)
        self.value, self.slope, self.curvature = self._evaluate(self.W, slice(None))
        self.direction, self.drop = self._direct()

    def _evaluate(
        self, W: NDArray[Any], which: slice | NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64]]:
        losses: Losses = self.design.losses(W, self.held[which])
        pull = W * self.penalty[which][:, None]
        value = losses.value + 0.5 * _dots(W, pull)
        slope = losses.slope
        slope += pull
        slope[:, :, -1][self.frozen[which]] = 0.0
        return value, slope, losses.curvature

    def _precondition(self, vectors: NDArray[Any]) -> NDArray[Any]:
        diagonal = self.curvature[:, :, None] * self.energy + self.penalty[:, None]
        return vectors / np.maximum(diagonal, 1e-10).astype(vectors.dtype)  # type: ignore[no-any-return]

    def _direct(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The two-loop recursion; returns the direction and the decrease it promises (half of gᵀH⁻¹g)."""
        remains = self.slope.copy()
        shares = []
        for s, y in zip(reversed(self.S), reversed(self.Y), strict=True):
            share = _dots(s, remains) * _inverse(_dots(s, y))
            remains -= _times(share, y)
            shares.append(share)
        ahead = self._precondition(remains)
        for s, y, share in zip(self.S, self.Y, reversed(shares), strict=True):
            ahead += _times(share - _dots(y, ahead) * _inverse(_dots(s, y)), s)
        return -ahead, 0.5 * _dots(self.slope, ahead)

    def finished(self, tol: float) -> NDArray[np.bool_]:
        """Which problems promise no further decrease that counts: (problems,)."""
        return self.drop <= 0.25 * tol * np.maximum(self.value, 1e-30)

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which problems are as good as solved: rounding alone may keep them from a lower value: (problems,)."""
        return self.finished(_ROUNDING)

    def advance(self) -> None:
        """One step of every problem: backtrack until each has descended enough."""
        pending = np.arange(len(self.index))
        length = np.ones(len(pending))
        W, value, slope = self.W.copy(), self.value.copy(), self.slope.copy()
        noise = 4 * np.finfo(self.W.dtype).eps
        for _ in range(20):
            tried = self.W[pending] + _times(length[pending], self.direction[pending])
            new_value, new_slope, new_curvature = self._evaluate(tried, pending)
            promised = -2 * self.drop[pending]
            enough = new_value <= self.value[pending] + _ARMIJO * length[pending] * promised
            flat = np.abs(_dots(new_slope, self.direction[pending])) <= -promised
            enough |= (new_value <= self.value[pending] * (1 + noise)) & flat
            taken = pending[enough]
            W[taken], value[taken], slope[taken] = tried[enough], new_value[enough], new_slope[enough]
            self.curvature[taken] = new_curvature[enough]
            pending = pending[~enough]
            if len(pending) == 0:
                break
            length[pending] *= 0.5
        self._remember(W - self.W, slope - self.slope)
        self.W, self.value, self.slope = W, value, slope
        self._start_afresh(pending)
        self.direction, self.drop = self._direct()

    def _start_afresh(self, failed: Ints) -> None:
        """Forget what was learned of problems whose line search failed; those that failed like this before are stuck.

        A step so long that nearly every probability became 0 or 1 leaves hardly any curvature, and the steps after it
        are far too long: the curvature at even odds, the largest there is, makes them short again.
        """
        self.stuck[failed] = self.afresh[failed]
        self.afresh[:] = False
        self.afresh[failed] = True
        for kept in (*self.S, *self.Y):
            kept[failed] = 0
        even = 0.5 if self.W.shape[1] == 1 else 1 / self.W.shape[1]
        self.curvature[failed] = np.maximum(self.curvature[failed], (self.mass[failed] * even * (1 - even))[:, None])

    def _remember(self, s: NDArray[Any], y: NDArray[Any]) -> None:
        self.S, self.Y = [*self.S, s][-_MEMORY:], [*self.Y, y][-_MEMORY:]

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop the problems outside `rows` from every array."""
        if rows.all():
            return
        for name in [
            "index",
            "held",
            "penalty",
            "mass",
            "frozen",
            "W",
            "stuck",
            "afresh",
            "value",
            "slope",
            "curvature",
            "direction",
            "drop",
        ]:
            setattr(self, name, getattr(self, name)[rows])
        self.S = [s[rows] for s in self.S]
        self.Y = [y[rows] for y in self.Y]


def _dots(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(P,): inner product of each problem's vectors."""
    P = len(a)
    return np.matmul(a.reshape(P, 1, -1), b.reshape(P, -1, 1))[:, 0, 0].astype(np.float64)  # type: ignore[no-any-return]


def _times(factor: NDArray[np.float64], vectors: NDArray[Any]) -> NDArray[Any]:
    return factor.astype(vectors.dtype)[:, None, None] * vectors  # type: ignore[no-any-return]


def _inverse(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / sᵀy, and 0 where a pair carries no curvature (so that it is skipped)."""
    return np.where(products > 0, 1.0 / np.where(products > 0, products, 1.0), 0.0)


def _prior_intercepts(mass: NDArray[np.float64], J: int) -> NDArray[np.float64]:
    """Log of the class shares: the best intercept while the weights are zero."""
    share = mass / mass.sum(axis=1, keepdims=True)
    if J == 1:
        bounded = np.log(np.maximum(share, np.exp(_ABSENT)))
        return bounded[:, 1:] - bounded[:, :1]  # type: ignore[no-any-return]
    logs = np.log(np.where(share > 0, share, 1.0))
    likeliest = np.log(share.max(axis=1, keepdims=True))
    return np.where(share > 0, logs, likeliest + _ABSENT)

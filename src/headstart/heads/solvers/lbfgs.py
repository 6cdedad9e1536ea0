"""Logistic regression for all folds and all strengths at once: preconditioned L-BFGS over a batch of problems.

Each problem minimises, over weights W (K, r) and an intercept b (K,),

    Σ_i w_i · loss(row i)  +  |W|² / (2 C)          over the rows outside its held_out-out fold,

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

_HISTORY = 8
"""Pairs of steps and gradient changes that L-BFGS remembers."""
_ARMIJO = 1e-4
"""Share of the predicted decrease that a step must reach (Nocedal & Wright 2006, eq. 3.4)."""
_ROUNDING = 1e-2
"""Relative gap below which a search that cannot descend any more counts as converged."""
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
    held_out: Ints,
    C: NDArray[np.float64],
    *,
    tol: float = 1e-5,
    start: NDArray[Any] | None = None,
    max_steps: int = 500,
) -> Solution:
    """Minimise the problems (`held_out[p]`, `C[p]`), p = 0..P-1, to a relative objective gap of about `tol`."""
    batch = _Batch(design, energy, held_out, C, start)
    P = len(held_out)
    solution = Solution(np.empty_like(batch.W), np.empty(P), np.zeros(P, dtype=np.int64), np.zeros(P, dtype=np.bool_))
    for step in range(max_steps + 1):
        converged = batch.converged(tol)
        leaving = converged | (step == max_steps) | batch.stuck
        index = batch.index[leaving]
        solution.coefficients[index] = batch.W[leaving]
        solution.objective[index] = batch.value[leaving]
        solution.steps[index] = step
        # At a relative gap of _ROUNDING, rounding alone may keep a stuck problem from a lower value.
        solution.converged[index] = (converged | batch.stuck & batch.converged(_ROUNDING))[leaving]
        batch.select(~leaving)
        if len(batch.index) == 0:
            break
        batch.advance()
    return solution


class _Batch:
    """The problems still being solved, with their L-BFGS history.

    S, Y: the last steps and gradient changes, (P, J, q) each. value, slope: objective and gradient at W. direction:
    the next step; decrease: what it is expected to gain. stuck: the line search failed twice running.
    """

    def __init__(
        self,
        design: Design,
        energy: NDArray[np.float64],
        held_out: Ints,
        C: NDArray[np.float64],
        start: NDArray[Any] | None,
    ) -> None:
        self.design, self.held_out, self.index = design, held_out, np.arange(len(held_out))
        J, q = design.columns, design.matrix.shape[1]
        dtype = design.matrix.dtype
        penalty = 1.0 / C
        self.penalty = np.where(np.arange(q) < q - 1, penalty[:, None], 0.0).astype(dtype)
        mass = design.masses(held_out)
        self.mass = mass.sum(axis=1)
        # A class without training rows would send its intercept to -∞: the intercept stays where it starts.
        self.frozen = mass == 0 if J > 1 else (mass == 0).any(axis=1, keepdims=True)
        # Mean squares of the columns, 1 for the intercept's column of ones: the Hessian's diagonal is κ · energy + 1/C.
        self.energy = np.append(energy / len(design.labels), 1.0).astype(dtype)
        self.W = np.zeros((len(held_out), J, q), dtype=dtype) if start is None else start.astype(dtype, copy=True)
        if start is None:
            self.W[:, :, -1] = _prior_intercepts(mass, J)
        self.S: list[NDArray[Any]] = []
        self.Y: list[NDArray[Any]] = []
        self.stuck = np.zeros(len(held_out), dtype=np.bool_)
        self.restarted = np.zeros(len(held_out), dtype=np.bool_)
        self.value, self.slope, self.curvature = self._evaluate(self.W, slice(None))
        self.direction, self.decrease = self._descend()

    def _evaluate(
        self, W: NDArray[Any], which: slice | NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64]]:
        losses: Losses = self.design.losses(W, self.held_out[which])
        penalty_slope = W * self.penalty[which][:, None]  # the gradient of |W|² / (2 C)
        value = losses.value + 0.5 * _dots(W, penalty_slope)
        slope = losses.slope
        slope += penalty_slope
        slope[:, :, -1][self.frozen[which]] = 0.0
        return value, slope, losses.curvature

    def _descend(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4): the direction -H⁻¹g, and half of gᵀH⁻¹g.

        The latter is the decrease that a quadratic model expects of the step.
        """
        q = self.slope.copy()
        alphas = []
        for s, y in zip(reversed(self.S), reversed(self.Y), strict=True):  # newest pair first
            alpha = _dots(s, q) * _inverse(_dots(s, y))  # α = ρ sᵀq with ρ = 1 / sᵀy
            q -= _times(alpha, y)
            alphas.append(alpha)
        # The initial Hessian is diagonal: the mean p (1 - p) times the columns' energy, plus the penalty 1/C.
        diagonal = self.curvature[:, :, None] * self.energy + self.penalty[:, None]
        step = q / np.maximum(diagonal, 1e-10).astype(q.dtype)
        for s, y, alpha in zip(self.S, self.Y, reversed(alphas), strict=True):
            step += _times(alpha - _dots(y, step) * _inverse(_dots(s, y)), s)  # (α - β) s with β = ρ yᵀr
        return -step, 0.5 * _dots(self.slope, step)

    def converged(self, tol: float) -> NDArray[np.bool_]:
        """(P,): whether the expected decrease is small beside the objective.

        A quarter of the tolerance, as a margin: H⁻¹ is an estimate.
        """
        return self.decrease <= 0.25 * tol * np.maximum(self.value, 1e-30)

    def advance(self) -> None:
        """One step of every problem: backtrack until each has descended enough."""
        pending = np.arange(len(self.index))
        length = np.ones(len(pending))
        W, value, slope = self.W.copy(), self.value.copy(), self.slope.copy()
        noise = 4 * np.finfo(self.W.dtype).eps
        for _ in range(20):
            new_W = self.W[pending] + _times(length[pending], self.direction[pending])
            new_value, new_slope, new_curvature = self._evaluate(new_W, pending)
            descent = -2 * self.decrease[pending]  # gᵀp, the slope along the direction; below 0
            # Armijo's rule: f(W + t p) ≤ f(W) + c t gᵀp.
            enough = new_value <= self.value[pending] + _ARMIJO * length[pending] * descent
            # Near the optimum the decrease drowns in rounding: then a slope along p no steeper than before will do.
            flat = np.abs(_dots(new_slope, self.direction[pending])) <= -descent
            enough |= (new_value <= self.value[pending] * (1 + noise)) & flat
            accepted = pending[enough]
            W[accepted], value[accepted], slope[accepted] = new_W[enough], new_value[enough], new_slope[enough]
            self.curvature[accepted] = new_curvature[enough]
            pending = pending[~enough]
            if len(pending) == 0:
                break
            length[pending] *= 0.5
        self.S = [*self.S, W - self.W][-_HISTORY:]
        self.Y = [*self.Y, slope - self.slope][-_HISTORY:]
        self.W, self.value, self.slope = W, value, slope
        self._restart(pending)
        self.direction, self.decrease = self._descend()

    def _restart(self, failed: Ints) -> None:
        """Drop the history of problems whose line search failed; those that were restarted just before are stuck.

        A step so long that nearly every probability became 0 or 1 leaves hardly any curvature, and the steps after it
        are far too long: the curvature at even odds, the largest there is, makes them short again.
        """
        self.stuck[failed] = self.restarted[failed]
        self.restarted[:] = False
        self.restarted[failed] = True
        for vectors in (*self.S, *self.Y):
            vectors[failed] = 0
        even = 0.5 if self.W.shape[1] == 1 else 1 / self.W.shape[1]
        self.curvature[failed] = np.maximum(self.curvature[failed], (self.mass[failed] * even * (1 - even))[:, None])

    def select(self, rows: NDArray[np.bool_]) -> None:
        """Go on with the problems in `rows` alone: every array loses the others."""
        if rows.all():
            return
        for name in [
            "index",
            "held_out",
            "penalty",
            "mass",
            "frozen",
            "W",
            "stuck",
            "restarted",
            "value",
            "slope",
            "curvature",
            "direction",
            "decrease",
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

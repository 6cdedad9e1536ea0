"""The logistic probe: multinomial logistic regression on standardised embeddings, its C chosen by folds.

All folds and strengths are solved as one batch (`solvers.lbfgs`), a few strengths at a time, weakest C first, each
started from the solutions before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Configuration, Head
from headstart.heads.forms.linear import Linear
from headstart.heads.side_by_side import check_time
from headstart.heads.solvers.basis import Basis, Standard, basis, decomposition_cost, standardise
from headstart.heads.solvers.lbfgs import solve
from headstart.heads.solvers.softmax_loss import NO_FOLD, Design
from headstart.records.arrays import Floats, Ints

STRENGTHS = tuple(0.1 * 10 ** (step / 2) for step in range(10))
"""C times the number of features: 0.1 to 3162 in half decades. |x|² is about d, so this is free of scale."""

_COLUMNS = 16
"""Columns of scores that make a product large enough to be quick."""
_LARGE = 8_000_000
"""From so many numbers on the products, all folds at once, are large enough for several threads."""
_SEARCH = 10.0
"""While the strength is sought, fits stop at this many times the tolerance: a relative gap of 10⁻⁴."""


@dataclass(frozen=True, eq=False)
class _LogisticProblem:
    """The rows in their shared basis.

    weights: (n,) row weights. warm_starts: mean coefficients of the folds, (1, J, r + 1), by C, for the final fit.
    """

    standard: Standard
    basis: Basis
    weights: NDArray[np.float64] | None
    warm_starts: dict[float, NDArray[Any]] = field(default_factory=dict)


class LogisticProbe(Head):
    """Multinomial logistic regression with a ridge penalty, solved for all folds and strengths at once.

    Minimises C Σ loss + |W|² / 2 over standardised features, the intercept free: scikit-learn's objective and C.
    C: "auto" chooses among ten by internal folds; a number fixes it. class_weight: None, "balanced" or a mapping.
    signed_sqrt: take sign(x) √|x| of the features first (for several layers side by side).
    tol: relative gap in the objective at which the final fit stops (the search's fits, and `path_scores`: ten times
    that); below 1e-6 it computes in float64.
    Learned beside the usual: `n_iter_`, and `objective_` (divided by C).
    The features' mean and deviation are those of all rows given to `fit` or `path_scores`; they use no labels.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> LogisticProbe(C=0.1).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("C",)

    def __init__(
        self,
        *,
        C: float | str = "auto",
        class_weight: ClassWeight = None,
        signed_sqrt: bool = False,
        tol: float = 1e-5,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.signed_sqrt = signed_sqrt
        self.tol = tol

    def _blas_threads(self, X: Floats) -> int | None:
        return None if X.size >= _LARGE else 1

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Steps over all strengths; each is two products, an exponential a score, and the solver's vectors."""
        steps, r, J = (110 if K < 20 else 160), min(n, d), (1 if K == 2 else K)
        return decomposition_cost(n, d) + (4.5 * n * r + 1000.0 * n + 4000.0 * r) * J * fits * steps / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        return [fixed] if fixed else [{"C": float(f"{s / X.shape[1]:.3g}")} for s in STRENGTHS]

    def _prepare(self, X: Floats, labels: Ints, n_classes: int) -> _LogisticProblem:
        standard = standardise(X, signed_sqrt=self.signed_sqrt)
        rows: NDArray[Any] = standard.apply(X)
        if self.tol < 1e-6:
            rows = rows.astype(np.float64)
        return _LogisticProblem(standard, basis(rows), self._row_weights(labels))

    def _score_path(
        self,
        problem: _LogisticProblem,
        labels: Ints,
        n_classes: int,
        configurations: Sequence[Configuration],
        folds: Ints,
    ) -> Floats:
        scores = np.zeros((len(configurations), *folds.shape, n_classes), dtype=np.float32)
        for r, numbers in enumerate(folds):
            design = Design(problem.basis.rows, labels, numbers, n_classes, problem.weights)
            self._solve_path(problem, design, [float(s["C"]) for s in configurations], scores[:, r])
        return scores

    def _solve_path(
        self, problem: _LogisticProblem, design: Design, strengths: Sequence[float], scores: Floats
    ) -> None:
        """Solve all folds for one group of strengths after another, each from those before; fill `scores`."""
        held_out = np.unique(design.folds[design.folds >= 0])
        size = max(1, round(_COLUMNS / (len(held_out) * design.columns)))
        last_two: list[tuple[float, NDArray[Any]]] = []
        for low in range(0, len(strengths), size):
            check_time()
            group = strengths[low : low + size]
            solution = solve(
                design,
                problem.basis.energy,
                np.tile(held_out, len(group)),
                np.repeat(group, len(held_out)),
                tol=_SEARCH * self.tol,
                start=None if not last_two else np.concatenate([_extrapolate(last_two, C) for C in group]),
            )
            for g, C in enumerate(group):
                coefficients = solution.coefficients[g * len(held_out) : (g + 1) * len(held_out)]
                _fill(scores[low + g], design, held_out, coefficients)
                problem.warm_starts[C] = coefficients.mean(axis=0, keepdims=True)
                last_two = [*last_two, (C, coefficients)][-2:]

    def _train(self, problem: _LogisticProblem, labels: Ints, n_classes: int, configuration: Configuration) -> Linear:
        C = float(configuration["C"])
        no_fold = np.array([NO_FOLD])
        design = Design(problem.basis.rows, labels, np.zeros_like(labels), n_classes, problem.weights)
        solution = solve(
            design, problem.basis.energy, no_fold, np.array([C]), tol=self.tol, start=problem.warm_starts.get(C)
        )
        self.n_iter_ = int(solution.steps[0])
        self.objective_ = float(solution.objective[0])
        return linear_form(problem.standard, problem.basis, _columns(solution.coefficients[0]))


def linear_form(standard: Standard, axes: Basis, coefficients: NDArray[Any]) -> Linear:
    """The form on raw features of `coefficients` (K, r + 1), intercept last, on standardised, rotated rows."""
    # w · Vᵀ((x - centre) / scale) = (V w / scale) · (x - centre)
    weight = axes.axes @ coefficients[:, :-1].T / standard.scale[:, None]
    return Linear(
        standard.centre,
        np.ascontiguousarray(weight, dtype=np.float32),
        coefficients[:, -1].astype(np.float32),
        np.array(standard.signed_sqrt, dtype=np.uint8),
    )


def _extrapolate(last_two: list[tuple[float, NDArray[Any]]], C: float) -> NDArray[Any]:
    """Coefficients to start from at `C`: the line, in log C, through the last two solutions.

    Where classes can be separated the weights grow with log C, so this saves most of the steps.
    """
    if len(last_two) == 1:
        return last_two[0][1]
    (old_C, old), (new_C, new) = last_two
    factor = np.log(C / new_C) / np.log(new_C / old_C)
    return new + new.dtype.type(factor) * (new - old)  # type: ignore[no-any-return]


def _columns(coefficients: NDArray[Any]) -> NDArray[Any]:
    """One row a class: two classes are solved with one, the score of the second over the first.

    With more, the loss does not mind a constant added to every intercept: theirs are made to sum to zero.
    """
    if len(coefficients) == 1:
        return np.concatenate([-coefficients, coefficients]) / 2
    centred = coefficients.copy()
    centred[:, -1] -= centred[:, -1].mean()
    return centred


def _fill(scores: Floats, design: Design, held_out: Ints, coefficients: NDArray[Any]) -> None:
    """Write the scores of each fold's rows, by the coefficients (folds, J, r + 1) of the problem without that fold."""
    for fold, fold_coefficients in zip(held_out, coefficients, strict=True):
        low, high = np.searchsorted(design.folds, [fold, fold + 1])
        scores[design.order[low:high]] = design.matrix[low:high] @ _columns(fold_coefficients).T

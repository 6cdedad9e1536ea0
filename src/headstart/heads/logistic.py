"""The logistic probe: multinomial logistic regression on standardised embeddings, its strength chosen by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Head, Setting
from headstart.heads.forms.linear import Linear
from headstart.heads.solvers.basis import Basis, Standard, basis, standardise
from headstart.heads.solvers.lbfgs import solve
from headstart.heads.solvers.softmax_loss import NOTHING_HELD, Design
from headstart.records.arrays import Floats, Ints

STRENGTHS = tuple(0.1 * 10 ** (step / 2) for step in range(10))
"""C times the number of features: 0.1 to 3162 in half decades. |x|² is about d, so this is free of scale."""

_COLUMNS = 16
"""Columns of scores that make a product large enough to be quick."""
_SEARCH = 10.0
"""While the strength is sought, fits stop at this many times the tolerance: a relative gap of 10⁻⁴."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The rows in their shared basis, and solutions found on the way, to start the final fit from."""

    standard: Standard
    basis: Basis
    weights: NDArray[np.float64] | None
    found: dict[float, NDArray[Any]] = field(default_factory=dict)


class LogisticProbe(Head):
    """Multinomial logistic regression with a ridge penalty, solved for all folds and strengths at once.

    Minimises C Σ loss + |W|² / 2 over standardised features, the intercept free: scikit-learn's objective and C.
    C: "auto" chooses among ten by internal folds; a number fixes it. class_weight: None, "balanced" or a mapping.
    root: take the signed square root of the features first (for several layers side by side).
    tol: relative gap in the objective at which the final fit stops (the search's fits, and `path_scores`: ten times
    that); below 1e-6 it computes in float64.
    Learned beside the usual: `n_iter_`, and `objective_` (divided by C).
    The features' mean and deviation are those of all rows given to `fit` or `path_scores`; they use no labels.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> LogisticProbe(C=0.1).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("C",)

    def __init__(
        self,
        *,
        C: float | str = "auto",
        class_weight: ClassWeight = None,
        root: bool = False,
        tol: float = 1e-5,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.root = root
        self.tol = tol

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        return [fixed] if fixed else [{"C": float(f"{s / X.shape[1]:.3g}")} for s in STRENGTHS]

    def _prepare(self, X: Floats, labels: Ints, count: int) -> _Prepared:
        learned = standardise(X, root=self.root)
        rows: NDArray[Any] = learned.apply(X)
        if self.tol < 1e-6:
            rows = rows.astype(np.float64)
        return _Prepared(learned, basis(rows), self._row_weights(labels))

    def _path(self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints) -> Floats:
        scores = np.zeros((len(settings), *folds.shape, count), dtype=np.float32)
        for r, numbers in enumerate(folds):
            design = Design(prepared.basis.rows, labels, numbers, count, prepared.weights)
            self._along(prepared, design, [float(s["C"]) for s in settings], scores[:, r])
        return scores

    def _along(self, prepared: _Prepared, design: Design, strengths: Sequence[float], scores: Floats) -> None:
        """Solve all folds for one group of strengths after another, each from those before; fill `scores`."""
        held = np.unique(design.folds[design.folds >= 0])
        size = max(1, round(_COLUMNS / (len(held) * design.columns)))
        known: list[tuple[float, NDArray[Any]]] = []
        for low in range(0, len(strengths), size):
            group = strengths[low : low + size]
            solution = solve(
                design,
                prepared.basis.energy,
                np.tile(held, len(group)),
                np.repeat(group, len(held)),
                tol=_SEARCH * self.tol,
                start=None if not known else np.concatenate([_foretold(known, C) for C in group]),
            )
            for g, C in enumerate(group):
                found = solution.coefficients[g * len(held) : (g + 1) * len(held)]
                _fill(scores[low + g], design, held, found)
                prepared.found[C] = found.mean(axis=0, keepdims=True)
                known = [*known, (C, found)][-2:]

    def _train(self, prepared: _Prepared, labels: Ints, count: int, setting: Setting) -> Linear:
        C = float(setting["C"])
        nothing = np.array([NOTHING_HELD])
        design = Design(prepared.basis.rows, labels, np.zeros_like(labels), count, prepared.weights)
        solution = solve(
            design, prepared.basis.energy, nothing, np.array([C]), tol=self.tol, start=prepared.found.get(C)
        )
        self.n_iter_ = int(solution.steps[0])
        self.objective_ = float(solution.objective[0])
        return linear_form(prepared.standard, prepared.basis, _columns(solution.coefficients[0]))


def linear_form(learned: Standard, axes: Basis, coefficients: NDArray[Any]) -> Linear:
    """The form on raw features of `coefficients` (K, r + 1), intercept last, found on standardised, rotated rows."""
    weight = axes.axes @ coefficients[:, :-1].T / learned.scale[:, None]
    return Linear(
        learned.centre,
        np.ascontiguousarray(weight, dtype=np.float32),
        coefficients[:, -1].astype(np.float32),
        np.array(learned.root, dtype=np.uint8),
    )


def _foretold(known: list[tuple[float, NDArray[Any]]], C: float) -> NDArray[Any]:
    """Coefficients to start from at `C`: the line, in log C, through the last two solutions.

    Where classes can be separated the weights grow with log C, so this saves most of the steps.
    """
    if len(known) == 1:
        return known[0][1]
    (before, old), (last, new) = known
    reach = np.log(C / last) / np.log(last / before)
    return new + new.dtype.type(reach) * (new - old)  # type: ignore[no-any-return]


def _columns(coefficients: NDArray[Any]) -> NDArray[Any]:
    """One row a class: two classes are solved with one, the score of the second over the first.

    With more, the loss does not mind a constant added to every intercept: theirs are made to sum to zero.
    """
    if len(coefficients) == 1:
        return np.concatenate([-coefficients, coefficients]) / 2
    centred = coefficients.copy()
    centred[:, -1] -= centred[:, -1].mean()
    return centred


def _fill(scores: Floats, design: Design, held: Ints, coefficients: NDArray[Any]) -> None:
    for fold, of_fold in zip(held, coefficients, strict=True):
        low, high = np.searchsorted(design.folds, [fold, fold + 1])
        scores[design.order[low:high]] = design.matrix[low:high] @ _columns(of_fold).T

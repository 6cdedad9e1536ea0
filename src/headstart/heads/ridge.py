"""The ridge probe: least squares to ±1 targets, its strength chosen by exact leave-one-out from one decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import Head, Setting, row_weights
from headstart.heads.basis import Basis, Standard, basis, standard
from headstart.heads.forms import Linear
from headstart.heads.logistic import linear_form
from headstart.heads.moments import fold_moments
from headstart.heads.ridge_solver import solve_ridges
from headstart.heads.selection import best_setting
from headstart.records import Floats, Ints

STRENGTHS = tuple(10 ** (4 - step / 2) for step in range(15))
"""Alpha over the number of features: 10⁴ down to 10⁻³ in half decades, the strongest first."""

_SHARPNESS = 5.0
"""Targets of ±1 become scores of ±5, whose softmax is of the right order before calibration."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Rows centred at their (weighted) mean, in their basis. weights: (n,), mean 1, or None. targets: (n, J) of ±1."""

    standard: Standard
    basis: Basis
    weights: NDArray[np.float64] | None
    targets: NDArray[Any]


class RidgeProbe(Head):
    """Ridge regression of standardised embeddings onto one ±1 target a class, the intercept free.

    Minimises Σ w (target - prediction)² + alpha |W|². alpha: "auto" chooses among 15 by leave-one-out (or by `folds`
    where `fit` is given some); a number fixes it. class_weight: None or "balanced". root: signed square root first.
    Learned beside the usual: `loo_scores_` (15, n, K) where leave-one-out chose.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> RidgeProbe().fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("alpha",)

    def __init__(
        self, *, alpha: float | str = "auto", class_weight: str | None = None, root: bool = False
    ) -> None:
        self.alpha = alpha
        self.class_weight = class_weight
        self.root = root

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        return [fixed] if fixed else [{"alpha": float(f"{s * X.shape[1]:.3g}")} for s in STRENGTHS]

    def _prepare(self, X: Floats, labels: Ints, count: int) -> _Prepared:
        learned = standard(X, root=self.root)
        targets = np.where(labels[:, None] == np.arange(count), 1.0, -1.0).astype(np.float32)
        weights = row_weights(labels, count, self.class_weight)
        return _Prepared(learned, basis(learned.apply(X)), weights, targets[:, 1:] if count == 2 else targets)

    def _chosen(
        self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints | None
    ) -> Setting:
        if folds is not None or len(settings) == 1:
            return super()._chosen(prepared, labels, count, settings, folds)
        alphas = np.array([setting["alpha"] for setting in settings])
        self.loo_scores_ = _SHARPNESS * _columns(leave_one_out(*_weighted(prepared), alphas))
        every_row = np.arange(len(labels))[None]
        return settings[best_setting(self.loo_scores_[:, None], labels, every_row)]

    def _train(self, prepared: _Prepared, labels: Ints, count: int, setting: Setting) -> Linear:
        axes, targets, weights = _weighted(prepared)
        root = _roots(weights, axes.rows)
        middle = _mean(targets, weights)
        shrunk = ((root * axes.rows).T @ (root * (targets - middle))) / (axes.energy + setting["alpha"])[:, None]
        intercept = middle - _mean(prepared.basis.rows, weights) @ axes.axes @ shrunk
        coefficients = np.concatenate([prepared.axes_of(axes) @ shrunk, intercept[None]])
        return linear_form(prepared.standard, prepared.basis, _SHARPNESS * _columns(coefficients).T)

    def _path(
        self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints
    ) -> Floats:
        Z, Y = prepared.basis.rows, prepared.targets
        alphas = np.array([setting["alpha"] for setting in settings])
        scores = np.zeros((len(settings), *folds.shape, count), dtype=np.float32)
        for r, held, trained in fold_moments(Z, Y, folds, prepared.weights):
            gram, cross = trained.centred()
            W = solve_ridges(gram, cross, alphas)
            intercept = (trained.targets - trained.rows @ W) / trained.mass
            scores[:, r, held] = _SHARPNESS * _columns(Z[held] @ W + intercept[:, None])
        return scores

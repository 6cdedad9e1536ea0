"""The ridge probe: least squares to ±1 targets, its strength chosen by exact leave-one-out from one decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Head, Setting
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import linear_form
from headstart.heads.solvers.basis import Basis, Standard, basis, standardise
from headstart.heads.solvers.moments import fold_moments
from headstart.heads.solvers.ridge import solve_ridges
from headstart.heads.tuning import best_configuration
from headstart.records.arrays import Floats, Ints

STRENGTHS = tuple(10 ** (4 - step / 2) for step in range(15))
"""Alpha over the number of features: 10⁴ down to 10⁻³ in half decades, the strongest first."""

_SHARPNESS = 5.0
"""Targets of ±1 become scores of ±5, whose softmax is of the right order before calibration."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Rows about their weighted mean, times the root of their weight, in their basis: a plain least-squares problem.

    roots: (n, 1), √weight. targets: (n, J) of ±1, with J = 1 for two classes. middle: (J,), their weighted mean.
    """

    standard: Standard
    basis: Basis
    roots: Floats
    targets: Floats
    middle: Floats

    @property
    def products(self) -> Floats:
        """(r, J): rows times targets."""
        return self.basis.rows.T @ (self.roots * (self.targets - self.middle))


class RidgeProbe(Head):
    """Ridge regression of standardised embeddings onto one ±1 target a class, the intercept free.

    Minimises Σ w (target - prediction)² + alpha |W|². alpha: "auto" chooses among 15 by leave-one-out (or by `folds`
    where `fit` is given some); a number fixes it. class_weight: None, "balanced" or a mapping.
    root: signed square root first.
    Learned beside the usual: `loo_scores_` (15, n, K) where leave-one-out chose.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> RidgeProbe().fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("alpha",)

    def __init__(self, *, alpha: float | str = "auto", class_weight: ClassWeight = None, root: bool = False) -> None:
        self.alpha = alpha
        self.class_weight = class_weight
        self.root = root

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        return [fixed] if fixed else [{"alpha": float(f"{s * X.shape[1]:.3g}")} for s in STRENGTHS]

    def _prepare(self, X: Floats, labels: Ints, count: int) -> _Prepared:
        weights = self._row_weights(labels)
        learned = standardise(X, root=self.root)
        rows = learned.apply(X)
        targets = np.where(labels[:, None] == np.arange(count), 1.0, -1.0).astype(np.float32)
        targets = targets[:, 1:] if count == 2 else targets
        mean = np.average(rows, axis=0, weights=weights).astype(np.float32)
        rows -= mean
        roots = np.ones((len(X), 1), np.float32) if weights is None else np.sqrt(weights)[:, None].astype(np.float32)
        rows *= roots
        learned = replace(learned, centre=learned.centre + mean * learned.scale)
        middle = np.average(targets, axis=0, weights=weights).astype(np.float32)
        return _Prepared(learned, basis(rows), roots, targets, middle)

    def _chosen(
        self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints | None
    ) -> Setting:
        if folds is not None or len(settings) == 1:
            return super()._chosen(prepared, labels, count, settings, folds)
        self.loo_scores_ = leave_one_out(prepared, np.array([setting["alpha"] for setting in settings]))
        every_row = np.arange(len(labels))[None]
        return settings[best_configuration(self.loo_scores_[:, None], labels, every_row)]

    def _train(self, prepared: _Prepared, labels: Ints, count: int, setting: Setting) -> Linear:
        weight = prepared.products / (prepared.basis.energy + setting["alpha"])[:, None]
        coefficients = np.concatenate([weight, prepared.middle[None]]).T
        return linear_form(prepared.standard, prepared.basis, _SHARPNESS * _by_class(coefficients.T).T)

    def _path(self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints) -> Floats:
        alphas = np.array([setting["alpha"] for setting in settings])
        Z = prepared.basis.rows / prepared.roots
        weights = None if self._class_weights is None else prepared.roots[:, 0] ** 2
        scores = np.zeros((len(settings), *folds.shape, count), dtype=np.float32)
        for r, held, trained in fold_moments(Z, prepared.targets, folds, weights):
            W = solve_ridges(*trained.centred(), alphas)
            intercept = (trained.targets - trained.rows @ W) / np.float32(trained.mass)
            scores[:, r, held] = _SHARPNESS * _by_class(Z[held] @ W + intercept[:, None])
        return scores


def leave_one_out(prepared: _Prepared, alphas: NDArray[np.float64]) -> Floats:
    """Scores (A, n, K) of each row by the model trained on all the others, exactly, for every alpha.

    With h the diagonal of the hat matrix (the intercept's share included), the left-out residual is the residual
    over 1 - h. Features stay standardised by all rows.
    """
    A, J = len(alphas), prepared.targets.shape[1]
    Z = prepared.basis.rows
    shrink = (1.0 / (prepared.basis.energy[:, None] + alphas)).astype(np.float32)
    weights = (prepared.products[:, None, :] * shrink[:, :, None]).reshape(-1, A * J)
    fitted = (Z @ weights).reshape(len(Z), A, J) / prepared.roots[:, None] + prepared.middle
    mass = prepared.roots**2
    leverage = (Z * Z) @ shrink + mass / mass.sum()
    left_out = (fitted - prepared.targets[:, None]) / np.maximum(1.0 - leverage, 1e-6)[:, :, None]
    scores = _SHARPNESS * (prepared.targets[:, None] + left_out)
    return np.ascontiguousarray(_by_class(scores).transpose(1, 0, 2), dtype=np.float32)


def _by_class(predictions: NDArray[Any]) -> NDArray[Any]:
    """One column a class along the last axis: two classes are solved with one, positive for the second."""
    if predictions.shape[-1] > 1:
        return predictions
    return np.concatenate([-predictions, predictions], axis=-1)

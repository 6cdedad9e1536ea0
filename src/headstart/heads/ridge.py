"""The ridge probe: least squares to ±1 targets, its strength chosen by exact leave-one-out from one decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Configuration, Head
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import linear_form
from headstart.heads.solvers.basis import Basis, Standard, basis, decomposition_cost, standardise
from headstart.heads.solvers.moments import Moments, run_fold_moments
from headstart.heads.solvers.ridge import solve_ridges
from headstart.records.arrays import Floats, Ints

STRENGTHS = tuple(10 ** (4 - step / 2) for step in range(15))
"""Alpha over the number of features: 10⁴ down to 10⁻³ in half decades, the strongest first."""

_SHARPNESS = 5.0
"""Targets of ±1 become scores of ±5, whose softmax is of the right order before calibration."""


@dataclass(frozen=True, eq=False)
class _LeastSquares:
    """Rows about their weighted mean, times the root of their weight, in their basis: a plain least-squares problem.

    root_weights: (n, 1), √weight. targets: (n, J) of ±1, with J = 1 for two classes. mean: (J,), their weighted mean.
    """

    standard: Standard
    basis: Basis
    root_weights: Floats
    targets: Floats
    mean: Floats

    @property
    def products(self) -> Floats:
        """(r, J): Σ w z (y - ȳ)ᵀ; the rows already hold one √w."""
        return self.basis.rows.T @ (self.root_weights * (self.targets - self.mean))


class RidgeProbe(Head):
    """Ridge regression of standardised embeddings onto one ±1 target a class, the intercept free.

    Minimises Σ w (target - prediction)² + alpha |W|². alpha: "auto" chooses among 15 by leave-one-out (or by `folds`
    where `fit` is given any); a number fixes it. class_weight: None, "balanced" or a mapping.
    signed_sqrt: sign(x) √|x| of the features first.
    Learned beside the usual: `loo_scores_` (15, n, K) where leave-one-out chose.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> RidgeProbe().fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("alpha",)

    def __init__(
        self, *, alpha: float | str = "auto", class_weight: ClassWeight = None, signed_sqrt: bool = False
    ) -> None:
        self.alpha = alpha
        self.class_weight = class_weight
        self.signed_sqrt = signed_sqrt

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """The decomposition, one product over all rows, and 15 systems a fold, by the cheaper way of two."""
        r, J = min(n, d), (1 if K == 2 else K)
        systems = len(STRENGTHS) * min(r**3 / 3, 50.0 * r * r * J) * fits
        return decomposition_cost(n, d) + (systems + 4.0 * n * r * r + 60.0 * n * r * J) / 1e9

    def row_losses(self, scores: Floats, labels: Ints) -> Floats:
        """The squared error of each row: what ridge minimises, and a steadier guide to its strength than log-loss."""
        targets = np.where(labels[:, None] == np.arange(scores.shape[-1]), _SHARPNESS, -_SHARPNESS)
        losses: Floats = ((scores - targets) ** 2).mean(axis=-1, dtype=np.float32)
        return losses

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        return [fixed] if fixed else [{"alpha": float(f"{s * X.shape[1]:.3g}")} for s in STRENGTHS]

    def _prepare(self, X: Floats, labels: Ints, n_classes: int) -> _LeastSquares:
        weights = self._row_weights(labels)
        standard = standardise(X, signed_sqrt=self.signed_sqrt)
        rows = standard.apply(X)
        targets = np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0).astype(np.float32)
        targets = targets[:, 1:] if n_classes == 2 else targets
        mean = np.average(rows, axis=0, weights=weights).astype(np.float32)
        rows -= mean
        roots = np.ones((len(X), 1), np.float32) if weights is None else np.sqrt(weights)[:, None].astype(np.float32)
        # Σ w (y - zᵀW)² = Σ (√w y - √w zᵀW)²; rows about their weighted mean leave the intercept to the targets' mean.
        rows *= roots
        standard = replace(standard, centre=standard.centre + mean * standard.scale)
        target_mean = np.average(targets, axis=0, weights=weights).astype(np.float32)
        return _LeastSquares(standard, basis(rows), roots, targets, target_mean)

    def _choose(
        self,
        problem: _LeastSquares,
        labels: Ints,
        n_classes: int,
        configurations: Sequence[Configuration],
        folds: Ints | None,
    ) -> Configuration:
        if folds is not None or len(configurations) == 1:
            return super()._choose(problem, labels, n_classes, configurations, folds)
        self.loo_scores_ = leave_one_out(
            problem, np.array([configuration["alpha"] for configuration in configurations])
        )
        losses = self.row_losses(self.loo_scores_[:, None], labels)
        return configurations[int(losses.mean(axis=(1, 2)).argmin())]

    def _train(self, problem: _LeastSquares, labels: Ints, n_classes: int, configuration: Configuration) -> Linear:
        # In the eigenbasis ZᵀZ is diagonal: W = Zᵀ(y - ȳ) / (energy + α).
        weight = problem.products / (problem.basis.energy + configuration["alpha"])[:, None]
        coefficients = np.concatenate([weight, problem.mean[None]]).T
        return linear_form(problem.standard, problem.basis, _SHARPNESS * _by_class(coefficients.T).T)

    def _score_path(
        self, problem: _LeastSquares, labels: Ints, n_classes: int, configurations: Sequence[Configuration], folds: Ints
    ) -> Floats:
        alphas = np.array([configuration["alpha"] for configuration in configurations])
        Z = problem.basis.rows / problem.root_weights
        weights = None if self._class_weights is None else problem.root_weights[:, 0] ** 2
        scores = np.zeros((len(configurations), *folds.shape, n_classes), dtype=np.float32)

        def score_fold(r: int, held_out: NDArray[np.bool_], training: Moments) -> None:
            """Write the scores of one fold's rows."""
            W = solve_ridges(*training.centred(), alphas)
            intercept = (training.targets - training.rows @ W) / np.float32(training.mass)  # ȳ - z̄ᵀW
            scores[:, r, held_out] = _SHARPNESS * _by_class(Z[held_out] @ W + intercept[:, None])

        run_fold_moments(score_fold, Z, problem.targets, folds, weights)
        return scores


def leave_one_out_strength(X: Floats, labels: Ints, classes: int, *, signed_sqrt: bool = False) -> float:
    """The alpha that `RidgeProbe` chooses for rows X (n, d) with labels (n,), however few they are."""
    probe = RidgeProbe(signed_sqrt=signed_sqrt)
    probe._set_class_weights(np.arange(classes), labels)
    problem = probe._prepare(X, labels, classes)
    return float(probe._choose(problem, labels, classes, probe._configurations(X, labels), None)["alpha"])


def leave_one_out(problem: _LeastSquares, alphas: NDArray[np.float64]) -> Floats:
    """Scores (A, n, K) of each row by the model trained on all the others, exactly, for every alpha.

    With h the diagonal of the hat matrix (the intercept's share included), the left-out residual is the residual
    over 1 - h (Hastie, Tibshirani & Friedman 2009, eq. 7.64). Features stay standardised by all rows.
    """
    A, J = len(alphas), problem.targets.shape[1]
    Z = problem.basis.rows
    shrink = (1.0 / (problem.basis.energy[:, None] + alphas)).astype(np.float32)
    W = (problem.products[:, None, :] * shrink[:, :, None]).reshape(-1, A * J)
    fitted = (Z @ W).reshape(len(Z), A, J) / problem.root_weights[:, None] + problem.mean
    row_weights = problem.root_weights**2
    # h_i = Σ_j z_ij² / (energy_j + α), and w_i / Σ w for the intercept.
    leverage = (Z * Z) @ shrink + row_weights / row_weights.sum()
    left_out = (fitted - problem.targets[:, None]) / np.maximum(1.0 - leverage, 1e-6)[:, :, None]
    scores = _SHARPNESS * (problem.targets[:, None] + left_out)
    return np.ascontiguousarray(_by_class(scores).transpose(1, 0, 2), dtype=np.float32)


def _by_class(predictions: NDArray[Any]) -> NDArray[Any]:
    """One column a class along the last axis: two classes are solved with one, positive for the second."""
    if predictions.shape[-1] > 1:
        return predictions
    return np.concatenate([-predictions, predictions], axis=-1)

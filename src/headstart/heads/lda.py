"""Linear discriminant analysis with a covariance shrunk towards a multiple of the identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.heads.base import ClassWeight, Configuration, Head, expand_classes
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import linear_form
from headstart.heads.solvers.basis import Basis, Standard, basis, decomposition_cost, standardise
from headstart.heads.solvers.moments import Moments, moments, run_fold_moments
from headstart.heads.solvers.ridge import solve_ridges
from headstart.records.arrays import Floats, Ints

SHRINKAGES = (1.0, 0.97, 0.9, 0.6, 0.3, 0.1, 0.03)

_SHARPNESS = 2.0
"""Log-ratios of d summed features are too sure by about √d: scores are this much over √d of them."""


@dataclass(frozen=True, eq=False)
class _GaussianProblem:
    """The rows in their shared basis, and their classes as columns of 0 and 1: (n, K)."""

    standard: Standard
    basis: Basis
    indicator: Floats


class ShrinkageLDA(Head):
    """Gaussian classes with one covariance, (1 - s) S + s · (trace S / d) · I, on standardised embeddings.

    shrinkage: "auto" chooses s among seven by internal folds; a number in (0, 1] fixes it.
    class_weight: None takes the classes' shares as their prior, "balanced" takes equal ones, a mapping
    multiplies the shares. signed_sqrt: sign(x) √|x| of the features first.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> ShrinkageLDA(shrinkage=0.1).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("shrinkage",)

    def __init__(
        self, *, shrinkage: float | str = "auto", class_weight: ClassWeight = None, signed_sqrt: bool = False
    ) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight
        self.signed_sqrt = signed_sqrt

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """The decomposition, one product over all rows, and a Cholesky factor for each fold and shrinkage."""
        r = min(n, d)
        return decomposition_cost(n, d) + (len(SHRINKAGES) * r**3 / 3 * fits + 4.0 * n * r * r) / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        if fixed and not fixed["shrinkage"] <= 1:
            raise OptionError(f"shrinkage must be 'auto' or lie in (0, 1]; found {self.shrinkage!r}.")
        return [fixed] if fixed else [{"shrinkage": s} for s in SHRINKAGES]

    def _prepare(self, X: Floats, labels: Ints, n_classes: int) -> _GaussianProblem:
        standard = standardise(X, signed_sqrt=self.signed_sqrt)
        indicator = (labels[:, None] == np.arange(n_classes)).astype(np.float32)
        return _GaussianProblem(standard, basis(standard.apply(X)), indicator)

    def _train(self, problem: _GaussianProblem, labels: Ints, n_classes: int, configuration: Configuration) -> Linear:
        sums = moments(problem.basis.rows, problem.indicator)
        coefficients = self._discriminants(sums, [configuration], len(problem.standard.centre))[0]
        return linear_form(problem.standard, problem.basis, coefficients)

    def _score_path(
        self,
        problem: _GaussianProblem,
        labels: Ints,
        n_classes: int,
        configurations: Sequence[Configuration],
        folds: Ints,
    ) -> Floats:
        scores = np.zeros((len(configurations), *folds.shape, n_classes), dtype=np.float32)
        Z = problem.basis.rows

        def score_fold(r: int, held_out: NDArray[np.bool_], training: Moments) -> None:
            """Write the scores of one fold's rows."""
            discriminants = self._discriminants(training, configurations, len(problem.standard.centre))
            present = np.flatnonzero(training.targets > 0.5)  # the targets' sums are the classes' sizes
            for s, coefficients in enumerate(discriminants):
                raw = Z[held_out] @ coefficients[present, :-1].T + coefficients[present, -1]
                scores[s, r, held_out] = expand_classes(raw, present, n_classes)

        run_fold_moments(score_fold, Z, problem.indicator, folds)
        return scores

    def _discriminants(self, sums: Moments, configurations: Sequence[Configuration], width: int) -> list[NDArray[Any]]:
        """Coefficients (K, r + 1) for each configuration, the intercept last; `width` is d, the number of features."""
        sizes = np.maximum(sums.targets, 1.0)
        means = (sums.cross / sizes).T
        # Pooled covariance within classes: S = (Σ z zᵀ - Σ_k n_k m_k m_kᵀ) / n, where Σ z yᵀ has the columns n_k m_k.
        within = (sums.gram - sums.cross @ means) / np.float32(sums.mass)
        # trace S / d, the mean variance of a feature: S has r columns, and its other d - r eigenvalues are 0.
        level = max(float(within.trace()) / width, 1e-12)
        sharpness = np.float32(min(1.0, _SHARPNESS / width**0.5))
        discriminants = []
        for configuration in configurations:
            s = float(configuration["shrinkage"])
            gram = np.ascontiguousarray((1 - s) * within)
            # log p(k | z) = m_kᵀ Σ⁻¹ z - m_kᵀ Σ⁻¹ m_k / 2 + log π_k + const, with Σ = (1 - s) S + s · level · I.
            directions = solve_ridges(gram, np.ascontiguousarray(means.T), np.array([s * level]))[0].T
            bias = -0.5 * np.einsum("kr,kr->k", means, directions) + self._log_prior(sizes)
            discriminants.append(sharpness * np.concatenate([directions, bias[:, None]], axis=1))
        return discriminants

    def _log_prior(self, sizes: NDArray[Any]) -> NDArray[Any]:
        weighted = sizes if self._class_weights is None else sizes * self._class_weights
        return np.log(weighted / weighted.sum()).astype(np.float32)  # type: ignore[no-any-return]

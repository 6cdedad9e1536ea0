"""Linear discriminant analysis with a covariance shrunk towards a multiple of the identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.heads.base import ClassWeight, Head, Setting, expand_classes
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import linear_form
from headstart.heads.solvers.basis import Basis, Standard, basis, standardise
from headstart.heads.solvers.moments import Moments, fold_moments, moments
from headstart.heads.solvers.ridge import solve_ridges
from headstart.records.arrays import Floats, Ints

SHRINKAGES = (1.0, 0.97, 0.9, 0.6, 0.3, 0.1, 0.03)

_SHARPNESS = 2.0
"""Log-ratios of d summed features are too sure by about √d: scores are this much over √d of them."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    standard: Standard
    basis: Basis
    indicator: Floats


class ShrinkageLDA(Head):
    """Gaussian classes with one covariance, (1 - s) S + s · (trace S / d) · I, on standardised embeddings.

    shrinkage: "auto" chooses s among seven by internal folds; a number in (0, 1] fixes it.
    class_weight: None takes the classes' shares as their prior, "balanced" takes equal ones, a mapping
    multiplies the shares. root: signed square root of the features first.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> ShrinkageLDA(shrinkage=0.1).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("shrinkage",)

    def __init__(
        self, *, shrinkage: float | str = "auto", class_weight: ClassWeight = None, root: bool = False
    ) -> None:
        self.shrinkage = shrinkage
        self.class_weight = class_weight
        self.root = root

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        if fixed and not fixed["shrinkage"] <= 1:
            raise OptionError(f"shrinkage must be 'auto' or lie in (0, 1]; found {self.shrinkage!r}.")
        return [fixed] if fixed else [{"shrinkage": s} for s in SHRINKAGES]

    def _prepare(self, X: Floats, labels: Ints, count: int) -> _Prepared:
        learned = standardise(X, root=self.root)
        indicator = (labels[:, None] == np.arange(count)).astype(np.float32)
        return _Prepared(learned, basis(learned.apply(X)), indicator)

    def _train(self, prepared: _Prepared, labels: Ints, count: int, setting: Setting) -> Linear:
        sums = moments(prepared.basis.rows, prepared.indicator)
        coefficients = self._discriminants(sums, [setting], len(prepared.standard.centre))[0]
        return linear_form(prepared.standard, prepared.basis, coefficients)

    def _path(self, prepared: _Prepared, labels: Ints, count: int, settings: Sequence[Setting], folds: Ints) -> Floats:
        scores = np.zeros((len(settings), *folds.shape, count), dtype=np.float32)
        Z = prepared.basis.rows
        for r, held, trained in fold_moments(Z, prepared.indicator, folds):
            found = self._discriminants(trained, settings, len(prepared.standard.centre))
            present = np.flatnonzero(trained.targets > 0.5)
            for s, coefficients in enumerate(found):
                raw = Z[held] @ coefficients[present, :-1].T + coefficients[present, -1]
                scores[s, r, held] = expand_classes(raw, present, count)
        return scores

    def _discriminants(self, sums: Moments, settings: Sequence[Setting], width: int) -> list[NDArray[Any]]:
        """Coefficients (K, r + 1) for each setting, the intercept last; `width` is d, over which a trace is spread."""
        sizes = np.maximum(sums.targets, 1.0)
        means = (sums.cross / sizes).T
        within = (sums.gram - sums.cross @ means) / np.float32(sums.mass)
        level = max(float(within.trace()) / width, 1e-12)
        sharpness = np.float32(min(1.0, _SHARPNESS / width**0.5))
        found = []
        for setting in settings:
            s = float(setting["shrinkage"])
            gram = np.ascontiguousarray((1 - s) * within)
            directions = solve_ridges(gram, np.ascontiguousarray(means.T), np.array([s * level]))[0].T
            bias = -0.5 * np.einsum("kr,kr->k", means, directions) + self._log_prior(sizes)
            found.append(sharpness * np.concatenate([directions, bias[:, None]], axis=1))
        return found

    def _log_prior(self, sizes: NDArray[Any]) -> NDArray[Any]:
        weighted = sizes if self._class_weights is None else sizes * self._class_weights
        return np.log(weighted / weighted.sum()).astype(np.float32)  # type: ignore[no-any-return]

"""Support-vector machines through scikit-learn, on standardised embeddings: linear, and with the RBF kernel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Configuration, Head, PathScores
from headstart.heads.forms.linear import Linear
from headstart.heads.forms.stored_rows import Kernel, pair_scores, rbf
from headstart.heads.solvers.basis import standardise
from headstart.records.arrays import Floats, Ints

LINEAR_STRENGTHS = (0.03, 0.3, 3.0)
"""C times the number of features."""
KERNEL_STRENGTHS = (1.0, 10.0, 100.0)
KERNEL_WIDTHS = (0.3, 1.0)
"""gamma times the number of features."""

_SHARPNESS = 2.0
"""Margins of ±1 become scores of ±2, whose softmax is of the right order before calibration."""


class LinearSVM(Head):
    """One linear machine a class (squared hinge, liblinear).

    C: "auto" chooses among three by internal folds. class_weight: None, "balanced" or a mapping.
    signed_sqrt: sign(x) √|x| of the features first.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> LinearSVM(C=1.0).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("C",)

    def __init__(self, *, C: float | str = "auto", class_weight: ClassWeight = None, signed_sqrt: bool = False) -> None:
        self.C = C
        self.class_weight = class_weight
        self.signed_sqrt = signed_sqrt

    def fit(self, X: Any, y: Any, *, folds: Ints | None = None) -> Head:
        """As every head."""
        with _convergence_warnings_ignored():
            return super().fit(X, y, folds=folds)

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """As every head."""
        with _convergence_warnings_ignored():
            return super().path_scores(X, y, folds)

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """liblinear's passes over the rows, for each class and C."""
        return 15_000.0 * fits * n * d * (1 if K == 2 else K) / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        return [fixed] if fixed else [{"C": float(f"{s / X.shape[1]:.3g}")} for s in LINEAR_STRENGTHS]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Linear:
        from sklearn.svm import LinearSVC

        standard = standardise(X, signed_sqrt=self.signed_sqrt)
        svm = LinearSVC(C=configuration["C"], class_weight=self._class_weight_by_number(), dual="auto", random_state=0)
        svm.fit(standard.apply(X), labels)
        weight, bias = svm.coef_, svm.intercept_
        if n_classes == 2:  # one column of margins, positive for the second class: half of it to each class
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        weight = (_SHARPNESS * weight / standard.scale).T.astype(np.float32)
        flag = np.array(self.signed_sqrt, dtype=np.uint8)
        return Linear(standard.centre, np.ascontiguousarray(weight), (_SHARPNESS * bias).astype(np.float32), flag)


@contextmanager
def _convergence_warnings_ignored() -> Iterator[None]:
    """Ignore that the largest C may stop before the optimum: it is one configuration among others, scored as it is.

    Around the folds' threads and not inside them: the filters of warnings belong to the whole process.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class KernelSVM(Head):
    """The RBF-kernel machine (libsvm on a kernel matrix computed once for each gamma).

    C and gamma: "auto" chooses among three times two by internal folds; a number fixes it. class_weight: None,
    "balanced" or a mapping. Needs n² numbers of memory and time between n² and n³.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> KernelSVM(C=10.0, gamma=0.25).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("C", "gamma")

    def __init__(
        self, *, C: float | str = "auto", gamma: float | str = "auto", class_weight: ClassWeight = None
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Two kernel matrices a fold, then six machines whose steps each run along a row of one."""
        return fits * (4.0 * n * n * d + 6 * 1500.0 * n * n * (1 + 0.03 * K)) / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        strengths = [fixed["C"]] if "C" in fixed else KERNEL_STRENGTHS
        auto = [float(f"{width / X.shape[1]:.3g}") for width in KERNEL_WIDTHS]
        widths = [fixed["gamma"]] if "gamma" in fixed else auto
        return [{"C": C, "gamma": gamma} for C in strengths for gamma in widths]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Kernel:
        standard = standardise(X)
        rows = standard.apply(X)
        svm = self._fit_kernel(_kernel(rows, rows, configuration["gamma"]), labels, configuration)
        support = svm.support_  # the numbers of the support vectors' rows
        return Kernel(
            standard.centre,
            standard.scale,
            rows[support],
            _pair_weights(svm.dual_coef_, labels[support], n_classes),
            _pair_bias(svm.intercept_, n_classes),
            np.array(configuration["gamma"], dtype=np.float32),
            np.array(_SHARPNESS, dtype=np.float32),
            np.array(n_classes, dtype=np.int64),
        )

    def _fold_scores(
        self, X: Floats, labels: Ints, n_classes: int, configurations: Sequence[Configuration], X_test: Floats
    ) -> Sequence[Floats]:
        """One pair of kernel matrices serves every C of its gamma."""
        if n_classes < 2:
            return super()._fold_scores(X, labels, n_classes, configurations, X_test)
        standard = standardise(X)
        rows, test_rows = standard.apply(X), standard.apply(X_test)
        scores: dict[int, Floats] = {}
        for gamma in sorted({configuration["gamma"] for configuration in configurations}):
            train_kernel, test_kernel = _kernel(rows, rows, gamma), _kernel(test_rows, rows, gamma)
            for s, configuration in enumerate(configurations):
                if configuration["gamma"] == gamma:
                    scores[s] = self._test_scores(train_kernel, test_kernel, labels, n_classes, configuration)
        return [scores[s] for s in range(len(configurations))]

    def _test_scores(
        self, train_kernel: Floats, test_kernel: Floats, labels: Ints, n_classes: int, configuration: Configuration
    ) -> Floats:
        """Scores by kernel matrices: (n, n) among training rows, (m, n) of test rows with them."""
        svm = self._fit_kernel(train_kernel, labels, configuration)
        support = svm.support_
        # The decision of a pair of classes: Σ_v weight_v k(x, v) + bias.
        pairs = _pair_weights(svm.dual_coef_, labels[support], n_classes)
        decisions = test_kernel[:, support] @ pairs + _pair_bias(svm.intercept_, n_classes)
        return np.float32(_SHARPNESS) * pair_scores(decisions, n_classes)

    def _fit_kernel(self, kernel: Floats, labels: Ints, configuration: Configuration) -> Any:
        from sklearn.svm import SVC

        svm = SVC(
            C=configuration["C"], kernel="precomputed", class_weight=self._class_weight_by_number(), cache_size=500
        )
        return svm.fit(kernel, labels)


def _kernel(rows: Floats, support: Floats, gamma: float) -> Floats:
    """exp(-gamma |x - v|²) of every row with every other row."""
    return rbf(rows, support, np.einsum("ij,ij->i", support, support), gamma)


def _pair_bias(intercept: NDArray[Any], n_classes: int) -> Floats:
    """libsvm's intercepts: with two classes its decision is positive for the second, with more for a pair's first."""
    return (-intercept if n_classes == 2 else intercept).astype(np.float32)


def _pair_weights(dual: NDArray[Any], labels: Ints, n_classes: int) -> Floats:
    """libsvm's packed coefficients (K - 1, m) → each vector's weight in each pair of classes (m, K (K - 1) / 2).

    In the pair (a, b) a vector of class a has its coefficient in row b - 1, one of class b in row a.
    """
    first, second = np.triu_indices(n_classes, 1)
    pairs = np.zeros((len(labels), len(first)), dtype=np.float32)
    for p, (a, b) in enumerate(zip(first, second, strict=True)):
        pairs[labels == a, p] = dual[b - 1, labels == a]
        pairs[labels == b, p] = dual[a, labels == b]
    return -pairs if n_classes == 2 else pairs

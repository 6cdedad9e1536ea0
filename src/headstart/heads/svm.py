"""Support-vector machines through scikit-learn, on standardised embeddings: linear, and with the RBF kernel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.base import ClassWeight, Head, PathScores, Setting
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
    root: signed square root first.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> LinearSVM(C=1.0).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("C",)

    def __init__(self, *, C: float | str = "auto", class_weight: ClassWeight = None, root: bool = False) -> None:
        self.C = C
        self.class_weight = class_weight
        self.root = root

    def fit(self, X: Any, y: Any, *, folds: Ints | None = None) -> Head:
        """As every head."""
        with _short_of_the_optimum_allowed():
            return super().fit(X, y, folds=folds)

    def path_scores(self, X: Any, y: Any, folds: Ints) -> PathScores:
        """As every head."""
        with _short_of_the_optimum_allowed():
            return super().path_scores(X, y, folds)

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        return [fixed] if fixed else [{"C": float(f"{s / X.shape[1]:.3g}")} for s in LINEAR_STRENGTHS]

    def _train(self, prepared: Floats, labels: Ints, count: int, setting: Setting) -> Linear:
        from sklearn.svm import LinearSVC

        learned = standardise(prepared, root=self.root)
        machine = LinearSVC(C=setting["C"], class_weight=self._by_number(), dual="auto", random_state=0)
        machine.fit(learned.apply(prepared), labels)
        weight, bias = machine.coef_, machine.intercept_
        if count == 2:
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        weight = (_SHARPNESS * weight / learned.scale).T.astype(np.float32)
        flag = np.array(self.root, dtype=np.uint8)
        return Linear(learned.centre, np.ascontiguousarray(weight), (_SHARPNESS * bias).astype(np.float32), flag)


@contextmanager
def _short_of_the_optimum_allowed() -> Iterator[None]:
    """The largest C may stop short of the optimum; it is one candidate among others and is scored as it is.

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

    _tuned: ClassVar[tuple[str, ...]] = ("C", "gamma")

    def __init__(
        self, *, C: float | str = "auto", gamma: float | str = "auto", class_weight: ClassWeight = None
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        fixed = self._fixed()
        strengths = [fixed["C"]] if "C" in fixed else KERNEL_STRENGTHS
        auto = [float(f"{width / X.shape[1]:.3g}") for width in KERNEL_WIDTHS]
        widths = [fixed["gamma"]] if "gamma" in fixed else auto
        return [{"C": C, "gamma": gamma} for C in strengths for gamma in widths]

    def _train(self, prepared: Floats, labels: Ints, count: int, setting: Setting) -> Kernel:
        learned = standardise(prepared)
        rows = learned.apply(prepared)
        machine = self._machine(_kernel(rows, rows, setting["gamma"]), labels, setting)
        kept = machine.support_
        return Kernel(
            learned.centre,
            learned.scale,
            rows[kept],
            _pair_weights(machine.dual_coef_, labels[kept], count),
            _pair_bias(machine.intercept_, count),
            np.array(setting["gamma"], dtype=np.float32),
            np.array(_SHARPNESS, dtype=np.float32),
            np.array(count, dtype=np.int64),
        )

    def _fold_scores(
        self, X: Floats, labels: Ints, count: int, settings: Sequence[Setting], held: Floats
    ) -> Sequence[Floats]:
        """The kernel matrices serve every C."""
        if count < 2:
            return super()._fold_scores(X, labels, count, settings, held)
        learned = standardise(X)
        rows, others = learned.apply(X), learned.apply(held)
        found: dict[int, Floats] = {}
        for gamma in sorted({setting["gamma"] for setting in settings}):
            among, across = _kernel(rows, rows, gamma), _kernel(others, rows, gamma)
            for s, setting in enumerate(settings):
                if setting["gamma"] == gamma:
                    found[s] = self._held_scores(among, across, labels, count, setting)
        return [found[s] for s in range(len(settings))]

    def _held_scores(self, among: Floats, across: Floats, labels: Ints, count: int, setting: Setting) -> Floats:
        machine = self._machine(among, labels, setting)
        kept = machine.support_
        pairs = _pair_weights(machine.dual_coef_, labels[kept], count)
        decisions = across[:, kept] @ pairs + _pair_bias(machine.intercept_, count)
        return np.float32(_SHARPNESS) * pair_scores(decisions, count)

    def _machine(self, kernel: Floats, labels: Ints, setting: Setting) -> Any:
        from sklearn.svm import SVC

        machine = SVC(C=setting["C"], kernel="precomputed", class_weight=self._by_number(), cache_size=500)
        return machine.fit(kernel, labels)


def _kernel(rows: Floats, others: Floats, gamma: float) -> Floats:
    return rbf(rows, others, np.einsum("ij,ij->i", others, others), gamma)


def _pair_bias(intercept: NDArray[Any], count: int) -> Floats:
    """libsvm's two-class machine speaks for the second class, its pairs for the first."""
    return (-intercept if count == 2 else intercept).astype(np.float32)


def _pair_weights(dual: NDArray[Any], labels: Ints, count: int) -> Floats:
    """libsvm's packed coefficients (K - 1, m) → each vector's weight in each pair of classes (m, K (K - 1) / 2).

    In the pair (a, b) a vector of class a has its coefficient in row b - 1, one of class b in row a.
    """
    first, second = np.triu_indices(count, 1)
    pairs = np.zeros((len(labels), len(first)), dtype=np.float32)
    for p, (a, b) in enumerate(zip(first, second, strict=True)):
        pairs[labels == a, p] = dual[b - 1, labels == a]
        pairs[labels == b, p] = dual[a, labels == b]
    return -pairs if count == 2 else pairs

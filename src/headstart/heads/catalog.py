"""The heads by name, what each is, and roughly what it costs.

A multi-layer head is one of the linear heads with `root=True` on several taps side by side
(`Embeddings.joined()`): `make("ridge", root=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from headstart.checks import one_of
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.heads.base import Head

Cost = Callable[[int, int, int, int], float]
"""(rows, features, classes, fits of the head on so many rows) → arithmetic, in 10⁹ operations at the speed of a
matrix product in float32."""

_SPEED = 100.0
"""10⁹ operations a second that two cores reach; the model is good to a factor of three."""


@dataclass(frozen=True)
class HeadEntry:
    """A head that can be asked for: where it lives, what it is in a line, whether it takes `root`."""

    name: str
    module: str
    estimator: str
    line: str
    cost: Cost
    linear: bool = False

    def seconds(self, n: int, d: int, K: int, fits: int = 5) -> float:
        """Rough seconds to score its whole path on `fits` folds and train once, on two cores."""
        return 0.02 + self.cost(n, d, K, fits) / _SPEED


def _decomposition(n: int, d: int) -> float:
    small = min(n, d)
    return (4.0 * n * d * small + 20.0 * small**3) / 1e9


def _columns(K: int) -> int:
    return 1 if K == 2 else K


def _logistic(n: int, d: int, K: int, fits: int) -> float:
    """Steps over the whole path; each is two products, an exponential a score, and the solver's vectors."""
    steps, r = (110 if K < 20 else 160), min(n, d)
    return _decomposition(n, d) + (4.5 * n * r + 1000.0 * n + 4000.0 * r) * _columns(K) * fits * steps / 1e9


def _ridge(n: int, d: int, K: int, fits: int) -> float:
    r = min(n, d)
    solving = 15 * min(r**3 / 3, 50.0 * r * r * _columns(K)) * fits
    return _decomposition(n, d) + (solving + 4.0 * n * r * r + 60.0 * n * r * _columns(K)) / 1e9


def _lda(n: int, d: int, K: int, fits: int) -> float:
    r = min(n, d)
    return _decomposition(n, d) + (7 * r**3 / 3 * fits + 4.0 * n * r * r) / 1e9


def _neighbours(n: int, d: int, K: int, fits: int) -> float:
    return (2.0 * n * n * d + 1500.0 * n * n) / 1e9


def _means(n: int, d: int, K: int, fits: int) -> float:
    return 400.0 * fits * n * d / 1e9


def _linear_svm(n: int, d: int, K: int, fits: int) -> float:
    return 15_000.0 * fits * n * d * _columns(K) / 1e9


def _kernel_svm(n: int, d: int, K: int, fits: int) -> float:
    """Two kernel matrices a fold, then six machines whose steps each run along a row of one."""
    return fits * (4.0 * n * n * d + 6 * 1500.0 * n * n * (1 + 0.03 * K)) / 1e9


def _perceptron(n: int, d: int, K: int, fits: int) -> float:
    """Every batch of 64 reads and writes all weights several times."""
    epochs = 100 if n <= 1000 else 30
    return (fits + 1) * epochs * n * d * 256 * 8.0 / 1e9


def _forest(n: int, d: int, K: int, fits: int) -> float:
    """Making 200 of scikit-learn's trees costs 0.3 s, however small they are."""
    return (fits + 1) * (200 * n * sqrt(d) * 15_000.0 / 1e9 + 0.3 * _SPEED)


HEADS: Mapping[str, HeadEntry] = {
    entry.name: entry
    for entry in (
        HeadEntry("probe", "logistic", "LogisticProbe", "logistic regression, strength tuned", _logistic, True),
        HeadEntry("ridge", "ridge", "RidgeProbe", "least squares, strength by exact leave-one-out", _ridge, True),
        HeadEntry("lda", "lda", "ShrinkageLDA", "Gaussian classes, one shrunk covariance", _lda, True),
        HeadEntry("class-mean", "neighbours", "NearestMean", "nearest class mean", _means),
        HeadEntry("knn", "neighbours", "NearestNeighbours", "nearest neighbours by cosine", _neighbours),
        HeadEntry("linear-svm", "svm", "LinearSVM", "linear support-vector machine, tuned", _linear_svm, True),
        HeadEntry("svm", "svm", "KernelSVM", "support-vector machine, RBF kernel, tuned", _kernel_svm),
        HeadEntry("mlp", "mlp", "Perceptron", "256 ReLU units, dropout 0.5: the tutorials' head", _perceptron),
        HeadEntry("forest", "forest", "Forest", "random forest of 200 trees", _forest),
    )
}


def make_head(
    name: str,
    *,
    root: bool = False,
    class_weight: str | None = None,
    seed: int = 0,
    setting: Mapping[str, Any] | None = None,
) -> Head:
    """A new head by its catalogue name, unfitted.

    root: signed square root of the features first (linear heads only). class_weight: None or "balanced" (a head that
    counts classes alike anyway takes no notice). setting: one of `PathScores.settings`, which fixes what is tuned.

    >>> make_head("ridge", root=True, setting={"alpha": 10.0})
    RidgeProbe(alpha=10.0, root=True)
    """
    from importlib import import_module

    entry = HEADS[one_of("head", name, list(HEADS))]
    if root and not entry.linear:
        linear = ", ".join(repr(other.name) for other in HEADS.values() if other.linear)
        raise OptionError(f"root=True is for the linear heads ({linear}); found head {name!r}.")
    head: Head = getattr(import_module(f"headstart.heads.{entry.module}"), entry.estimator)()
    wanted = {"root": root, "class_weight": class_weight, "random_state": seed, **(setting or {})}
    known = head.get_params(deep=False)
    head.set_params(**{key: value for key, value in wanted.items() if key in known})
    return head

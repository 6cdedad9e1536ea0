"""The heads by name: where each is defined, and what it is in a line.

A head is one module with a subclass of `Head`; its line in `HEADS` gives it a name that a user can ask for. No head is
imported before it is needed. A multi-layer head is one of the linear heads with `signed_sqrt=True` on several taps side
by side (`Embeddings.joined()`). How to add a head: docs/adding-a-head.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headstart.checks import one_of
from headstart.errors import OptionError

if TYPE_CHECKING:
    from headstart.heads.base import Head

_SPEED = 100.0
"""10⁹ operations a second that two cores reach; the model is good to a factor of three."""


@dataclass(frozen=True)
class HeadEntry:
    """A head that can be asked for.

    module: where it is defined, as imported. estimator: its class. summary: what it is, in a line. linear: whether its
    scores are a linear function of the features, and so whether it has the parameter `signed_sqrt`.
    """

    name: str
    module: str
    estimator: str
    summary: str
    linear: bool = False

    def load(self) -> type[Head]:
        """The estimator's class, imported now."""
        head: type[Head] = getattr(import_module(self.module), self.estimator)
        return head

    def seconds(self, n: int, d: int, K: int, fits: int = 5) -> float:
        """Rough seconds to score every configuration on `fits` folds and train once, on two cores."""
        return 0.02 + self.load().cost(n, d, K, fits) / _SPEED


HEADS: Mapping[str, HeadEntry] = {
    entry.name: entry
    for entry in (
        HeadEntry("probe", "headstart.heads.logistic", "LogisticProbe", "logistic regression, tuned", linear=True),
        HeadEntry("ridge", "headstart.heads.ridge", "RidgeProbe", "least squares, leave-one-out", linear=True),
        HeadEntry("lda", "headstart.heads.lda", "ShrinkageLDA", "Gaussian classes, shrunk covariance", linear=True),
        HeadEntry("class-mean", "headstart.heads.neighbours", "NearestMean", "nearest class mean"),
        HeadEntry("knn", "headstart.heads.neighbours", "NearestNeighbours", "nearest neighbours by cosine"),
        HeadEntry("linear-svm", "headstart.heads.svm", "LinearSVM", "linear support-vector machine", linear=True),
        HeadEntry("svm", "headstart.heads.svm", "KernelSVM", "support-vector machine, RBF kernel"),
        HeadEntry("mlp", "headstart.heads.mlp", "Perceptron", "256 ReLU units, dropout 0.5"),
        HeadEntry("forest", "headstart.heads.forest", "Forest", "random forest of 200 trees"),
    )
}


def make_head(
    name: str,
    *,
    signed_sqrt: bool = False,
    class_weight: str | None = None,
    seed: int = 0,
    configuration: Mapping[str, Any] | None = None,
) -> Head:
    """A new head by its catalogue name, unfitted.

    signed_sqrt: signed square root of the features first (linear heads only).
    class_weight: None or "balanced" (a head that counts classes alike anyway ignores it).
    seed: fixes what a head draws at random.
    configuration: one of `PathScores.configurations`, which fixes the hyper-parameters.
    Raises `OptionError` for a name that is not in the catalogue, or for `signed_sqrt` where the head is not linear.

    >>> make_head("ridge", signed_sqrt=True, configuration={"alpha": 10.0})
    RidgeProbe(alpha=10.0, signed_sqrt=True)
    """
    entry = HEADS[one_of("head", name, list(HEADS))]
    if signed_sqrt and not entry.linear:
        linear = ", ".join(repr(other.name) for other in HEADS.values() if other.linear)
        raise OptionError(f"signed_sqrt=True is for the linear heads ({linear}); found head {name!r}.")
    head = entry.load()()
    parameters = {
        "signed_sqrt": signed_sqrt,
        "class_weight": class_weight,
        "random_state": seed,
        **(configuration or {}),
    }
    names = head.get_params(deep=False)
    head.set_params(**{name: value for name, value in parameters.items() if name in names})
    return head

"""Heads that compare an embedding with the training rows: nearest neighbours and nearest class mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from headstart.errors import OptionError
from headstart.heads.base import ClassWeight, Configuration, Head
from headstart.heads.forms.arrays import unit_rows
from headstart.heads.forms.linear import Cosine, Form, Linear
from headstart.heads.forms.stored_rows import Neighbours, nearest_rows, votes
from headstart.heads.solvers.basis import standardise
from headstart.records.arrays import Floats, Ints

COUNTS = (50, 20, 10, 5, 3, 1)
_VOTE_WIDTH = 0.1
"""A neighbour's vote falls to 1/e when its cosine is this much smaller."""
_COSINE_SCALE = 10.0
"""Cosines become scores of ±10, whose softmax is of the right order before calibration."""


class NearestNeighbours(Head):
    """Cosine k-nearest neighbours about the training mean, near ones voting more.

    k: "auto" chooses among 1, 3, 5, 10, 20, 50 by internal folds; a number fixes it (cut to the rows there are).
    class_weight: None, "balanced" (a vote is divided by its class's size) or a mapping (a vote is multiplied).

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> NearestNeighbours(k=3).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.8
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("k",)

    def __init__(self, *, k: int | str = "auto", class_weight: ClassWeight = None) -> None:
        self.k = k
        self.class_weight = class_weight

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Similarities of all rows with all rows, and a partial sort of each."""
        return (2.0 * n * n * d + 1500.0 * n * n) / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        if fixed and fixed["k"] != int(fixed["k"]):
            raise OptionError(f"k must be 'auto' or a whole number of at least 1; found {self.k!r}.")
        # A fold leaves a fifth out; k beyond half of the rows is a vote of everyone.
        return [fixed] if fixed else [{"k": k} for k in COUNTS if k == 1 or 2 * k <= len(X)]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Neighbours:
        centre = X.mean(axis=0)
        return Neighbours(
            centre,
            unit_rows(X - centre),
            labels,
            np.ones(n_classes, np.float32) if self._class_weights is None else self._class_weights.astype(np.float32),
            np.array(min(int(configuration["k"]), len(X)), dtype=np.int64),
            np.array(_VOTE_WIDTH, dtype=np.float32),
        )

    def _fold_scores(
        self, X: Floats, labels: Ints, n_classes: int, configurations: Sequence[Configuration], X_test: Floats
    ) -> Sequence[Floats]:
        """One search for the largest k serves all."""
        form = self._train(X, labels, n_classes, max(configurations, key=lambda configuration: configuration["k"]))
        rows = unit_rows(X_test - form.centre)
        nearest, similarity = nearest_rows(rows, form.stored, int(form.k))
        counts = [int(configuration["k"]) for configuration in configurations]
        weight = form.class_weight
        return [votes(labels[nearest[:, :k]], similarity[:, :k], weight, _VOTE_WIDTH) for k in counts]


class NearestMean(Head):
    """The class whose mean embedding is nearest, by cosine or by distance between standardised features.

    metric: "auto" chooses between "cosine" (about the training mean) and "euclidean" by internal folds. Every class
    counts the same, whatever its size.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> NearestMean(metric="cosine").fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.8
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("metric",)

    def __init__(self, *, metric: str = "auto") -> None:
        self.metric = metric

    def _allowed_words(self, name: str) -> Sequence[str]:
        return ("auto", "cosine", "euclidean")

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        fixed = self._fixed_parameters()
        return [fixed] if fixed else [{"metric": "cosine"}, {"metric": "euclidean"}]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Form:
        if configuration["metric"] == "cosine":
            centre = X.mean(axis=0)
            directions = unit_rows(_class_means(unit_rows(X - centre), labels, n_classes))
            return Cosine(centre, directions, np.array(_COSINE_SCALE, dtype=np.float32))
        standard = standardise(X)
        means = _class_means(standard.apply(X), labels, n_classes)
        # -|x - m|²/2 without |x|², which all classes share: xᵀm - |m|²/2, in units of the mean of |m|².
        scale = np.float32(_COSINE_SCALE / max(float((means**2).sum(axis=1).mean()), 1e-12))
        weight = np.ascontiguousarray((scale * means / standard.scale).T)
        bias = -0.5 * scale * (means**2).sum(axis=1)
        return Linear(standard.centre, weight, bias.astype(np.float32), np.array(0, dtype=np.uint8))


def _class_means(rows: Floats, labels: Ints, n_classes: int) -> Floats:
    """(K, d): the mean row of each class."""
    indicator = (labels[:, None] == np.arange(n_classes)).astype(np.float32)
    return (indicator.T @ rows) / np.maximum(indicator.sum(axis=0), 1)[:, None]  # type: ignore[no-any-return]

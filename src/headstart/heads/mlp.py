"""A perceptron with one hidden layer of 256 ReLU units and dropout 0.5: the head that tutorials put on a backbone.

Trained in numpy (scikit-learn's has no dropout): Adam, minibatches, and a seed that fixes everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from headstart import checks
from headstart.heads.base import ClassWeight, Head, Setting
from headstart.heads.forms.linear import Layered
from headstart.heads.solvers.basis import standardise
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

_RATE, _DECAY, _MEAN, _SQUARE = 1e-3, 1e-4, 0.9, 0.999
_BATCH = 64
_SMALL = 1000
"""Up to so many rows an epoch is cheap, and more of them are tried."""

Weights = list[Floats]


class Perceptron(Head):
    """Standardised embeddings → 256 ReLU units → dropout → classes, cross-entropy, Adam (rate 10⁻³, decay 10⁻⁴).

    epochs: "auto" chooses among three by internal folds (all three are stations of one training); a number fixes it.
    hidden: units. dropout: share of them switched off in a step. class_weight: None, "balanced" or a mapping.
    random_state: a whole number; the same number gives the same head.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> Perceptron(epochs=60).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _tuned: ClassVar[tuple[str, ...]] = ("epochs",)

    def __init__(
        self,
        *,
        epochs: int | str = "auto",
        hidden: int = 256,
        dropout: float = 0.5,
        class_weight: ClassWeight = None,
        random_state: int = 0,
    ) -> None:
        self.epochs = epochs
        self.hidden = hidden
        self.dropout = dropout
        self.class_weight = class_weight
        self.random_state = random_state

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        checks.at_least("hidden", self.hidden, 1)
        checks.between("dropout", self.dropout, 0, 0.95)
        fixed = self._fixed()
        return [fixed] if fixed else [{"epochs": e} for e in ((10, 30, 100) if len(X) <= _SMALL else (5, 10, 30))]

    def _train(self, prepared: Floats, labels: Ints, count: int, setting: Setting) -> Layered:
        return next(self._stations(prepared, labels, count, [int(setting["epochs"])]))

    def _fold_scores(
        self, X: Floats, labels: Ints, count: int, settings: Sequence[Setting], held: Floats
    ) -> Sequence[Floats]:
        if count < 2:
            return super()._fold_scores(X, labels, count, settings, held)
        epochs = [int(setting["epochs"]) for setting in settings]
        return [form.scores(held) for form in self._stations(X, labels, count, epochs)]

    def _stations(self, X: Floats, labels: Ints, count: int, epochs: Sequence[int]) -> Iterator[Layered]:
        """Train to the last of the `epochs`, ascending, handing out the head at each."""
        random = np.random.default_rng(self.random_state)
        learned = standardise(X)
        rows = learned.apply(X)
        weights = self._row_weights(labels)
        importance = np.ones(len(X), np.float32) if weights is None else weights.astype(np.float32)
        targets = (labels[:, None] == np.arange(count)).astype(np.float32)
        layers = _start(rows.shape[1], self.hidden, count, random)
        optimiser = _Adam(layers)
        for epoch in range(1, epochs[-1] + 1):
            order = random.permutation(len(rows))
            for low in range(0, len(order), _BATCH):
                batch = order[low : low + _BATCH]
                kept = random.random((len(batch), self.hidden), dtype=np.float32) >= self.dropout
                mask = kept.astype(np.float32) / np.float32(1 - self.dropout)
                optimiser.step(_slopes(layers, rows[batch], targets[batch], importance[batch], mask))
            if epoch in epochs:
                yield Layered(learned.centre, learned.scale, *(layer.copy() for layer in layers))


def _start(d: int, hidden: int, count: int, random: np.random.Generator) -> Weights:
    """He's initialisation; the output layer starts small, so that the first probabilities are even."""
    inner = random.standard_normal((d, hidden), dtype=np.float32) * np.float32((2 / d) ** 0.5)
    outer = random.standard_normal((hidden, count), dtype=np.float32) * np.float32(0.1 * hidden**-0.5)
    return [inner, np.zeros(hidden, np.float32), outer, np.zeros(count, np.float32)]


def _slopes(layers: Weights, X: Floats, targets: Floats, importance: Floats, mask: Floats) -> Weights:
    """Gradient of the batch's mean weighted cross-entropy for every layer."""
    inner, inner_bias, outer, outer_bias = layers
    before = X @ inner + inner_bias
    hidden = np.maximum(before, 0) * mask
    error = softmax(hidden @ outer + outer_bias) - targets
    error *= importance[:, None] / np.float32(len(X))
    back = (error @ outer.T) * mask
    back[before <= 0] = 0
    return [X.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


class _Adam:
    """Adam with decoupled weight decay on the matrices; changes the layers in place."""

    def __init__(self, layers: Weights) -> None:
        self.layers = layers
        self.means = [np.zeros_like(layer) for layer in layers]
        self.squares = [np.zeros_like(layer) for layer in layers]
        self.count = 0

    def step(self, slopes: Weights) -> None:
        """Change the layers by one step against their slopes, which have the layers' shapes."""
        self.count += 1
        rate = _RATE * (1 - _SQUARE**self.count) ** 0.5 / (1 - _MEAN**self.count)
        for layer, slope, mean, square in zip(self.layers, slopes, self.means, self.squares, strict=True):
            mean *= _MEAN
            mean += (1 - _MEAN) * slope
            square *= _SQUARE
            square += (1 - _SQUARE) * slope * slope
            if layer.ndim == 2:
                layer *= 1 - _RATE * _DECAY
            layer -= rate * mean / (np.sqrt(square) + 1e-8)

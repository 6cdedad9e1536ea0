"""A perceptron with one hidden layer of 256 ReLU units and dropout 0.5: the head that tutorials put on a backbone.

Trained in numpy: scikit-learn's has no dropout and, before 1.7, no weights of classes, and was no better and slower
(docs/evidence/speed.md). Adam, minibatches, and a seed that fixes everything. One training gives the head at every
number of epochs that is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from headstart import checks
from headstart.heads.base import ClassWeight, Configuration, Head
from headstart.heads.forms.linear import Layered
from headstart.heads.solvers.basis import standardise
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints

_RATE, _DECAY, _BETA1, _BETA2 = 1e-3, 1e-4, 0.9, 0.999
_BATCH = 64
_SMALL = 1000
"""Up to so many rows an epoch is cheap, and more of them are compared."""

Weights = list[Floats]


class Perceptron(Head):
    """Standardised embeddings → 256 ReLU units → dropout → classes, cross-entropy, Adam (rate 10⁻³, decay 10⁻⁴).

    epochs: "auto" chooses among three by internal folds (all three are checkpoints of one training); a number fixes it.
    hidden: units. dropout: share of them switched off in a step. class_weight: None, "balanced" or a mapping.
    random_state: a whole number; the same number gives the same head.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> Perceptron(epochs=60).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    _hyperparameters: ClassVar[tuple[str, ...]] = ("epochs",)

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

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Every batch of 64 reads and writes all weights several times."""
        epochs = 100 if n <= _SMALL else 30
        return (fits + 1) * epochs * n * d * 256 * 8.0 / 1e9

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        checks.at_least("hidden", self.hidden, 1)
        checks.between("dropout", self.dropout, 0, 0.95)
        fixed = self._fixed_parameters()
        return [fixed] if fixed else [{"epochs": e} for e in ((10, 30, 100) if len(X) <= _SMALL else (5, 10, 30))]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Layered:
        return next(self._checkpoints(X, labels, n_classes, [int(configuration["epochs"])]))

    def _fold_scores(
        self, X: Floats, labels: Ints, n_classes: int, configurations: Sequence[Configuration], X_test: Floats
    ) -> Sequence[Floats]:
        if n_classes < 2:
            return super()._fold_scores(X, labels, n_classes, configurations, X_test)
        epochs = [int(configuration["epochs"]) for configuration in configurations]
        return [form.scores(X_test) for form in self._checkpoints(X, labels, n_classes, epochs)]

    def _checkpoints(self, X: Floats, labels: Ints, n_classes: int, epochs: Sequence[int]) -> Iterator[Layered]:
        """Train to the last of the `epochs`, which ascend; yield the head after each of them."""
        random = np.random.default_rng(self.random_state)
        standard = standardise(X)
        rows = standard.apply(X)
        weights = self._row_weights(labels)
        importance = np.ones(len(X), np.float32) if weights is None else weights.astype(np.float32)
        targets = (labels[:, None] == np.arange(n_classes)).astype(np.float32)
        layers = _initial_layers(rows.shape[1], self.hidden, n_classes, random)
        optimiser = _Adam(layers)
        for epoch in range(1, epochs[-1] + 1):
            order = random.permutation(len(rows))
            for low in range(0, len(order), _BATCH):
                batch = order[low : low + _BATCH]
                # Inverted dropout: what stays on is scaled by 1 / (1 - p), so that prediction needs no correction.
                active = random.random((len(batch), self.hidden), dtype=np.float32) >= self.dropout
                mask = active.astype(np.float32) / np.float32(1 - self.dropout)
                optimiser.step(_gradients(layers, rows[batch], targets[batch], importance[batch], mask))
            if epoch in epochs:
                yield Layered(standard.centre, standard.scale, *(layer.copy() for layer in layers))


def _initial_layers(d: int, hidden: int, n_classes: int, random: np.random.Generator) -> Weights:
    """He's initialisation; the output layer starts small, so that the first probabilities are even."""
    inner = random.standard_normal((d, hidden), dtype=np.float32) * np.float32((2 / d) ** 0.5)
    outer = random.standard_normal((hidden, n_classes), dtype=np.float32) * np.float32(0.1 * hidden**-0.5)
    return [inner, np.zeros(hidden, np.float32), outer, np.zeros(n_classes, np.float32)]


def _gradients(layers: Weights, X: Floats, targets: Floats, importance: Floats, mask: Floats) -> Weights:
    """Gradient of the batch's mean weighted cross-entropy for every layer."""
    inner, inner_bias, outer, outer_bias = layers
    pre_activation = X @ inner + inner_bias
    hidden = np.maximum(pre_activation, 0) * mask
    outer_delta = softmax(hidden @ outer + outer_bias) - targets  # d loss / d scores = p - y
    outer_delta *= importance[:, None] / np.float32(len(X))
    inner_delta = (outer_delta @ outer.T) * mask
    inner_delta[pre_activation <= 0] = 0  # ReLU passes a gradient only where it is on
    return [X.T @ inner_delta, inner_delta.sum(axis=0), hidden.T @ outer_delta, outer_delta.sum(axis=0)]


class _Adam:
    """AdamW (Kingma & Ba 2015, algorithm 1; decay as in Loshchilov & Hutter 2019); changes the layers in place."""

    def __init__(self, layers: Weights) -> None:
        self.layers = layers
        self.means = [np.zeros_like(layer) for layer in layers]
        self.squares = [np.zeros_like(layer) for layer in layers]
        self.count = 0

    def step(self, gradients: Weights) -> None:
        """Change the layers by one step against their gradients, which have the layers' shapes."""
        self.count += 1
        # Both running means start at 0: the factors take that bias out.
        rate = _RATE * (1 - _BETA2**self.count) ** 0.5 / (1 - _BETA1**self.count)
        for layer, gradient, mean, square in zip(self.layers, gradients, self.means, self.squares, strict=True):
            mean *= _BETA1
            mean += (1 - _BETA1) * gradient
            square *= _BETA2
            square += (1 - _BETA2) * gradient * gradient
            if layer.ndim == 2:
                layer *= 1 - _RATE * _DECAY
            layer -= rate * mean / (np.sqrt(square) + 1e-8)

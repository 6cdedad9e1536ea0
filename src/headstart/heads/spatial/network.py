"""One or two layers from a point's features to its outputs, and their training in numpy.

The first layer is linear in the taps, so it is applied to each tap at the tap's own resolution and its result is
interpolated and added: the wide map of all taps side by side is never built (interpolation and a linear layer commute).
In ONNX that is a 1x1 convolution a tap, Resize and Add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.heads.spatial.points import interpolation
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, check_arrays

_BETA1, _BETA2, _WARM = 0.9, 0.999, 30
_LINEAR = {"inner": ("f4", "dh"), "inner_bias": ("f4", "h")}
_LAYERED = {**_LINEAR, "outer": ("f4", "ho"), "outer_bias": ("f4", "o")}


@dataclass(frozen=True, eq=False)
class CellNetwork:
    """inner (d, h) and inner_bias (h,): of the features as they are, the standardisation folded in. outer (h, o) and
    outer_bias (o,) after a ReLU; both None where one layer is all there is."""

    inner: Floats
    inner_bias: Floats
    outer: Floats | None = None
    outer_bias: Floats | None = None

    @property
    def width(self) -> int:
        """How many features a point has."""
        return len(self.inner)

    @property
    def outputs(self) -> int:
        """How many numbers it gives a point."""
        return int((self.inner if self.outer is None else self.outer).shape[1])

    def at(self, X: Floats) -> Floats:
        """(m, o) the outputs for features (m, d)."""
        return self._finish(X @ self.inner + self.inner_bias)

    def grid(self, maps: Sequence[Floats], columns: int, rows: int) -> Floats:
        """(rows, columns, o) the outputs on a grid over the whole canvas."""
        hidden = np.zeros((rows, columns, self.inner.shape[1]), np.float32)
        coarse: dict[tuple[int, int], Floats] = {}
        start = 0
        for tap in maps:
            high, wide, channels = tap.shape
            layer = self.inner[start : start + channels]
            start += channels
            if high * wide > rows * columns:  # interpolation and layer commute: the cheaper order
                hidden += _resample(tap.astype(np.float32), rows, columns) @ layer
                continue
            part = (tap.reshape(-1, channels).astype(np.float32) @ layer).reshape(high, wide, -1)
            coarse[high, wide] = coarse[high, wide] + part if (high, wide) in coarse else part
        for part in coarse.values():
            hidden += _resample(part, rows, columns)
        hidden += self.inner_bias
        return self._finish(hidden.reshape(rows * columns, -1)).reshape(rows, columns, -1)

    def _finish(self, hidden: Floats) -> Floats:
        if self.outer is None or self.outer_bias is None:
            return hidden
        return np.asarray(np.maximum(hidden, 0, out=hidden) @ self.outer + self.outer_bias)

    def to_arrays(self) -> Arrays:
        """The layers by name; `network_from_arrays` takes them back."""
        layers = {"inner": self.inner, "inner_bias": self.inner_bias}
        if self.outer is None or self.outer_bias is None:
            return layers
        return {**layers, "outer": self.outer, "outer_bias": self.outer_bias}


def _resample(tap: Floats, rows: int, columns: int) -> Floats:
    """A map (high, wide, channels) at the centres of a grid over the same area."""
    high, wide, channels = tap.shape
    if (high, wide) == (rows, columns):
        return tap
    down = interpolation(rows, high) @ tap.reshape(high, -1)
    return np.asarray(np.matmul(interpolation(columns, wide), down.reshape(rows, wide, channels)))


def network_from_arrays(arrays: Mapping[str, Any]) -> CellNetwork:
    """A saved network; raises `BundleError` where its arrays are not those of one."""
    return CellNetwork(**check_arrays("head", arrays, _LAYERED if "outer" in arrays else _LINEAR))


class Loss(Protocol):
    """What a network is trained by."""

    def gradient(self, outputs: Floats, rows: Ints) -> Floats:
        """The gradient of the loss of these points in their outputs, both (m, o)."""


@dataclass(frozen=True)
class Training:
    """How a network is trained: hidden units, epochs, learning rate, weight decay, dropout, points a step."""

    hidden: int = 192
    epochs: int = 12
    rate: float = 1e-3
    decay: float = 1e-2
    dropout: float = 0.2
    batch: int = 256


def train_network(
    X: NDArray[np.float16], loss: Loss, start: Floats, *, training: Training, seed: int = 0, rows: Ints | None = None
) -> CellNetwork:
    """A network of two layers for points' features (m, d), by AdamW under a cosine (Loshchilov & Hutter 2017, 2019).

    start: (o,) the output layer's first biases. rows: the points to learn from, all by default.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(len(X)) if rows is None else rows
    sums, squares = _moments(X, rows)
    scale = np.sqrt(np.maximum(squares - sums**2, 0)) + 1e-3
    centre, scale = sums.astype(np.float32), scale.astype(np.float32)
    layers = [
        random.standard_normal((X.shape[1], training.hidden), dtype=np.float32) * np.float32((2 / X.shape[1]) ** 0.5),
        np.zeros(training.hidden, np.float32),
        random.standard_normal((training.hidden, len(start)), dtype=np.float32)
        * np.float32(0.1 * training.hidden**-0.5),
        start.astype(np.float32).copy(),
    ]
    steps = max(len(rows) // training.batch, 1)
    optimiser = _Adam(layers, training, steps * training.epochs)
    for _ in range(training.epochs):
        order = rows[random.permutation(len(rows))]
        for part in np.array_split(order, steps):
            batch = ((X[part] - centre) / scale).astype(np.float32)
            optimiser.step(_gradients(layers, batch, loss, part, training.dropout, random))
    inner = (layers[0] / scale[:, None]).astype(np.float32)
    return CellNetwork(inner, (layers[1] - centre @ inner).astype(np.float32), layers[2], layers[3])


def _moments(X: NDArray[np.float16], rows: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of each feature and of its square, a block at a time."""
    sums, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for part in np.array_split(rows, len(rows) // 8192 + 1):
        block = X[part].astype(np.float32)
        sums += block.sum(axis=0)
        squares += np.einsum("ij,ij->j", block, block)
    return sums / len(rows), squares / len(rows)


def _gradients(
    layers: list[Floats], X: Floats, loss: Loss, rows: Ints, dropout: float, random: np.random.Generator
) -> list[Floats]:
    inner, inner_bias, outer, outer_bias = layers
    hidden = np.maximum(X @ inner + inner_bias, 0)
    active = random.random(hidden.shape, dtype=np.float32) >= dropout
    hidden *= active * np.float32(1 / (1 - dropout))  # inverted dropout: prediction needs no correction
    outer_delta = loss.gradient(hidden @ outer + outer_bias, rows)
    inner_delta = (outer_delta @ outer.T) * (hidden > 0) * np.float32(1 / (1 - dropout))
    return [X.T @ inner_delta, inner_delta.sum(axis=0), hidden.T @ outer_delta, outer_delta.sum(axis=0)]


class _Adam:
    """AdamW (Kingma & Ba 2015, algorithm 1) with a warm-up and a cosine; changes the layers in place."""

    def __init__(self, layers: list[Floats], training: Training, steps: int) -> None:
        self.layers, self.training, self.steps = layers, training, steps
        self.means = [np.zeros_like(layer) for layer in layers]
        self.squares = [np.zeros_like(layer) for layer in layers]
        self.count = 0

    def step(self, gradients: list[Floats]) -> None:
        """One step against gradients of the layers' shapes."""
        self.count += 1
        cosine = 0.5 * (1 + np.cos(np.pi * min(self.count / self.steps, 1)))
        rate = self.training.rate * cosine * min(1.0, self.count / _WARM)
        # Both running means start at 0: the factors take that bias out.
        corrected = rate * (1 - _BETA2**self.count) ** 0.5 / (1 - _BETA1**self.count)
        for layer, gradient, mean, square in zip(self.layers, gradients, self.means, self.squares, strict=True):
            mean *= _BETA1
            mean += (1 - _BETA1) * gradient
            square *= _BETA2
            square += (1 - _BETA2) * gradient * gradient
            if layer.ndim == 2:
                layer *= np.float32(1 - rate * self.training.decay)
            layer -= np.float32(corrected) * mean / (np.sqrt(square) + np.float32(1e-8))

"""Pixels that a segmenter learns from, drawn anywhere in an image; and its loss, in which rare classes weigh more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.heads.spatial.points import Points
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints
from headstart.records.masks import ClassMap


def draw_pixels(
    truth: ClassMap, size: tuple[float, float], count: int, random: np.random.Generator
) -> tuple[Points, Ints]:
    """Points on the canvas with their classes. size: what the image fills of the canvas; void pixels are left out."""
    rows, columns = truth.shape
    flat = truth.ravel()
    chosen = random.integers(flat.size, size=count)
    chosen = chosen[flat[chosen] >= 0]
    places = np.stack([chosen % columns, chosen // columns], axis=1) + 0.5
    return (places * [size[0] / columns, size[1] / rows]).astype(np.float32), flat[chosen].astype(np.int64)


@dataclass(frozen=True, eq=False)
class PixelLoss:
    """Cross-entropy over classes. labels: (m,). weights: (K,) how much a class's points count, about 1."""

    labels: Ints
    weights: Floats

    def start(self) -> Floats:
        """The first biases: all classes alike."""
        return np.zeros(len(self.weights), np.float32)

    def gradient(self, outputs: Floats, rows: Ints) -> Floats:
        """(m, K) the gradient of the mean loss."""
        labels = self.labels[rows]
        delta = softmax(outputs)
        delta[np.arange(len(rows)), labels] -= 1
        return np.asarray(delta * (self.weights[labels] / np.float32(len(rows)))[:, None], np.float32)


def class_weights(labels: Ints, classes: int) -> Floats:
    """(K,) 1 / sqrt(frequency), a mean of 1 over points: rare classes count for more, and not for everything."""
    counts = np.maximum(np.bincount(labels[labels >= 0], minlength=classes), 1).astype(np.float64)
    weights = counts**-0.5
    return np.asarray(weights / (weights * counts).sum() * counts.sum(), np.float32)

"""Forms that compare a row with stored rows: nearest neighbours and kernel machines. numpy alone; see `forms.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import SavedForm, row_blocks, unit_rows
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Layout


@dataclass(frozen=True, eq=False)
class Neighbours(SavedForm):
    """Log of the weighted votes of the k stored rows nearest in cosine.

    A neighbour of similarity s votes for its class with exp((s - 1) / width) times its class's weight; every class
    holds a small vote of its own, so that no score is infinite.
    centre: (d,). stored: (m, d), of length one. labels: (m,). class_weight: (K,). k, width: numbers.
    """

    kind: ClassVar[str] = "neighbours"
    layout: ClassVar[Layout] = {
        "centre": ("f4", "d"),
        "stored": ("f4", "md"),
        "labels": ("i8", "m"),
        "class_weight": ("f4", "K"),
        "k": ("i8", ""),
        "width": ("f4", ""),
    }
    centre: Floats
    stored: Floats
    labels: Ints
    class_weight: Floats
    k: NDArray[Any]
    width: NDArray[Any]

    def __post_init__(self) -> None:
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_weight):
            raise self.error("a label lies outside the classes")
        if not 1 <= int(self.k) <= len(self.stored) or not float(self.width) > 0:
            raise self.error(f"k = {int(self.k)} and width = {float(self.width):g} are out of range")

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: log votes."""
        rows = unit_rows(X - self.centre)
        scores = np.empty((len(X), len(self.class_weight)), dtype=np.float32)
        for block in row_blocks(len(X), len(self.stored)):
            nearest, similarity = nearest_rows(rows[block], self.stored, int(self.k))
            scores[block] = votes(self.labels[nearest], similarity, self.class_weight, float(self.width))
        return scores


def nearest_rows(rows: Floats, stored: Floats, k: int) -> tuple[Ints, Floats]:
    """Indices and similarities (n, k) of the k stored rows of largest inner product, nearest first."""
    similarity = rows @ stored.T
    first = np.argpartition(similarity, -k, axis=1)[:, -k:]
    values = np.take_along_axis(similarity, first, axis=1)
    ranks = np.lexsort((first, -values), axis=1)
    return np.take_along_axis(first, ranks, axis=1), np.take_along_axis(values, ranks, axis=1)


def votes(labels: Ints, similarity: Floats, class_weight: Floats, width: float) -> Floats:
    """Log votes (n, K) of neighbours with `labels` and `similarity`, both (n, k)."""
    n, k = labels.shape
    weight = np.exp((similarity - 1) / np.float32(width)) * class_weight[labels]
    total = np.zeros((n, len(class_weight)), dtype=np.float32)
    np.add.at(total, (np.arange(n)[:, None], labels), weight)
    floor = 0.1 * weight.sum(axis=1, keepdims=True) / k + np.float32(1e-30)
    return np.log(total + floor)  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Kernel(SavedForm):
    """A support-vector machine with the kernel exp(-gamma |x - v|²), one machine for each pair of classes.

    The pairs (0, 1), (0, 2), … vote; a class's score is `scale` × (its votes + the pairs' confidences, squashed below
    a third of a vote), as in scikit-learn's one-vs-rest view of libsvm. Two classes: ∓ half the decision value.
    centre, spread: (d,), the standardisation. support: (m, d). pairs: (m, P), each vector's weight in each pair.
    bias: (P,). gamma, scale: numbers. classes: K, with P = K (K - 1) / 2.
    """

    kind: ClassVar[str] = "kernel"
    layout: ClassVar[Layout] = {
        "centre": ("f4", "d"),
        "spread": ("f4", "d"),
        "support": ("f4", "md"),
        "pairs": ("f4", "mP"),
        "bias": ("f4", "P"),
        "gamma": ("f4", ""),
        "scale": ("f4", ""),
        "classes": ("i8", ""),
    }
    centre: Floats
    spread: Floats
    support: Floats
    pairs: Floats
    bias: Floats
    gamma: NDArray[Any]
    scale: NDArray[Any]
    classes: NDArray[Any]

    def __post_init__(self) -> None:
        K = int(self.classes)
        if not 2 <= K <= 1 << 16 or len(self.bias) != K * (K - 1) // 2:
            raise self.error(f"{K} classes do not make {len(self.bias)} pairs")
        if not (self.spread > 0).all() or not float(self.gamma) > 0:
            raise self.error("its spread and gamma must be above 0")

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: votes of the pairs with their confidences, scaled."""
        rows = (X - self.centre) / self.spread
        norms = np.einsum("ij,ij->i", self.support, self.support)
        scores = np.empty((len(X), int(self.classes)), dtype=np.float32)
        for block in row_blocks(len(X), len(self.support)):
            kernel = rbf(rows[block], self.support, norms, float(self.gamma))
            scores[block] = pair_scores(kernel @ self.pairs + self.bias, int(self.classes)) * self.scale
        return scores


def rbf(rows: Floats, support: Floats, norms: Floats, gamma: float) -> Floats:
    """exp(-gamma |x - v|²) of every row with every support vector, (n, m); `norms` are the vectors' |v|²."""
    distance = rows @ support.T
    distance *= -2
    distance += norms
    distance += np.einsum("ij,ij->i", rows, rows)[:, None]
    np.maximum(distance, 0, out=distance)
    distance *= np.float32(-gamma)
    return np.exp(distance, out=distance)  # type: ignore[no-any-return]


def pair_scores(decisions: Floats, K: int) -> Floats:
    """Pairwise decisions (n, K (K - 1) / 2), positive for the first of the pair → class scores (n, K)."""
    if K == 2:
        return np.concatenate([decisions, -decisions], axis=1) * np.float32(0.5)
    won = np.zeros((len(decisions), K), dtype=np.float32)
    confidence = np.zeros_like(won)
    first, second = np.triu_indices(K, 1)
    for column, (a, b) in enumerate(zip(first, second, strict=True)):
        decision = decisions[:, column]
        won[:, a] += decision > 0
        won[:, b] += decision <= 0
        confidence[:, a] += decision
        confidence[:, b] -= decision
    confidence /= 3 * (np.abs(confidence) + 1)
    won += confidence
    return won

"""The novelty score: distance and direction from the known classes at several layers, as one number.

A layer gives a row two values (`Mahalanobis.distance_and_direction`). Each is brought to a common scale, its -log tail
probability: minus the logarithm of the share of known rows that lie as high, which goes on in a straight line above
nine tenths of them. The score is their mean: a value that is far out counts however ordinary the others are, and none
counts for more because its unit is larger. No training row is stored. Scoring needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays
from headstart.trust.novelty.mahalanobis import Mahalanobis, fit_mahalanobis

MOST_LAYERS = 3
"""How many of the last layers are used; earlier ones tell colours and textures, and lost: docs/novelty.md."""

_WHAT = "novelty score"
_VALUES = 2
_TAIL_FROM = 0.9
_KNOTS = 19
_LEAST_TAIL = 1e-4


@dataclass(frozen=True, eq=False)
class LayerScale:
    """The distribution of each value over known rows, by quantiles and an exponential tail.

    knots: (c, q), quantiles of each value on known rows, evenly from the least to that which a tenth exceeds. tails:
    (c,), by how much that tenth exceeds it in the mean; above 0.
    """

    layout: ClassVar[Layout] = {"knots": ("f4", "cq"), "tails": ("f4", "c")}
    knots: Floats
    tails: Floats

    def __post_init__(self) -> None:
        if self.knots.shape[1] < 2 or (np.diff(self.knots, axis=1) < 0).any():
            raise array_error(_WHAT, "its quantiles do not rise")
        if not self.tails.min() > 0:
            raise array_error(_WHAT, "its tails are not above 0")

    @property
    def heights(self) -> NDArray[np.float64]:
        """(q,): -log tail probability at each knot: the q-quantile has the tail probability 1 - q."""
        heights: NDArray[np.float64] = -np.log1p(-np.linspace(0, _TAIL_FROM, self.knots.shape[1]))
        return heights

    def mean_log_tail(self, values: Floats) -> Floats:
        """(n, c) → (n,): the mean over the values of -log(share of known rows that lie as high)."""
        # Above the last knot the tail is taken for exponential: -log probability rises by 1 for every mean excess.
        heights = self.heights
        log_tails = [
            np.interp(column, knots, heights) + np.maximum(column - knots[-1], 0) / tail
            for column, knots, tail in zip(values.T, self.knots, self.tails, strict=True)
        ]
        return np.mean(log_tails, axis=0).astype(np.float32)  # type: ignore[no-any-return]


def fit_scale(values: Floats) -> LayerScale:
    """The scale of values (n, c) of known rows, out of fold.

    >>> scale = fit_scale(np.linspace(0, 1, 101, dtype=np.float32)[:, None])
    >>> scale.mean_log_tail(np.array([[0.0], [0.5], [0.9], [2.0]], np.float32)).round(2).tolist()
    [0.0, 0.6899999976158142, 2.299999952316284, 22.299999237060547]
    """
    knots = np.quantile(values.astype(np.float64), np.linspace(0, _TAIL_FROM, _KNOTS), axis=0).T
    above = np.maximum(values - knots[:, -1], 0)
    tails = above.sum(axis=0) / np.maximum((above > 0).sum(axis=0), 1)
    return LayerScale(np.ascontiguousarray(knots, np.float32), np.maximum(tails, _LEAST_TAIL).astype(np.float32))


@dataclass(frozen=True, eq=False)
class ByLayer:
    """The mean -log tail probability of distance and direction over layers, 0 and up.

    layers: of the rows' columns, in order. scale: of their values, two for each layer.
    """

    kind: ClassVar[str] = "layers"
    layers: tuple[Mahalanobis, ...]
    scale: LayerScale

    def __post_init__(self) -> None:
        if len(self.scale.tails) != _VALUES * len(self.layers):
            raise array_error(
                _WHAT, f"it has {len(self.layers)} layers, and a scale for {len(self.scale.tails)} values"
            )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> ByLayer:
        """Build it from what `to_arrays` gave; `BundleError` where that is not what it needs."""
        parts: dict[str, dict[str, Any]] = {}
        for name, array in arrays.items():
            part, _, rest = name.rpartition(".")
            parts.setdefault(part, {})[rest] = array
        scale = check_arrays(_WHAT, parts.pop("", {}), LayerScale.layout)
        names = [f"layer{i}" for i in range(len(parts))]
        if set(parts) != set(names):
            raise array_error(_WHAT, f"its layers are called {', '.join(sorted(parts))}")
        return cls(tuple(Mahalanobis.of_arrays(parts[name]) for name in names), LayerScale(**scale))

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return sum(layer.width for layer in self.layers)

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        return self.scale.mean_log_tail(layer_values(self.layers, X))

    def to_arrays(self) -> Arrays:
        """The layers' arrays with the layer's number before their names, and the scale's."""
        arrays: Arrays = {"knots": self.scale.knots, "tails": self.scale.tails}
        for i, layer in enumerate(self.layers):
            arrays |= {f"layer{i}.{name}": array for name, array in layer.to_arrays().items()}
        return arrays


def fit_layers(X: Floats, labels: Ints, widths: Sequence[int]) -> tuple[Mahalanobis, ...]:
    """The known classes at each layer, from embeddings X (n, d), layers of these widths side by side."""
    return tuple(fit_mahalanobis(columns, labels) for columns in _split(X, widths))


def layer_values(layers: Sequence[Mahalanobis], X: Floats) -> Floats:
    """(n, d) → (n, c), distance and direction at each layer."""
    columns = _split(X, [layer.width for layer in layers])
    values = [layer.distance_and_direction(part) for layer, part in zip(layers, columns, strict=True)]
    return np.concatenate(values, axis=1)


def _split(X: Floats, widths: Sequence[int]) -> list[NDArray[np.float32]]:
    return [np.ascontiguousarray(columns) for columns in np.split(X, np.cumsum(widths)[:-1], axis=1)]

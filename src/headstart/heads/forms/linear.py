"""What a trained head is when it predicts: a few arrays and a formula, in numpy alone.

A *form* turns embeddings (n, d) float32 into scores (n, K) float32 whose softmax, after division by a temperature,
is a sensible probability. Estimators predict through their form, and a saved model is its form's arrays, so that
training, prediction and a loaded bundle are one computation. `from_arrays` takes nothing on trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.checks import join_words
from headstart.errors import BundleError
from headstart.heads.forms.arrays import SavedForm, centre_rows, unit_rows
from headstart.heads.forms.blend import Blend
from headstart.heads.forms.stored_rows import Kernel, Neighbours
from headstart.heads.forms.trees import Trees
from headstart.records.arrays import Floats
from headstart.storage.arrays import Arrays, Layout, check_arrays


class Form(Protocol):
    """A trained head at prediction time."""

    kind: ClassVar[str]

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32."""
        ...

    def to_arrays(self) -> Arrays:
        """The arrays that `from_arrays` takes back, by name."""
        ...


@dataclass(frozen=True, eq=False)
class Linear(SavedForm):
    """(x - centre) @ weight + bias, after a signed square root where `root` is 1.

    centre: (d,). weight: (d, K). bias: (K,). root: 0 or 1, uint8.
    """

    kind: ClassVar[str] = "linear"
    layout: ClassVar[Layout] = {
        "centre": ("f4", "d"),
        "weight": ("f4", "dK"),
        "bias": ("f4", "K"),
        "root": ("u1", ""),
    }
    centre: Floats
    weight: Floats
    bias: Floats
    root: NDArray[Any]

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: the linear function's values."""
        return centre_rows(X, self.centre, self.root) @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class Cosine(SavedForm):
    """scale × the cosine between x - centre and each class's direction.

    centre: (d,). directions: (K, d), of length one. scale: a number.
    """

    kind: ClassVar[str] = "cosine"
    layout: ClassVar[Layout] = {"centre": ("f4", "d"), "directions": ("f4", "Kd"), "scale": ("f4", "")}
    centre: Floats
    directions: Floats
    scale: NDArray[Any]

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: scaled cosines."""
        return unit_rows(X - self.centre) @ self.directions.T * self.scale  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Layered(SavedForm):
    """A perceptron with one hidden layer: relu(((x - centre) / spread) @ inner + inner_bias) @ outer + outer_bias."""

    kind: ClassVar[str] = "layered"
    layout: ClassVar[Layout] = {
        "centre": ("f4", "d"),
        "spread": ("f4", "d"),
        "inner": ("f4", "dh"),
        "inner_bias": ("f4", "h"),
        "outer": ("f4", "hK"),
        "outer_bias": ("f4", "K"),
    }
    centre: Floats
    spread: Floats
    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    def __post_init__(self) -> None:
        if not (self.spread > 0).all():
            raise self.error("its spread must be above 0")

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: the outer layer's values."""
        hidden = ((X - self.centre) / self.spread) @ self.inner + self.inner_bias
        return np.maximum(hidden, 0) @ self.outer + self.outer_bias


_KINDS: dict[str, Any] = {form.kind: form for form in (Linear, Cosine, Neighbours, Kernel, Layered, Trees, Blend)}


def form_from_arrays(kind: str, arrays: Mapping[str, Any]) -> Form:
    """Build the form of this kind from its saved arrays; `BundleError` where they are not what the kind needs."""
    if kind not in _KINDS:
        raise BundleError(
            f"the saved head is of the kind {kind!r}, and this version knows {join_words(list(_KINDS))}: "
            "the model is damaged or was written by a newer version."
        )
    form = _KINDS[kind]
    built: Form = form(**check_arrays(f"head of the kind {kind!r}", arrays, form.layout))
    return built

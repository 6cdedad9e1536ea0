"""The records that travel between rooms: frozen, made of arrays, checked once when built.

`Samples` (images with labels) → `Embeddings` (one row of numbers per image and tap) → `Predictions` → `Decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.errors import InternalError

if TYPE_CHECKING:
    from PIL.Image import Image

    ImageSource: TypeAlias = Path | Image | NDArray[Any]
else:
    ImageSource = object

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]

UNLABELLED = -1


def _require(holds: bool, promise: str) -> None:
    if not holds:
        raise InternalError(f"a record was built that breaks its promise: {promise}.")


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with their labels, in a fixed order.

    images: where each picture is: a path, a PIL image, or a uint8/uint16/float array (height, width[, 1|3|4]).
    names: what to call each in messages and tables (a relative path, or `image 17`).
    content: fingerprint of each picture's bytes (equal content, equal fingerprint).
    labels: (n,) index into `classes`; -1 where unlabelled.
    classes: class names, sorted.
    groups: (n,) rows with equal numbers belong together and never part between folds; None where every row is alone.
    splits: (n,) 'train', 'val' or 'test' for each row; None where the data came without a split.
    """

    images: tuple[ImageSource, ...]
    names: tuple[str, ...]
    content: tuple[str, ...]
    labels: Ints
    classes: tuple[str, ...]
    groups: Ints | None = None
    splits: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        _require(len(self.names) == len(self.content) == len(self.labels) == n, "one name, hash and label an image")
        _require(self.groups is None or len(self.groups) == n, "one group an image")
        _require(self.splits is None or len(self.splits) == n, "one split an image")
        _require(n == 0 or int(self.labels.max()) < len(self.classes), "labels lie within the classes")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[Any] | Sequence[int]) -> Samples:
        """The samples at `rows` (indices or a boolean mask), with the same classes."""
        index = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            images=tuple(self.images[i] for i in index),
            names=tuple(self.names[i] for i in index),
            content=tuple(self.content[i] for i in index),
            labels=self.labels[index],
            groups=None if self.groups is None else self.groups[index],
            splits=None if self.splits is None else self.splits[index],
        )

    def counts(self) -> dict[str, int]:
        """How many images each class has, in the order of `classes`."""
        found = np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist(), strict=True))

    def fingerprint(self) -> str:
        """Fingerprint of the pictures' contents with their labels, in this order."""
        labels = [self.classes[i] if i >= 0 else None for i in self.labels]
        return fingerprint.of_parts(list(self.content), labels)


@dataclass(frozen=True)
class Failure:
    """An image that could not be read: its row among the samples, its name, and why."""

    row: int
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What a backbone says of each image: pooled activations, one float32 array (n, width) a tap.

    backbone: the backbone's name.
    taps: tap name → (n, width), earliest tap first, the usual embedding last.
    rows: (n,) which of the asked images each row is (unreadable ones are left out).
    failures: the images left out.
    cached: how many rows came from the cache.
    """

    backbone: str
    taps: Mapping[str, Floats]
    rows: Ints
    failures: tuple[Failure, ...] = ()
    cached: int = 0

    def __post_init__(self) -> None:
        _require(all(len(v) == len(self.rows) for v in self.taps.values()), "one row an image in every tap")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def last(self) -> Floats:
        """The last tap's rows: what is usually called the embedding."""
        return self.taps[next(reversed(list(self.taps)))]

    def joined(self, taps: Sequence[str] | None = None) -> Floats:
        """The rows of several taps side by side (all of them by default)."""
        return np.concatenate([self.taps[name] for name in (taps or self.taps)], axis=1)

    def take(self, rows: NDArray[Any]) -> Embeddings:
        """The embeddings at these positions (indices or a boolean mask)."""
        return replace(self, taps={k: v[rows] for k, v in self.taps.items()}, rows=self.rows[rows])


@dataclass(frozen=True, eq=False)
class Drawn:
    """Images drawn from a batch. rows: (m,) their positions in it. X: (m, d) what the head looks at."""

    rows: Ints
    X: Floats


@dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities for named images.

    probabilities: (n, classes), rows sum to one.
    failures: images that could not be read; their names are not among `names`.
    novelty: (n,) how unlike the training images each is; above 1 is novel. None where the model does not watch that.
    drawn: some of them, which tell whether they come from elsewhere as a whole; None where the model does not watch
    that.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: Floats
    failures: tuple[Failure, ...] = field(default=())
    novelty: NDArray[np.float64] | None = None
    drawn: Drawn | None = field(repr=False, default=None)

    def __post_init__(self) -> None:
        shape = (len(self.names), len(self.classes))
        _require(self.probabilities.shape == shape, f"probabilities have the shape {shape}")
        _require(self.novelty is None or len(self.novelty) == len(self.names), "one novelty an image")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each image."""
        return tuple(self.classes[i] for i in self.probabilities.argmax(axis=1))

    @property
    def confidences(self) -> Floats:
        """The probability of the most probable class of each image."""
        return self.probabilities.max(axis=1)  # type: ignore[no-any-return]

    @property
    def novel(self) -> NDArray[np.bool_]:
        """Which images are unlike those that the model was trained on; none where it does not watch that."""
        return np.zeros(len(self), bool) if self.novelty is None else ~(self.novelty <= 1)


ACCEPT, REVIEW = "accept", "review"


@dataclass(frozen=True, eq=False)
class Decisions:
    """Which answers are accepted automatically, and why the others go to a person.

    accepted: (n,). reasons: for each image why it goes to review; empty where it is accepted.
    promise: what is promised of the accepted ones, or why nothing is, then what limits it. kept: whether anything is
    promised. notes: what voids the promise for these images, and what else to know of them together.
    """

    predictions: Predictions
    accepted: NDArray[np.bool_]
    reasons: tuple[str, ...]
    promise: tuple[str, ...]
    kept: bool
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(len(self.accepted) == len(self.reasons) == len(self.predictions), "one decision an image")

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def words(self) -> tuple[str, ...]:
        """'accept' or 'review' for each image."""
        return tuple(ACCEPT if each else REVIEW for each in self.accepted.tolist())

"""Two novelty scores as one: distance to the nearest class and to the nearest training row, in like units, summed.

Models of before `by_layer` hold it, and are still opened; new ones do not. numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.errors import InternalError
from headstart.records.arrays import Floats
from headstart.storage.arrays import Arrays, Layout, array_error, check_arrays
from headstart.trust.novelty.mahalanobis import Mahalanobis
from headstart.trust.novelty.nearest import NearestDistance


@dataclass(frozen=True, eq=False)
class BothDistances:
    """mahalanobis / spreads[0] + nearest / spreads[1].

    spreads: (2,), standard deviation of each score on known rows, out of fold; above 0.
    """

    kind: ClassVar[str] = "both"
    layout: ClassVar[Layout] = {**Mahalanobis.layout, **NearestDistance.layout, "spreads": ("f4", "s")}
    mahalanobis: Mahalanobis
    nearest: NearestDistance
    spreads: Floats

    def __post_init__(self) -> None:
        if self.spreads.shape != (2,) or not self.spreads.min() > 0:
            raise array_error("novelty score", "its spreads are not two numbers above 0")
        if self.mahalanobis.width != self.nearest.width:
            raise InternalError("two novelty scores of different widths were put together.")

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> BothDistances:
        """Build it from what `to_arrays` gave; `BundleError` where that is not what it needs."""
        found = check_arrays("novelty score", arrays, cls.layout)
        first = Mahalanobis(**{name: found[name] for name in Mahalanobis.layout})
        second = NearestDistance(**{name: found[name] for name in NearestDistance.layout})
        return cls(first, second, found["spreads"])

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return self.nearest.width

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        first, second = self.spreads
        return self.mahalanobis.score(X) / first + self.nearest.score(X) / second  # type: ignore[no-any-return]

    def to_arrays(self) -> Arrays:
        """The arrays of both parts, by name."""
        return {**self.mahalanobis.to_arrays(), **self.nearest.to_arrays(), "spreads": self.spreads}

"""Two novelty scores as one: distance to the nearest class and to the nearest training row, in like units, summed.

On left-out classes the sum had a higher mean AUROC than picking one of the two from the classes at hand. numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.errors import InternalError
from headstart.records import Floats
from headstart.trust.arrays import Arrays, Layout, refuse
from headstart.trust.mahalanobis import Mahalanobis
from headstart.trust.nearest import NearestDistance


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
            raise refuse("novelty score", "its spreads are not two numbers above 0")
        if self.mahalanobis.width != self.nearest.width:
            raise InternalError("two novelty scores of different widths were put together.")

    @classmethod
    def of_arrays(cls, **arrays: Any) -> BothDistances:
        """Build it from the arrays of `layout`."""
        first = Mahalanobis(**{name: arrays[name] for name in Mahalanobis.layout})
        second = NearestDistance(**{name: arrays[name] for name in NearestDistance.layout})
        return cls(first, second, arrays["spreads"])

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return self.nearest.width

    def score(self, X: Floats) -> Floats:
        """(n, d) → (n,), higher = more novel."""
        return summed(self.mahalanobis.score(X), self.nearest.score(X), self.spreads)

    def to_arrays(self) -> Arrays:
        """The arrays of both parts, by name."""
        return {**self.mahalanobis.to_arrays(), **self.nearest.to_arrays(), "spreads": self.spreads}


def summed(mahalanobis: Floats, nearest: Floats, spreads: Floats) -> Floats:
    """Both scores (n,) in units of their spreads, added."""
    return mahalanobis / spreads[0] + nearest / spreads[1]  # type: ignore[no-any-return]

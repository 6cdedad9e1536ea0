"""One line of a learning curve: the accuracies measured at rising numbers of labels, and the law fitted to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart.choose.curves.fit import CurvePoint, LearningCurve
    from headstart.metrics.intervals import Estimate


@dataclass(frozen=True, eq=False)
class Series:
    """One line of the plot.

    name: 'pretrained', 'random' or 'from scratch'. features: what the head looks at, or the network. measured: the
    accuracies with what is known of their errors. curve: fitted to them, None where there are too few sizes.
    """

    name: str
    features: str
    measured: CurvePoint
    curve: LearningCurve | None

    @property
    def points(self) -> tuple[Estimate, ...]:
        """The accuracies, each with its 95 % interval."""
        return self.measured.estimates()

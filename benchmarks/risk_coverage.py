"""The risk–coverage curve: the share of errors among the accepted predictions, for every share of images accepted.

Takes confidences and whether each prediction was right; gives the curve and its area. It guarantees nothing for new
images: `trust.triage.thresholds` does. Rows of equal confidence count as if accepted in random order, so the order of
rows is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.metrics.intervals import Reals
from headstart.trust.triage.fixed_sequence import Flags


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Selective risk at every coverage, most confident predictions first.

    coverage: (n,) 1/n to 1. risk: (n,) share of errors among the accepted. area: the mean risk over coverages (AURC).
    excess_area: by how much it exceeds that of confidences which put every error last (E-AURC), 0 where they do.
    """

    coverage: Reals
    risk: Reals
    area: float
    excess_area: float

    def points(self, count: int = 100) -> tuple[tuple[float, float], ...]:
        """At most `count` points (coverage, risk), evenly along the curve, its last one among them."""
        chosen = np.unique(np.linspace(0, len(self.risk) - 1, min(count, len(self.risk))).round().astype(np.int64))
        return tuple((float(self.coverage[i]), float(self.risk[i])) for i in chosen)


def risk_coverage(confidence: NDArray[Any], correct: Flags) -> RiskCoverage:
    """The curve of these predictions: Geifman, Uziel, El-Yaniv 2019 (ICLR), section 3, for AURC and E-AURC.

    confidence: (n,) higher is surer. correct: (n,). Raises `DataError` without rows.

    >>> curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]))
    >>> curve.risk.round(3).tolist(), round(curve.area, 4), round(curve.excess_area, 4)
    ([0.0, 0.0, 0.333, 0.25], 0.1458, 0.0833)
    """
    if len(confidence) == 0 or len(confidence) != len(correct):
        raise DataError(
            f"a risk–coverage curve needs one confidence and one verdict a prediction; found {len(confidence)} and "
            f"{len(correct)}."
        )
    _, block, sizes = np.unique(-np.asarray(confidence, np.float64), return_inverse=True, return_counts=True)
    wrong = ~np.asarray(correct, bool)
    shares = np.bincount(block, weights=wrong) / sizes
    risk = _running(np.repeat(shares, sizes))
    best = _running(np.sort(wrong).astype(np.float64))
    coverage = np.arange(1, len(risk) + 1) / len(risk)
    return RiskCoverage(coverage, risk, float(risk.mean()), max(float(risk.mean() - best.mean()), 0.0))


def _running(errors: Reals) -> Reals:
    return np.cumsum(errors) / np.arange(1, len(errors) + 1)

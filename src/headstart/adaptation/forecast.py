"""What accuracy to expect on a target without labels, with a band that is honest.

Confidences were 20 to 40 points too high on real shifts, temperature-scaled or not; how often the source's head agrees
with the adapted answers was nearly free of bias (docs/evidence/adapt.md; the idea is that of Jiang et al. 2022,
"Assessing generalization of SGD via disagreement"). The bands are wide because narrower ones held less often than nine
times of ten.
"""

from __future__ import annotations

from headstart.adaptation.choice import ADAPTED, SAME_DOMAIN, Choice
from headstart.metrics.intervals import Estimate

BAND, ADAPTED_BAND = 0.19, 0.23
_SLOPE = 0.85
_OFFSET, _GAIN = -0.38, 1.17
"""By least squares on 38 adapted development pairs, nine of ten of which lay within the band."""


def expected_before(choice: Choice, source_accuracy: float) -> Estimate:
    """The accuracy to expect of the source's head on the target; in the same domain that on the source."""
    if choice.verdict == SAME_DOMAIN or choice.agreement is None:
        return _band(source_accuracy, BAND / 2)
    return _band(min(_SLOPE * choice.agreement, source_accuracy), BAND)


def expected_after(choice: Choice) -> Estimate | None:
    """The accuracy to expect of the adapted answers; None where nothing was adapted."""
    if choice.verdict != ADAPTED or choice.harmony is None:
        return None
    return _band(_OFFSET + _GAIN * choice.harmony, ADAPTED_BAND)


def _band(value: float, half: float) -> Estimate:
    value = min(max(value, 0.0), 1.0)
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Estimate(value, low, high, "accuracy", confidence=0.9, method="agreement, without labels")

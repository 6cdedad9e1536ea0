"""Area under the ROC curve: how well a score puts the rows of one kind above those of another.

Takes the scores of both kinds; gives the share of pairs that are ordered rightly. No threshold, no interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def auroc(low: NDArray[Any], high: NDArray[Any]) -> float:
    """Share of the pairs in which a value of `high` exceeds one of `low`; ties count half (Mann and Whitney 1947).

    low: (m,), high: (n,), neither empty. 0.5 is guessing, 1 is perfect.

    >>> auroc(np.array([0.1, 0.4]), np.array([0.4, 0.9]))
    0.875
    """
    ordered = np.sort(low)
    below, up_to = np.searchsorted(ordered, high, "left"), np.searchsorted(ordered, high, "right")
    return float((below + up_to).sum() / (2 * len(low) * len(high)))

"""Area under the ROC curve: how well a score ranks the rows of one kind above those of another.

Takes scores; gives the share of pairs that are ordered rightly. No threshold, no interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.intervals import Reals


def auroc(low: NDArray[Any], high: NDArray[Any]) -> float:
    """Share of the pairs in which a value of `high` exceeds one of `low`; ties count half (Mann and Whitney 1947).

    low: (m,), high: (n,), neither empty. 0.5 is guessing, 1 is perfect.

    >>> auroc(np.array([0.1, 0.4]), np.array([0.4, 0.9]))
    0.875
    """
    positive = np.repeat([False, True], [len(low), len(high)])
    return float(aurocs(np.concatenate([low, high])[None], positive[None])[0])


def aurocs(scores: NDArray[Any], positive: NDArray[np.bool_]) -> Reals:
    """(repeats,): for each row of scores (repeats, n) the AUROC of the columns marked `positive` (repeats, n)."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=1)  # ties get their mean rank
    count = positive.sum(axis=1)
    # Mann and Whitney's U: the positives' rank sum less the least that it can be, k (k + 1) / 2; divided by all pairs.
    above = (ranks * positive).sum(axis=1) - count * (count + 1) / 2
    return above / (count * (positive.shape[1] - count))  # type: ignore[no-any-return]

"""Labels that are probably wrong: confident learning (Northcutt, Jiang, Chuang 2021) on out-of-fold probabilities.

`mislabels` takes labels and probabilities of images that the model was not trained on; it returns the rows whose label
is doubtful, most doubtful first, with the class that the model would give. It trains nothing. It needs the library
cleanlab (the extra `audit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.errors import MissingExtra
from headstart.records.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """rows: (m,) doubtful rows, most doubtful first. suggested: (m,) the class of each that the model would give.

    quality: (m,) the probability that the model gives to the label as it is: the lower, the more doubtful.
    """

    rows: Ints
    suggested: Ints
    quality: Floats

    def __len__(self) -> int:
        return len(self.rows)


def find_label_issues(labels: Ints, probabilities: Floats) -> LabelIssues:
    """The rows whose label is probably wrong.

    labels: (n,) 0..K-1. probabilities: (n, K), out of fold, rows sum to one. Raises `MissingExtra` without cleanlab.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise MissingExtra("finding wrong labels", "audit", error.name or "cleanlab") from error
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    rows = np.asarray(
        find_label_issues(
            labels=labels,
            pred_probs=exact,
            # How many: by the confident joint; which: those least believed. More of what this lists is wrong than of
            # what cleanlab's default lists (benchmarks/audit.py).
            filter_by="low_self_confidence",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
            verbose=False,
        ),
        dtype=np.int64,
    )
    quality = exact[rows, labels[rows]].astype(np.float32)
    return LabelIssues(rows, exact[rows].argmax(axis=1).astype(np.int64), quality)

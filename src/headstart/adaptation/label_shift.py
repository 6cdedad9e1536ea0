"""Label shift: the classes' shares in the target from predictions, and answers corrected for them.

BBSE (Lipton, Wang and Smola 2018, https://arxiv.org/abs/1802.03916): with C the joint table of predicted and true
classes in the source and q the predicted shares in the target, the ratios w of the shares solve C w = q. It assumes
that within a class nothing has changed, so it is asked of answers that were standardised per domain. Told to the user,
and used as a remedy only where it is named: on images that look different it mistook covariate shift for label shift
and cost 8 to 11 points (docs/evidence/adapt.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.adaptation.domains import Tables
from headstart.records.arrays import Ints

Reals = NDArray[np.float64]


def estimate_shares(labels: Ints, predicted: Ints, answers: Ints, classes: int) -> Reals:
    """(K,): the classes' shares in the target.

    labels: (n,) the source's. predicted: (n,) the source's predictions, out of fold. answers: (m,) the target's. Solved
    by least squares with w ≥ 0, which is all that a small or singular table allows.

    >>> truth, out_of_fold = np.array([0] * 50 + [1] * 50), np.array([0] * 45 + [1] * 50 + [0] * 5)
    >>> estimate_shares(truth, out_of_fold, np.array([0] * 82 + [1] * 18), 2).round(2).tolist()
    [0.9, 0.1]
    """
    from scipy.optimize import nnls

    joint = np.zeros((classes, classes))
    np.add.at(joint, (predicted, labels), 1 / len(labels))
    ratios, _ = nnls(joint, np.bincount(answers, minlength=classes) / len(answers))
    shares = ratios * np.bincount(labels, minlength=classes) / len(labels)
    total = shares.sum()
    return shares / total if total > 0 else np.full(classes, 1 / classes)


def correct_shares(table: Tables, before: Reals, after: Reals) -> Tables:
    """(m, K): probabilities that were learnt under the shares `before`, for the shares `after` (Bayes).

    >>> correct_shares(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.9, 0.1])).round(2).tolist()
    [[0.9, 0.1]]
    """
    weighed = table * (np.maximum(after, 1e-6) / np.maximum(before, 1e-6))
    corrected: Tables = weighed / weighed.sum(axis=1, keepdims=True)
    return corrected

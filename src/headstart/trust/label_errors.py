"""Label issues by confident learning, from out-of-fold probabilities: which labels are probably wrong.

`find_label_issues` takes labels and class probabilities of images by models that were not trained on them; it returns
the rows with a label issue, the least believed label first, with the class that the model predicts. It trains nothing.

The method is that of Northcutt, Jiang, Chuang 2021, *Confident learning: estimating uncertainty in dataset labels*
(JAIR 70): the confident joint tells how many labels are wrong, and the labels with the lowest self-confidence are
taken. More of what this lists is wrong than of what pruning by class or by noise rate lists (benchmarks/audit.py). The
results are those of the authors' library cleanlab, which the tests compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.intervals import Reals
from headstart.records.arrays import Floats, Ints

_EPSILON = 1e-6
"""Probabilities that differ by less count as equal."""
_UNREACHABLE = 2.0
"""The threshold of a class that no image is labelled with: above every probability."""


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """rows: (m,) rows with a label issue, the least believed label first. suggested: (m,) the predicted class of each.

    quality: (m,) the self-confidence: the predicted probability of the label as it is; the lower, the more suspect.
    """

    rows: Ints
    suggested: Ints
    quality: Floats

    def __len__(self) -> int:
        return len(self.rows)


def find_label_issues(labels: Ints, probabilities: Floats) -> LabelIssues:
    """The rows whose label is probably wrong.

    labels: (n,) class numbers 0..K-1. probabilities: (n, K), out of fold; brought to sum one a row in float64.

    >>> labels = np.array([0, 0, 0, 1, 1, 1])
    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    >>> issues = find_label_issues(labels, probabilities)
    >>> issues.rows.tolist(), issues.suggested.tolist(), issues.quality.round(1).tolist()
    ([2], [1], [0.10000000149011612])
    """
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    self_confidence = exact[np.arange(len(labels)), labels]
    count = int(confident_disagreements(labels, exact).sum())
    lowest = np.sort(np.argsort(self_confidence)[:count])
    rows = lowest[np.argsort(self_confidence[lowest])]
    return LabelIssues(rows, exact[rows].argmax(axis=1), self_confidence[rows].astype(np.float32))


def confident_disagreements(labels: Ints, probabilities: Reals) -> NDArray[np.bool_]:
    """Which rows lie off the diagonal of the confident joint and are predicted to be of another class, (n,).

    labels: (n,). probabilities: (n, K), rows sum to one. An image counts for the true class j where p_j ≥ t_j
    (equation 1 of the paper); where that holds for several classes, for the most probable class of all.
    """
    confident = probabilities >= class_thresholds(labels, probabilities) - _EPSILON
    predicted = probabilities.argmax(axis=1)
    true = np.where(confident.sum(axis=1) > 1, predicted, confident.argmax(axis=1))
    off_diagonal = confident.any(axis=1) & (true != labels)
    # A label within epsilon of the most probable class is no disagreement.
    favoured = probabilities.copy()
    favoured[np.arange(len(labels)), labels] += _EPSILON
    return off_diagonal & (favoured.argmax(axis=1) != labels)  # type: ignore[no-any-return]


def class_thresholds(labels: Ints, probabilities: Reals) -> Reals:
    """t_j, (K,): the mean self-confidence of the images labelled j (equation 2), at least twice epsilon."""
    thresholds = np.full(probabilities.shape[1], _UNREACHABLE)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    return np.maximum(thresholds, 2 * _EPSILON)  # type: ignore[no-any-return]

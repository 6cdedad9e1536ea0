"""Class-balanced self-training: the surest answers of every class become labels, in rounds (CBST, Zou et al. 2018).

A growing share of the images predicted as each class, the surest first, joins the labelled ones, which count three
times. No class is asked for more images than are predicted as it, so other class shares in the pool are followed, not
levelled. https://arxiv.org/abs/1810.07911
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.adaptation.domains import Tables
from headstart.adaptation.softmax import answers, fit_softmax, one_hot
from headstart.records.arrays import Floats, Ints

ROUNDS = (0.3, 0.5, 0.7)
"""The share of each predicted class that joins, round by round."""
LABELLED_WEIGHT = 3.0
"""What a labelled row counts for beside one that joined."""


def surest(table: Tables, share: float) -> Ints:
    """The rows of `table` (m, K) among the surest `share` of those that are predicted as their class, at least one."""
    predicted, confidence = table.argmax(axis=1), table.max(axis=1)
    chosen = []
    for label in np.unique(predicted):
        members = np.flatnonzero(predicted == label)
        count = max(1, int(np.floor(share * len(members))))
        chosen.append(members[np.argsort(-confidence[members], kind="stable")[:count]])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def self_train(
    source: Floats,
    labels: Ints,
    target: Floats,
    classes: int,
    *,
    begin: Tables | None = None,
    ridge: float = 0.05,
    rounds: tuple[float, ...] = ROUNDS,
) -> NDArray[np.float64]:
    """Weights (r + 1, K) of a softmax head after the rounds.

    source: (n, r) with labels (n,). target: (m, r). begin: (m, K) the first answers; by default those of a head on the
    source.
    """
    known = one_hot(labels, classes)
    weights = fit_softmax(source, known, ridge=ridge)
    table = answers(target, weights) if begin is None else begin
    for share in rounds:
        rows = surest(table, share)
        joined = one_hot(table[rows].argmax(axis=1), classes)
        weights = fit_softmax(
            np.concatenate([source, target[rows]]),
            np.concatenate([known, joined]),
            ridge=ridge,
            weights=np.repeat([LABELLED_WEIGHT, 1.0], [len(source), len(rows)]),
            start=weights,
        )
        table = answers(target, weights)
    return weights

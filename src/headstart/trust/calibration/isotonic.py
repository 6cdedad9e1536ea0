"""From scores to the share that is right at them, by isotonic regression: it rises with the score, and nothing else.

Pool adjacent violators (Ayer et al. 1955; Zadrozny & Elkan 2002 for calibration), over runs of equally many scores, so
that no step rests on a handful of answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.intervals import Reals

FEWEST = 30
"""Scores that a step rests on, where there are so many."""


@dataclass(frozen=True, eq=False)
class Steps:
    """limits: (b,) ascending, the least score of each step. shares: (b,) the share right there, ascending, 0 to 1.

    >>> Steps(np.array([0.0, 0.5]), np.array([0.2, 0.9])).at(np.array([0.1, 0.5, 0.8])).tolist()
    [0.2, 0.9, 0.9]
    """

    limits: Reals
    shares: Reals

    def at(self, scores: NDArray[Any]) -> Reals:
        """(m,) the share right at scores (m,); below the least limit the first step's."""
        if not len(self.limits):
            return np.zeros(len(scores))
        place = np.searchsorted(self.limits, scores, side="right") - 1
        return np.asarray(self.shares[np.maximum(place, 0)], np.float64)


def fit_steps(scores: NDArray[Any], right: NDArray[Any], *, fewest: int = FEWEST) -> Steps:
    """The steps of scores (m,) whose answers were right or not (m,); none where there are no scores.

    >>> fit_steps(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 1, 0, 1]), fewest=1).shares.tolist()
    [0.0, 0.5, 1.0]
    """
    if not len(scores):
        return Steps(np.zeros(0), np.zeros(0))
    order = np.argsort(scores, kind="stable")
    values, counts = np.unique(np.asarray(scores, np.float64)[order], return_counts=True)
    hits = np.add.reduceat(np.asarray(right, np.float64)[order], np.cumsum(counts) - counts)
    blocks: list[list[float]] = []  # least score, answers, right ones
    for value, count, hit in zip(values.tolist(), counts.tolist(), hits.tolist(), strict=True):
        if blocks and blocks[-1][1] < fewest:
            blocks[-1][1:] = [blocks[-1][1] + count, blocks[-1][2] + hit]
        else:
            blocks.append([value, count, hit])
    if len(blocks) > 1 and blocks[-1][1] < fewest:  # what is left over belongs to the step before
        _, count, hit = blocks.pop()
        blocks[-1][1:] = [blocks[-1][1] + count, blocks[-1][2] + hit]
    return _pool(blocks)


def _pool(blocks: list[list[float]]) -> Steps:
    """Neighbours whose shares fall are joined, until none falls."""
    steps: list[list[float]] = []
    for block in blocks:
        steps.append(list(block))
        while len(steps) > 1 and steps[-2][2] * steps[-1][1] >= steps[-1][2] * steps[-2][1]:
            _, count, hit = steps.pop()
            steps[-1][1:] = [steps[-1][1] + count, steps[-1][2] + hit]
    table = np.array(steps)
    return Steps(table[:, 0], table[:, 2] / table[:, 1])

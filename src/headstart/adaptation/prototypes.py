"""Prototypes: the target's own class means, found by going back and forth between means and answers.

As SHOT labels its target (Liang, Hu and Feng 2020, equations 4 to 6, https://arxiv.org/abs/2002.08546): means weighted
by the present answers, then the nearest mean by cosine, twice.
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Tables
from headstart.heads.forms.arrays import unit_rows
from headstart.records.arrays import Floats

_SHARPNESS = 10.0
"""Cosines become probabilities by softmax(10 × cosine)."""


def assign_prototypes(target: Floats, answers: Tables, *, rounds: int = 2) -> Tables:
    """(m, K): the answers of the nearest class mean. target: (m, r). answers: (m, K) to begin with."""
    units = unit_rows(target.astype(np.float32)).astype(np.float64)
    table = answers
    for _ in range(rounds):
        means = table.T @ units
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        scores = _SHARPNESS * (units @ means.T)
        table = np.exp(scores - scores.max(axis=1, keepdims=True))
        table /= table.sum(axis=1, keepdims=True)
    return table

"""Label propagation on the joint graph of both domains (Zhou et al. 2004, "Learning with local and global
consistency").

Labels flow from the source's rows along nearest neighbours to the target's: with S the normalised graph and Y the
labels, F = (1 - α) Σ (αS)ᵗ Y, by iteration.
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Tables
from headstart.adaptation.graph import symmetric_graph
from headstart.adaptation.softmax import one_hot
from headstart.records.arrays import Floats, Ints

ALPHA = 0.8
"""The share that comes from neighbours at each step."""
_STEPS = 40
"""0.8⁴⁰ ≈ 10⁻⁴: what longer walks would add."""


def propagate_labels(source: Floats, labels: Ints, target: Floats, classes: int, *, alpha: float = ALPHA) -> Tables:
    """(m, K): what the target's rows receive, normalised; a row that is not reached gets the source's class shares.

    source: (n, r). labels: (n,). target: (m, r), in the same space.
    """
    graph = symmetric_graph(np.concatenate([source, target]))
    sizes = np.maximum(np.bincount(labels, minlength=classes), 1)
    begin = np.concatenate([one_hot(labels, classes), np.zeros((len(target), classes))])
    flow = begin.copy()
    for _ in range(_STEPS):
        flow = alpha * (graph @ flow) + (1 - alpha) * begin
    shares = sizes / sizes.sum()
    received = flow[len(source) :] + 1e-9 * shares
    table: Tables = received / received.sum(axis=1, keepdims=True)
    return table

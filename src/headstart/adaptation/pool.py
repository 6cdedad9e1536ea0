"""Labelled rows and a pool of unlabelled ones of the same kind: a head that the pool's surest answers have helped to
train.

`train_with_pool` standardises both together, turns them onto common axes and self-trains; `familiar` leaves out what no
labelled row is like, as an unknown class would be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.adaptation.domains import Domains, Space, joint
from headstart.adaptation.self_training import self_train
from headstart.heads.forms.arrays import unit_rows
from headstart.heads.forms.linear import Linear
from headstart.records.arrays import Floats, Ints

_STRANGE = 0.02
"""The share of labelled rows that are themselves farther from their nearest than a pool row may be."""
_MARGIN = 0.05
"""In cosine: few labelled rows lie farther apart than many would."""


def train_with_pool(rows: Floats, labels: Ints, pool: Floats, classes: int, *, ridge: float) -> Linear:
    """The head on raw rows. rows: (n, d), labels: (n,). pool: (m, d)."""
    domains = Domains(rows, labels, pool, classes)
    space = joint(domains)
    known = familiar(space)
    if known.sum() < classes:
        known = np.ones(len(pool), bool)
    return space.form(self_train(space.source, labels, space.target[known], classes, ridge=ridge))


def familiar(space: Space) -> NDArray[np.bool_]:
    """(m,): which rows of the pool have a labelled row about as near as labelled rows have each other."""
    ours, theirs = unit_rows(space.source), unit_rows(space.target)
    within = ours @ ours.T
    np.fill_diagonal(within, -np.inf)
    least = float(np.quantile(within.max(axis=1), _STRANGE)) - _MARGIN
    return (theirs @ ours.T).max(axis=1) >= least  # type: ignore[no-any-return]

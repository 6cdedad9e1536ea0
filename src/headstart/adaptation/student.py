"""From answers on a batch to a head for new images: a linear head that learns the source's labels and the taken
answers.

A vote and a walk on a graph are of the images they saw. The student sees the source's labelled rows and the target's
rows with their soft answers, each domain standardised by itself, and is an ordinary linear head on raw target rows.
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Domains, Tables, apart
from headstart.adaptation.softmax import answers, fit_softmax, one_hot
from headstart.heads.forms.linear import Linear
from headstart.records.arrays import Floats, Ints

_RIDGE = 0.02
_SOURCE_WEIGHT = 0.3
"""The source's mass beside the target's."""
_LABEL_WEIGHT = 3.0


def teach(
    domains: Domains, table: Tables, *, labelled: tuple[Ints, Ints] | None = None, axes: Floats | None = None
) -> tuple[Linear, Tables]:
    """The head, and its probabilities (m, K) on the target.

    table: (m, K) the answers to learn. labelled: target rows with labels, and their class numbers; they replace the
    answers and count three times. axes: (d, r) of a space of these domains, as the votes looked at it.
    """
    targets, mass = table.copy(), np.ones(len(table))
    if labelled is not None:
        targets[labelled[0]] = one_hot(labelled[1], domains.classes)
        mass[labelled[0]] = _LABEL_WEIGHT
    # the source stands in the shares that the answers have, as the target does
    space = apart(domains, shares=np.maximum(targets.mean(axis=0), 1e-3), axes=axes)
    source = np.full(len(domains.source), _SOURCE_WEIGHT * mass.sum() / len(domains.source))
    weights = fit_softmax(
        np.concatenate([space.source, space.target]),
        np.concatenate([one_hot(domains.labels, domains.classes), targets]),
        ridge=_RIDGE,
        weights=np.concatenate([source, mass]),
    )
    return space.form(weights), answers(space.target, weights)

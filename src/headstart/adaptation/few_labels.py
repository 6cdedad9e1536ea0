"""A few labels of the target: fitted jointly with the source's, then self-trained, and measured by leaving them out.

`answer_with_labels` gives answers for the whole target; `cross_fitted` answers for the labelled rows by fits that have
not seen them, which is the only honest number there is.
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Domains, Tables, apart
from headstart.adaptation.self_training import LABELLED_WEIGHT, surest
from headstart.adaptation.softmax import answers, fit_softmax, one_hot
from headstart.records.arrays import Ints

FOLDS = 5
_RIDGE = 0.05
_JOINED = 0.7


def answer_with_labels(domains: Domains, begin: Tables, rows: Ints, labels: Ints) -> Tables:
    """(m, K): the target's answers. begin: (m, K), without these labels. rows: of the target, with labels."""
    space, classes = apart(domains), domains.classes
    source = one_hot(domains.labels, classes)
    # The source's rows together weigh as three times the labelled ones, so that few labels are heard among many.
    mass = [np.full(len(source), 3.0 * max(len(rows), classes) / len(source)), np.ones(len(rows))]
    weights = fit_softmax(
        np.concatenate([space.source, space.target[rows]]),
        np.concatenate([source, one_hot(labels, classes)]),
        ridge=_RIDGE,
        weights=np.concatenate(mass),
    )
    table = (answers(space.target, weights) + begin) / 2
    table[rows] = one_hot(labels, classes)
    joined = surest(table, _JOINED)
    weights = fit_softmax(
        np.concatenate([space.source, space.target[rows], space.target[joined]]),
        np.concatenate([source, one_hot(labels, classes), one_hot(table[joined].argmax(axis=1), classes)]),
        ridge=_RIDGE,
        weights=np.concatenate([*mass, np.full(len(joined), mass[0].sum() / LABELLED_WEIGHT / len(joined))]),
        start=weights,
    )
    return (answers(space.target, weights) + begin) / 2


def cross_fitted(domains: Domains, begin: Tables, rows: Ints, labels: Ints, *, seed: int = 0) -> Tables:
    """(labelled, K): answers for the labelled rows, each by a fit without its fold."""
    folds = np.random.default_rng(seed).permutation(len(rows)) % min(FOLDS, len(rows))
    table = np.zeros((len(rows), domains.classes))
    for fold in np.unique(folds):
        held = folds == fold
        table[held] = answer_with_labels(domains, begin, rows[~held], labels[~held])[rows[held]]
    return table

"""The way back: how well a head that learnt the target's answers does on the source, whose labels are known.

Reverse validation (Zhong et al. 2010, "Cross validation framework to choose amongst models and data sets for transfer
learning"): right answers teach a head that is right on the source too, wrong ones do not. It was no guide to which of
many ways is best; it is asked here whether a vote teaches better than the source's own head, under shares that the
head itself predicts. Answers forced into the source's shares would return to it whether they are right or not.
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Domains, Space, Tables
from headstart.adaptation.softmax import answers, fit_softmax, one_hot

_RIDGE = 0.2


def reverse_accuracy(domains: Domains, space: Space, table: Tables) -> float:
    """The source's accuracy, each class alike, by a head that learnt the target's answers alone, 0 to 1.

    space: both domains standardised apart. table: (m, K), of which the most probable class is learnt.
    """
    taught = fit_softmax(space.target, one_hot(table.argmax(axis=1), domains.classes), ridge=_RIDGE)
    right = answers(space.source, taught).argmax(axis=1) == domains.labels
    return float(np.mean([right[domains.labels == label].mean() for label in np.unique(domains.labels)]))

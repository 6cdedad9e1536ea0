"""Whether to adapt, without one label of the target: a gate, then two signs that can be seen without labels.

Nothing is done where a classifier cannot tell the domains apart. Else the vote is taken only where images of the target
that look alike agree more on its answers than on those of the source's head: by a clear step of plain agreement between
neighbours the cautious mean of all votes; by a very clear step of agreement beyond chance (Cohen 1960), which a head
that has collapsed into few classes cannot feign, the revised vote. Thresholds were set on dogs and rice leaves under
drawn styles, with natural and with shifted class shares; docs/evidence/adapt.md says how they held elsewhere. It never
looks at a label of the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.adaptation.distance import DomainDistance
from headstart.adaptation.domains import Domains, Tables
from headstart.adaptation.graph import consistency, neighbours
from headstart.adaptation.vote import SAME, SAME_REVISED, Votes, cast_votes
from headstart.records.arrays import Floats, Ints

APART = 0.70
"""The domain accuracy below which two domains count as one; chance is 0.5, real shifts were 0.93 to 1.00."""
STEP = 0.06
"""The step of neighbours' agreement from which on the cautious vote is taken."""
CLEAR_STEP = 0.20
"""The step of agreement beyond chance from which on the revised vote is taken."""
_LEAST_CLASSES = 3
"""Of two classes agreement beyond chance hangs on few images, and misled on solar cells."""
SAME_DOMAIN, ADAPTED, UNSURE = "same domain", "adapted", "unsure"


@dataclass(frozen=True, eq=False)
class Choice:
    """What to do.

    verdict: 'same domain', 'adapted' or 'unsure' (the domains differ, but that adapting helps cannot be seen).
    table: (m, K) the answers to be taken; the source's head's own, but where the verdict is 'adapted'. distance: how
    well the domains are told apart. agreement: the share of images on which the source's head and the vote under its
    own shares agree; harmony: how well the votes agree with each other; both None in the same domain. before, after:
    the neighbours' agreement on the answers of the source's head and of the vote.
    """

    verdict: str
    table: Tables
    distance: DomainDistance
    agreement: float | None = None
    harmony: float | None = None
    before: float | None = None
    after: float | None = None
    votes: Votes | None = None

    @property
    def axes(self) -> Floats | None:
        """(d, r): the axes that the votes looked at; None where there was no vote."""
        return None if self.votes is None else self.votes.space.axes


def choose(domains: Domains, source_only: Tables, distance: DomainDistance) -> Choice:
    """Adapt or not. source_only: (m, K) probabilities of the target by the source's own head."""
    if distance.accuracy.value < APART:
        return Choice(SAME_DOMAIN, source_only, distance)
    votes = cast_votes(domains, source_only)
    nearest, _ = neighbours(votes.space.target)
    mine, theirs = source_only.argmax(axis=1), votes.mean.argmax(axis=1)
    before, after = consistency(nearest, mine), consistency(nearest, theirs)
    clear = beyond_chance(nearest, theirs) - beyond_chance(nearest, mine) >= CLEAR_STEP
    if clear and domains.classes >= _LEAST_CLASSES:
        verdict, table = ADAPTED, votes.tables[SAME_REVISED]
    elif after - before >= STEP:
        verdict, table = ADAPTED, votes.mean
    else:
        verdict, table = UNSURE, source_only
    agreement = float((mine == votes.tables[SAME].argmax(axis=1)).mean())
    return Choice(verdict, table, distance, agreement, votes.harmony, before, after, votes)


def beyond_chance(nearest: Ints, answers: NDArray[np.int64]) -> float:
    """Neighbours' agreement beyond what answers in these shares would reach by chance: (c - Σ p²) / (1 - Σ p²).

    nearest: (m, k). answers: (m,). 0 where all answers are one class.
    """
    shares = np.bincount(answers) / len(answers)
    chance = float((shares**2).sum())
    return (consistency(nearest, answers) - chance) / (1 - chance) if chance < 1 else 0.0

"""Whether to adapt, without one label of the target: a gate, then signs that can be seen without labels.

Nothing is done where a classifier cannot tell the domains apart. Else the vote is taken only where one of two signs
speaks for it. Images of the target that look alike agree more on its answers than on those of the source's head: by a
clear step of plain agreement between neighbours, or by a very clear one of agreement beyond chance (Cohen 1960), which
a head that has collapsed into few classes cannot feign. Or the way back: a head that learns the vote's answers does on
the source at least as well as one that learns those of the source's head, and the two differ on many images. Thresholds
were set on development pairs; docs/evidence/adapt.md says on which, and how they held elsewhere. It never looks at a
label of the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.adaptation.distance import DomainDistance
from headstart.adaptation.domains import Domains, Tables
from headstart.adaptation.graph import consistency, neighbours
from headstart.adaptation.reverse import reverse_accuracy
from headstart.adaptation.vote import PREDICTED_REVISED, SAME, SAME_REVISED, Votes, cast_votes
from headstart.records.arrays import Floats, Ints

APART = 0.70
"""The domain accuracy below which two domains count as one; chance is 0.5, real shifts were 0.93 to 1.00."""
STEP = 0.06
"""The step of neighbours' agreement from which on a vote is taken."""
CLEAR_STEP = 0.20
"""The step of agreement beyond chance from which on the revised vote is taken."""
LARGEST_FALL = 0.03
"""How much worse the way back may be where neighbours agree more."""
MOST_AGREEMENT = 0.85
"""The agreement of head and vote up to which the way back alone is a sign: where they differ little, little is won."""
_LEAST_CLASSES = 3
"""Of two classes every sign but the plain step hangs on few images, and misled on solar cells."""
SAME_DOMAIN, ADAPTED, UNSURE = "same domain", "adapted", "unsure"


@dataclass(frozen=True, eq=False)
class Choice:
    """What to do.

    verdict: 'same domain', 'adapted' or 'unsure' (the domains differ, but that adapting helps cannot be seen).
    table: (m, K) the answers to be taken; the source's head's own, but where the verdict is 'adapted'. distance: how
    well the domains are told apart. agreement: the share of images on which the source's head and the vote under its
    own shares agree; harmony: how well the votes agree with each other; both None in the same domain. before, after:
    the neighbours' agreement on the answers of the source's head and of the vote. back: the source's accuracy, each
    class alike, by a head that learnt the answers of the source's head, and by one that learnt those of the vote.
    """

    verdict: str
    table: Tables
    distance: DomainDistance
    agreement: float | None = None
    harmony: float | None = None
    before: float | None = None
    after: float | None = None
    back: tuple[float, float] | None = None
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
    signs = read_signs(domains, source_only, votes)
    verdict, table = ADAPTED, votes.mean
    if signs.speak_for_revised:
        table = votes.tables[SAME_REVISED]
    elif not signs.speak_for_mean:
        verdict, table = UNSURE, source_only
    agreement = float((source_only.argmax(axis=1) == votes.tables[SAME].argmax(axis=1)).mean())
    return Choice(verdict, table, distance, agreement, votes.harmony, signs.before, signs.after, signs.back, votes)


@dataclass(frozen=True)
class Signs:
    """What can be seen without labels.

    classes: how many there are. before, after, revised: the neighbours' agreement on the answers of the source's head,
    of the mean vote and of the revised one. clear: the step of agreement beyond chance from the head to the mean.
    same: the share of images on which these two say the same. back: as in `Choice`.
    """

    classes: int
    before: float
    after: float
    revised: float
    clear: float
    same: float
    back: tuple[float, float]

    @property
    def speak_for_revised(self) -> bool:
        """Whether the revised vote is to be taken."""
        steps = self.clear >= CLEAR_STEP or self.revised - self.before >= STEP
        return steps and self.classes >= _LEAST_CLASSES

    @property
    def speak_for_mean(self) -> bool:
        """Whether the cautious mean of all votes is to be taken."""
        step, gain = self.after - self.before, self.back[1] - self.back[0]
        returns = gain >= 0 and self.same <= MOST_AGREEMENT and self.classes >= _LEAST_CLASSES
        return (step >= STEP and gain > -LARGEST_FALL) or returns


def read_signs(domains: Domains, source_only: Tables, votes: Votes) -> Signs:
    """The signs of these votes. source_only: (m, K) probabilities of the target by the source's own head."""
    nearest, _ = neighbours(votes.space.target)
    head, mean = source_only.argmax(axis=1), votes.mean.argmax(axis=1)
    revised = votes.tables[SAME_REVISED].argmax(axis=1)
    ways = (source_only, votes.tables[PREDICTED_REVISED])
    back = [reverse_accuracy(domains, votes.space, table) for table in ways]
    return Signs(
        classes=domains.classes,
        before=consistency(nearest, head),
        after=consistency(nearest, mean),
        revised=consistency(nearest, revised),
        clear=beyond_chance(nearest, mean) - beyond_chance(nearest, head),
        same=float((head == mean).mean()),
        back=(back[0], back[1]),
    )


def beyond_chance(nearest: Ints, answers: NDArray[np.int64]) -> float:
    """Neighbours' agreement beyond what answers in these shares would reach by chance: (c - Σ p²) / (1 - Σ p²).

    nearest: (m, k). answers: (m,). 0 where all answers are one class.
    """
    shares = np.bincount(answers) / len(answers)
    chance = float((shares**2).sum())
    return (consistency(nearest, answers) - chance) / (1 - chance) if chance < 1 else 0.0

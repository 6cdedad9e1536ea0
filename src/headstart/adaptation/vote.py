"""The vote: what six ways of answering say together, under a guess of the target's class shares.

One table of probabilities each: the source's own head, two heads on rows that were standardised per domain (a weak and
a strong penalty), two that also maximise information on the target, and label propagation. None of them is right
everywhere, and their mean is steadier than any. `cast_votes` makes the vote under four guesses of the shares, because
to take other shares for another look (or the other way) is the way to lose: the source's, those that the source's head
predicts, and what either vote then says itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from headstart.adaptation.domains import Domains, Reals, Space, Tables, apart, class_ratios
from headstart.adaptation.propagate import propagate_labels
from headstart.adaptation.softmax import Wanted, answers, fit_softmax, one_hot
from headstart.records.arrays import Floats

WEAK, MIDDLE, STRONG = 0.05, 0.2, 0.5
"""Penalties, per row."""
_EVEN = 0.2
"""How many parts of equal shares stand beside guessed ones, so that no class is given up."""
SAME, SAME_REVISED, PREDICTED, PREDICTED_REVISED = "same", "same, revised", "predicted", "predicted, revised"


@dataclass(frozen=True, eq=False)
class Votes:
    """What is said of the target.

    source_only: (m, K) by the source's own head. tables: guess of the shares → (m, K), the vote under it. members: the
    single ways, of the first guess, by name. space: both domains, standardised apart.
    """

    source_only: Tables
    tables: Mapping[str, Tables]
    members: Mapping[str, Tables]
    space: Space

    @property
    def mean(self) -> Tables:
        """(m, K): the votes under all guesses together."""
        table: Tables = np.mean(list(self.tables.values()), axis=0)
        return table

    @property
    def harmony(self) -> float:
        """The mean share of images on which the vote under a guess says what all together say, 0 to 1."""
        together = self.mean.argmax(axis=1)
        return float(np.mean([(table.argmax(axis=1) == together).mean() for table in self.tables.values()]))


def cast_votes(domains: Domains, source_only: Tables) -> Votes:
    """The votes under all four guesses. source_only: (m, K) by the source's own head."""
    same, members, space = _vote(domains, source_only, domains.shares)
    counts = np.bincount(source_only.argmax(axis=1), minlength=domains.classes) / len(source_only)
    predicted, _, _ = _vote(domains, source_only, _cautious((source_only.mean(axis=0) + counts) / 2), space.axes)
    tables = {SAME: same, PREDICTED: predicted}
    for name, table in ((SAME_REVISED, same), (PREDICTED_REVISED, predicted)):
        tables[name] = _vote(domains, source_only, _cautious(table.mean(axis=0)), space.axes)[0]
    return Votes(source_only, tables, members, space)


def ask_members(domains: Domains, shares: Reals, axes: Floats | None = None) -> tuple[dict[str, Tables], Space]:
    """The five ways beside the source's own head, by name, under these shares; and the space they look at.

    axes: (d, r) of a space of the same domains under other shares, which are found once.
    """
    space = apart(domains, shares=shares, axes=axes)
    known, weights = one_hot(domains.labels, domains.classes), class_ratios(domains, shares)[domains.labels]
    wanted = Wanted(space.target, shares)
    plain = fit_softmax(space.source, known, ridge=WEAK, weights=weights)
    heads = {
        "standardised": plain,
        "standardised, strong": fit_softmax(space.source, known, ridge=STRONG, weights=weights, start=plain),
        "infomax": fit_softmax(space.source, known, ridge=WEAK, weights=weights, wanted=wanted, start=plain),
        "infomax, strong": fit_softmax(space.source, known, ridge=MIDDLE, weights=weights, wanted=wanted, start=plain),
    }
    tables = {name: answers(space.target, head) for name, head in heads.items()}
    tables["propagation"] = propagate_labels(space.source, domains.labels, space.target, domains.classes)
    return tables, space


def _vote(
    domains: Domains, source_only: Tables, shares: Reals, axes: Floats | None = None
) -> tuple[Tables, dict[str, Tables], Space]:
    members, space = ask_members(domains, shares, axes)
    return (source_only + sum(members.values())) / (len(members) + 1), members, space


def _cautious(shares: Reals) -> Reals:
    """The shares, drawn towards equal ones."""
    drawn: Reals = (shares + _EVEN / len(shares)) / (1 + _EVEN)
    return drawn

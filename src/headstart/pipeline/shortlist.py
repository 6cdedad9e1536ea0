"""Cheap scores of backbones on labelled images: which of many are worth a measured comparison.

`shortlist` takes prepared data and returns LogME, H-score and nearest neighbours' scores on each backbone's last layer
(`choose.transferability`), with the order that they suggest. It does not decide: a race between the first few does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.choose.race import RaceLine
from headstart.choose.transferability import h_score, logme
from headstart.metrics.intervals import Reals
from headstart.pipeline.candidates import last_layer_views
from headstart.pipeline.comparison import compare_views
from headstart.progress import bar

if TYPE_CHECKING:
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

MEASURED = 3


@dataclass(frozen=True, eq=False)
class Shortlist:
    """Scores of each backbone, in their order, and their numbers by what the scores suggest, best first.

    evidence: LogME. separation: H-score; it takes no part in the order, because it favours wide features, random ones
    too (benchmarks/shortlist.py). neighbours: scores of nearest neighbours, out of fold.
    """

    evidence: tuple[float, ...]
    separation: tuple[float, ...]
    neighbours: tuple[RaceLine, ...]
    order: tuple[int, ...]

    @property
    def chosen(self) -> tuple[int, ...]:
        """The numbers of those that are to be measured, best first."""
        return self.order[:MEASURED]


def shortlist(prepared: Prepared, division: Division, options: Options) -> Shortlist:
    """Score every backbone cheaply, and order them."""
    neighbours = compare_views(prepared, division, last_layer_views(prepared.backbones), "knn", options).lines
    evidence, separation = _scores(prepared, division)
    cheap = np.array([evidence, [entry.score.value for entry in neighbours]])
    return Shortlist(tuple(evidence), tuple(separation), neighbours, tuple(by_mean_rank(cheap)))


def by_mean_rank(scores: Reals) -> list[int]:
    """Positions, best first, by the mean rank over several scores (scores, backbones); equals: as they come.

    >>> by_mean_rank(np.array([[1.0, 3.0, 2.0, 0.0], [0.7, 0.9, 0.8, 0.8]]))
    [1, 2, 3, 0]
    """
    # The rank of a position from below: how many others it beats, and half of those it equals.
    lower = (scores[:, :, None] > scores[:, None, :]).sum(axis=2)
    equal = (scores[:, :, None] == scores[:, None, :]).sum(axis=2)
    order: list[int] = np.argsort(-(lower + equal / 2).mean(axis=0), kind="stable").tolist()
    return order


def narrow_backbones(prepared: Prepared, division: Division, options: Options) -> Prepared:
    """The prepared data with the shortlisted backbones alone, in the order that they came in."""
    if len(prepared.backbones) <= MEASURED:
        return prepared
    numbers = sorted(shortlist(prepared, division, options).chosen)
    dropped = [backbone.name for i, backbone in enumerate(prepared.backbones) if i not in numbers]
    note = f"By cheap scores {MEASURED} of {len(prepared.backbones)} backbones were measured; not {', '.join(dropped)}."
    return replace(
        prepared,
        backbones=tuple(prepared.backbones[i] for i in numbers),
        embedded=tuple(prepared.embedded[i] for i in numbers),
        notes=(*prepared.notes, note),
    )


def _scores(prepared: Prepared, division: Division) -> tuple[list[float], list[float]]:
    """LogME and H-score of each backbone's last layer."""
    labels = prepared.samples.labels[division.fit]
    evidence, separation = [], []
    with bar("scoring", len(prepared.embedded), unit="backbones") as advance:
        for embeddings in prepared.embedded:
            X = embeddings.last[division.fit]
            evidence.append(logme(X, labels))
            separation.append(h_score(X, labels))
            advance(1)
    return evidence, separation

"""Compares a model's labelled source rows with a target's rows: the work behind `shift` and `adapt`.

`compare` takes an `Origin` and a `Target`, both embedded, and gives a `Shift`. It makes no model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adaptation.choice import ADAPTED, UNSURE, Choice, choose
from headstart.adaptation.distance import DomainDistance, domain_distance
from headstart.adaptation.domains import Domains
from headstart.adaptation.few_labels import answer_with_labels, cross_fitted
from headstart.adaptation.forecast import expected_after, expected_before
from headstart.adaptation.label_shift import estimate_shares
from headstart.adaptation.next_labels import next_labels
from headstart.adaptation.vote import SAME_REVISED
from headstart.heads.side_by_side import blas_threads
from headstart.metrics.intervals import Estimate, wilson
from headstart.records.arrays import Floats, Ints
from headstart.verbs.adapt.result import Shift

if TYPE_CHECKING:
    from headstart.adaptation.domains import Tables
    from headstart.embed.features import Part
    from headstart.records.rows import Rows
    from headstart.verbs.adapt.origin import Origin
    from headstart.verbs.adapt.target import Target

_LABELS_A_CLASS = 2


def compare(
    origin: Origin, target: Target, *, to_label: int | None = None, origins: Mapping[str, str] | None = None
) -> tuple[Shift, Domains]:
    """The comparison.

    to_label: how many images to name for labelling; two a class by default. origins: content of a source image → the
    name of its domain, where there are several.
    """
    begun = time.perf_counter()
    rows = origin.rows
    names, numbers = _number_origins(rows, origins or {})
    domains = Domains(rows.features, rows.labels, target.X, len(rows.classes), numbers)
    with blas_threads(1):
        source_only = origin.predictor.probabilities(target.X).astype(np.float64)
        # Of several domains the groups may be the domains: then a fold would part them, not source from target.
        together = rows.groups if numbers is None else None
        groups = None if together is None else (together, np.arange(len(target.X)))
        choice = choose(domains, source_only, domain_distance(domains.source, target.X, groups=groups))
        measured = None
        if len(target.rows):
            choice, measured = _with_labels(domains, choice, source_only, target)
        count = _LABELS_A_CLASS * domains.classes if to_label is None else to_label
        first = _label_first(domains, choice, target, count)
        layers = dict(_layers(domains, origin.predictor.parts))
        sources = _sources(domains, names)
    accuracy = origin.race.estimate
    shift = Shift(
        choice=choice,
        layers=layers,
        shares=_shares(origin, domains, choice),
        source=accuracy,
        before=expected_before(choice, accuracy.value),
        after=expected_after(choice),
        measured=measured,
        label_first=first,
        images=len(target.X),
        labelled=len(target.rows),
        failures=target.failures,
        notes=(*target.notes, *_cautions(choice)),
        seconds=time.perf_counter() - begun,
        sources=sources,
    )
    return shift, domains


def _number_origins(rows: Rows, origins: Mapping[str, str]) -> tuple[list[str], Ints | None]:
    """The names of the source's domains, and the number of each row's; one domain needs no numbers."""
    named = [origins.get(content, "other images") for content in rows.content]
    names = list(dict.fromkeys(named))
    if len(names) < 2:
        return [], None
    return names, np.array([names.index(name) for name in named], np.int64)


def _sources(domains: Domains, names: list[str]) -> dict[str, Estimate]:
    """Each of several source domains, and how well it is told from the target, the nearest first."""
    if domains.origins is None:
        return {}
    distances = {
        name: domain_distance(domains.source[domains.origins == number], domains.target).accuracy
        for number, name in enumerate(names)
    }
    return dict(sorted(distances.items(), key=lambda entry: entry[1].value))


def _with_labels(
    domains: Domains, choice: Choice, source_only: Tables, target: Target
) -> tuple[Choice, tuple[Estimate, Estimate] | None]:
    """The choice by what the labels measure: joint fits are taken unless they measure worse than the source's head."""
    begin = begin_table(choice)
    crossed = cross_fitted(domains, begin, target.rows, target.labels)
    pair = (_accuracy(source_only[target.rows], target.labels), _accuracy(crossed, target.labels))
    if pair[1].value <= pair[0].value:
        verdict = UNSURE if choice.votes is not None else choice.verdict
        return replace(choice, verdict=verdict, table=source_only), pair
    table = answer_with_labels(domains, begin, target.rows, target.labels)
    return replace(choice, verdict=ADAPTED, table=table), pair


def begin_table(choice: Choice) -> Tables:
    """(m, K): the answers that a joint fit begins with: no label of the target has been seen for them."""
    return choice.table if choice.votes is None else choice.votes.mean


def _accuracy(table: Tables, labels: Ints) -> Estimate:
    hits = int((table.argmax(axis=1) == labels).sum())
    low, high = wilson(hits, len(labels))
    return Estimate(hits / len(labels), float(low), float(high), "accuracy", method="Wilson, cross-fitted")


def _label_first(domains: Domains, choice: Choice, target: Target, count: int) -> tuple[str, ...]:
    """The names of the images to label, none that has a label already."""
    if choice.votes is None or not count:
        return ()
    free = np.setdiff1d(np.arange(len(target.X)), target.rows)
    if not len(free):
        return ()
    table = choice.votes.mean if choice.verdict == UNSURE else choice.table
    chosen = next_labels(choice.votes.space.target[free], table[free], count)
    return tuple(target.samples.names[row] for row in free[chosen].tolist())


def _layers(domains: Domains, parts: tuple[Part, ...]) -> Iterator[tuple[str, Estimate]]:
    """Each layer that the head looks at, and how well it tells the domains apart."""
    start = 0
    for part in parts:
        for tap in part.taps:
            width = part.backbone.tap(tap).width
            columns = slice(start, start + width)
            start += width
            distance: DomainDistance = domain_distance(
                _contiguous(domains.source[:, columns]), _contiguous(domains.target[:, columns])
            )
            yield f"{part.backbone.name} {tap}", distance.accuracy


def _contiguous(rows: Floats) -> Floats:
    return np.ascontiguousarray(rows)


def _shares(origin: Origin, domains: Domains, choice: Choice) -> dict[str, tuple[float, float]]:
    """Class → its share of the source, and of the target by BBSE on the adapted answers (or the head's own)."""
    answers = choice.table if choice.votes is None or choice.verdict == ADAPTED else choice.votes.tables[SAME_REVISED]
    predicted = origin.race.out_of_fold[0].argmax(axis=-1)
    shares = estimate_shares(domains.labels, predicted, answers.argmax(axis=1), domains.classes)
    pairs = zip(domains.shares.tolist(), shares.tolist(), strict=True)
    return dict(zip(origin.rows.classes, pairs, strict=True))


def _cautions(choice: Choice) -> tuple[str, ...]:
    if len(np.unique(choice.table.argmax(axis=1))) > 1:
        return ()
    return (
        "Every image of the target gets the same answer: it may be of one class, or too far from the source; look at "
        "some images and label them.",
    )

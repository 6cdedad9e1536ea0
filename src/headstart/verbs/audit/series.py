"""Images that come in series, as an audit's findings: which show one thing, so that a person can say whether it is so.

`look_for_series` takes embeddings and duplicates and returns a `SeriesSearch`: the groups, a note, and a finding for
every further image of each series. A plan with `--plan-duplicates` holds them together by name, and can be edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from headstart.checks import quantity
from headstart.data.cleaning_plan import GROUP
from headstart.data.series.find import find_series
from headstart.pipeline.prepare import Duplicates
from headstart.pipeline.series import join_duplicates, rows_of_groups, series_note
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.verbs.audit.findings import SERIES, Finding

_FIRST_WORD = 1_000_000
"""Of a series; groups of duplicates are numbered from 1."""


@dataclass(frozen=True, eq=False)
class SeriesSearch:
    """What was found. groups: the rows of each series. note: a sentence; '' where nothing was found."""

    groups: tuple[tuple[int, ...], ...] = ()
    findings: tuple[Finding, ...] = ()
    note: str = ""


def look_for_series(
    samples: Samples, X: Floats, last: Floats, duplicates: Duplicates, families: Ints, rows: Ints
) -> SeriesSearch:
    """The series among samples whose data name no groups.

    X, last: (n, d) several layers, and the last one. duplicates: of all images. families: (n,) duplicates share a
    number. rows: (n,) what findings call the samples' rows.
    """
    if samples.groups is not None:
        return SeriesSearch()
    pairs = duplicates.pairs_among(samples)
    series = find_series(np.sign(X) * np.sqrt(np.abs(X)), last, samples.labels, samples.names, samples.items, pairs)
    groups = None if series is None else join_duplicates(series, families)
    if series is None or groups is None:
        return SeriesSearch()
    whole = replace(series, groups=groups)
    members = rows_of_groups(groups)
    return SeriesSearch(
        members, tuple(_findings(samples, members, series.sign, rows)), series_note(whole, len(samples))
    )


def _findings(samples: Samples, groups: tuple[tuple[int, ...], ...], sign: str, rows: Ints) -> Iterator[Finding]:
    """A finding of every image of a series but its first."""
    for number, (first, *others) in enumerate(groups, _FIRST_WORD):
        more = quantity(len(others), "more image")
        sentence = f"It seems to show the same thing as {samples.names[first]}, of which there are {more}: {sign}."
        for row in others:
            yield Finding(
                samples.names[row],
                SERIES,
                sentence,
                0.5,
                GROUP,
                str(number),
                samples.names[first],
                row=int(rows[row]),
                other=int(rows[first]),
            )

"""Exact duplicates, by content: what they would spoil, and what is done about it.

`resolve` returns samples that can be measured honestly, with a `Duplicates` record of what was found. A
picture under two classes is left out, every copy of it: its label cannot be trusted. A picture in two
splits stays in the one that is measured on (test before val before train). Copies inside a split stay, in
one group, so that folds never part them. Pictures that are only similar are not looked for here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headstart.checks import counted
from headstart.data.loaded import SPLITS
from headstart.records import UNLABELLED, Ints, Samples

_SHOWN = 3


@dataclass(frozen=True)
class Duplicates:
    """Exact duplicates among the samples.

    contradictions: for each picture that lies in several classes, the names of its copies, each with its
    class. leaks: for each picture that lies in several splits, the names of its copies, each with its
    split. dropped: how many images were left out for either reason. grouped: how many images that were kept
    are further copies of another one. notes: what was done, in sentences for the user.
    """

    contradictions: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    dropped: int
    grouped: int
    notes: tuple[str, ...]


def resolve(samples: Samples) -> tuple[Samples, Duplicates]:
    """The samples without contradictions and leaks, copies grouped, and what was found."""
    copies = _copies(samples.content)
    contradictory = [rows for rows in copies if _differ(samples.labels[rows])]
    alike = [rows for rows in copies if not _differ(samples.labels[rows])]
    leaking = [] if samples.splits is None else [rows for rows in alike if _differ(samples.splits[rows])]
    dropped = [row for rows in contradictory for row in rows]
    dropped += [row for rows in leaking for row in _off_the_measured_side(samples, rows)]
    kept = samples.take(np.setdiff1d(np.arange(len(samples)), dropped))
    grouped = len(kept) - len(set(kept.content))
    if grouped:
        kept = replace(kept, groups=_merged(kept))
    contradictions = tuple(
        tuple(f"{samples.names[row]} ({_class(samples, row)})" for row in rows) for rows in contradictory
    )
    leaks = tuple(tuple(f"{samples.names[row]} ({_split(samples, row)})" for row in rows) for rows in leaking)
    notes = _notes(contradictions, leaks, sum(map(len, contradictory)), len(dropped), grouped)
    return kept, Duplicates(contradictions, leaks, len(dropped), grouped, notes + _shared_groups(kept))


def _copies(content: tuple[str, ...]) -> list[list[int]]:
    """The rows of each picture that is there more than once."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, fingerprint in enumerate(content):
        rows_of[fingerprint].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _differ(values: NDArray[np.int64] | NDArray[np.str_]) -> bool:
    known = values[values != UNLABELLED] if values.dtype.kind == "i" else values
    return len(set(known.tolist())) > 1


def _off_the_measured_side(samples: Samples, rows: list[int]) -> list[int]:
    """The copies to leave out: all but those in the last split of train, val, test that has any."""
    rank = {row: SPLITS.index(_split(samples, row)) for row in rows}
    return [row for row in rows if rank[row] < max(rank.values())]


def _class(samples: Samples, row: int) -> str:
    label = int(samples.labels[row])
    return samples.classes[label] if label != UNLABELLED else "unlabelled"


def _split(samples: Samples, row: int) -> str:
    return "" if samples.splits is None else str(samples.splits[row])


def _merged(samples: Samples) -> Ints:
    """Groups in which copies of a picture are together, with everything that was in one group with any of them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(samples)
    given = np.arange(n) if samples.groups is None else np.unique(samples.groups, return_inverse=True)[1]
    pictures = np.unique(np.array(samples.content), return_inverse=True)[1]
    links = coo_array((np.ones(n), (given, n + pictures)), shape=(2 * n, 2 * n))
    _, component = connected_components(links, directed=False)
    return np.unique(component[given], return_inverse=True)[1].astype(np.int64)


def _notes(
    contradictions: tuple[tuple[str, ...], ...],
    leaks: tuple[tuple[str, ...], ...],
    contradicting: int,
    dropped: int,
    grouped: int,
) -> tuple[str, ...]:
    notes = []
    if contradictions:
        notes.append(
            f"Left out: {counted(contradicting, 'image')} of {counted(len(contradictions), 'picture')} that "
            f"lie in more than one class: {_examples(contradictions)}."
        )
    if leaks:
        notes.append(
            f"Left out: {counted(dropped - contradicting, 'image')} that are also in a split that is "
            f"measured on: {_examples(leaks)}."
        )
    if grouped:
        notes.append(f"Exact copies: {counted(grouped, 'image')}; each stays in one fold with the picture it repeats.")
    return tuple(notes)


def _examples(groups: tuple[tuple[str, ...], ...]) -> str:
    shown = "; ".join(" = ".join(names) for names in groups[:_SHOWN])
    return shown if len(groups) <= _SHOWN else f"{shown}; and {len(groups) - _SHOWN:,} more"


def _shared_groups(samples: Samples) -> tuple[str, ...]:
    """A warning where groups that the user named lie in more than one split."""
    if samples.groups is None or samples.splits is None:
        return ()
    pairs = set(zip(samples.groups.tolist(), samples.splits.tolist(), strict=True))
    shared = len(pairs) - len({group for group, _ in pairs})
    if not shared:
        return ()
    return ("Some groups lie in more than one split: a score on the test split will be too good for new groups.",)

"""Resolves duplicates, exact and near, so that what is left can be measured without leakage.

`resolve_duplicates` returns the samples to use with a `Resolution`, the record of what was done. Images with equal
bytes under two classes are all left out: their label cannot be trusted. Duplicates in two splits stay in the one that
is measured on (test before val before train). Duplicates inside a split stay, in one group, so that folds never
separate them. Near duplicates (found by `near.search_samples`, handed in) are treated alike, but under two classes they
are kept and named: they may be two things that look alike. Nothing is searched here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.duplicates.near import merge_groups
from headstart.data.duplicates.notes import SHARED_GROUPS, duplicates_note, resolution_notes
from headstart.data.sources.dataset import SPLITS
from headstart.records.arrays import Ints
from headstart.records.samples import UNLABELLED, Samples


@dataclass(frozen=True, eq=False)
class DuplicateGroups:
    """Which samples are duplicates of each other.

    groups: (n,) exact and near duplicates share a number. data_groups: (n,) the groups as the data came with them,
    before duplicates were joined to them; None where there were none. note: a sentence; '' without duplicates.
    """

    groups: Ints
    data_groups: Ints | None
    note: str = ""

    @property
    def redundant(self) -> int:
        """How many images repeat another one."""
        return len(self.groups) - len(np.unique(self.groups))

    def take(self, rows: NDArray[Any]) -> DuplicateGroups:
        """The duplicates among these rows (indices or a boolean mask)."""
        data_groups = None if self.data_groups is None else self.data_groups[rows]
        return replace(self, groups=self.groups[rows], data_groups=data_groups)


@dataclass(frozen=True, eq=False)
class ConflictingRows:
    """Groups of duplicates that cannot be kept whole, each as its rows.

    contradictory: exact duplicates under several labels; none is kept. leaking: exact duplicates in several splits.
    near_leaking: near duplicates, under one label, in several splits. Of both only the images in the split that is
    measured on are kept. Near duplicates under several labels are not here: in two splits, too, both are kept, since
    the one cannot tell a model the other's label.
    """

    contradictory: Sequence[list[int]]
    leaking: Sequence[list[int]]
    near_leaking: Sequence[list[int]]


@dataclass(frozen=True, eq=False)
class Resolution:
    """What was done about duplicates among samples.

    contradictions: of each group of exact duplicates in several classes the names, each with its class; left out.
    leaks, near_leaks: of each group of exact or near duplicates in several splits the names, each with its split.
    disputed: of each group of near duplicates under different labels the names, each with its class; kept.
    dropped: how many images were left out. duplicates: those kept. notes: what was done, in sentences for the user.
    """

    contradictions: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    near_leaks: tuple[tuple[str, ...], ...]
    disputed: tuple[tuple[str, ...], ...]
    dropped: int
    duplicates: DuplicateGroups
    notes: tuple[str, ...]

    @property
    def other_notes(self) -> tuple[str, ...]:
        """The notes without the one that counts duplicates."""
        return tuple(note for note in self.notes if note != self.duplicates.note)


def resolve_duplicates(
    samples: Samples, near: Sequence[Sequence[int]] = (), together: Sequence[Sequence[int]] = ()
) -> tuple[Samples, Resolution]:
    """The samples without contradictions and leaks, duplicates grouped, and what was done.

    near: rows of each group of near duplicates, from `near.search_samples`. together: rows that belong together for
    another reason.
    """
    exact = exact_duplicates(samples.content)
    groups = merge_groups(replace(samples, groups=None), (*map(tuple, near), *map(tuple, exact)))
    conflicts = find_conflicts(samples, groups)
    contradicting = {row for rows in conflicts.contradictory for row in rows}
    leaked = outside_evaluation(samples, conflicts.leaking)
    near_leaked = outside_evaluation(samples, conflicts.near_leaking)
    rest = np.setdiff1d(np.arange(len(samples)), list(contradicting | leaked | near_leaked))
    remaining, groups = samples.take(rest), groups[rest]
    several = _rows_by_group(groups)
    note = duplicates_note(
        len(remaining), len(groups) - len(np.unique(groups)), len(remaining) - len(set(remaining.content))
    )
    duplicates = DuplicateGroups(groups, remaining.groups, note)
    contradictions = _with_classes(samples, conflicts.contradictory)
    leaks, near_leaks = _with_splits(samples, conflicts.leaking), _with_splits(samples, conflicts.near_leaking)
    disputed = _with_classes(remaining, [rows for rows in several if _differ(remaining.labels[rows])])
    if joined := (*map(tuple, several), *_placed(together, rest)):
        remaining = replace(remaining, groups=merge_groups(remaining, joined))
    dropped = (len(contradicting), len(leaked), len(near_leaked))
    notes = (
        *resolution_notes(contradictions, leaks, near_leaks, disputed, dropped=dropped, duplicates=note),
        *([SHARED_GROUPS] if _groups_cross_splits(remaining) else []),
    )
    number = len(samples) - len(remaining)
    return remaining, Resolution(contradictions, leaks, near_leaks, disputed, number, duplicates, notes)


def find_conflicts(samples: Samples, groups: Ints) -> ConflictingRows:
    """The groups of duplicates that cannot be kept whole. groups: (n,) exact and near duplicates share a number."""
    exact = exact_duplicates(samples.content)
    contradictory = [rows for rows in exact if _differ(samples.labels[rows])]
    leaking = _leaking(samples, [rows for rows in exact if not _differ(samples.labels[rows])])
    left_out = {row for rows in contradictory for row in rows} | outside_evaluation(samples, leaking)
    same_label = [rows for group in _rows_by_group(groups, left_out) for rows in _by_label(samples, group)]
    return ConflictingRows(contradictory, leaking, _leaking(samples, same_label))


def outside_evaluation(samples: Samples, groups: Sequence[Sequence[int]]) -> set[int]:
    """The rows to leave out: of each group all but those in the last split of train, val, test that has any."""
    left_out = set()
    for rows in groups:
        rank = {row: SPLITS.index(_split(samples, row)) for row in rows}
        left_out |= {row for row in rows if rank[row] < max(rank.values())}
    return left_out


def exact_duplicates(content: Sequence[str]) -> list[list[int]]:
    """The rows of each group of images with equal bytes. content: fingerprints of all images' bytes."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, fingerprint in enumerate(content):
        rows_of[fingerprint].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _rows_by_group(groups: Ints, without: Set[int] = frozenset()) -> list[list[int]]:
    """The rows of each group of several."""
    shared = np.bincount(groups, minlength=1)[groups] > 1 if len(groups) else np.zeros(0, bool)
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(shared).tolist():
        if row not in without:
            rows_of[int(groups[row])].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _placed(together: Sequence[Sequence[int]], rest: Ints) -> Iterator[tuple[int, ...]]:
    """The rows of each group as places among the kept rows, where several were kept."""
    place = {row: i for i, row in enumerate(rest.tolist())}
    for rows in together:
        if len(places := tuple(place[row] for row in rows if row in place)) > 1:
            yield places


def _by_label(samples: Samples, rows: list[int]) -> list[list[int]]:
    """A group's rows of each label: under another label an image tells a test nothing that flatters it."""
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        rows_of[int(samples.labels[row])].append(row)
    return list(rows_of.values())


def _leaking(samples: Samples, groups: list[list[int]]) -> list[list[int]]:
    """The groups that lie in several splits."""
    return [] if samples.splits is None else [rows for rows in groups if _differ(samples.splits[rows])]


def _differ(values: NDArray[np.int64] | NDArray[np.str_]) -> bool:
    labelled = values[values != UNLABELLED] if values.dtype.kind == "i" else values
    return len(set(labelled.tolist())) > 1


def _class(samples: Samples, row: int) -> str:
    label = int(samples.labels[row])
    return samples.classes[label] if label != UNLABELLED else "unlabelled"


def _split(samples: Samples, row: int) -> str:
    return "" if samples.splits is None else str(samples.splits[row])


def _with_classes(samples: Samples, groups: Sequence[list[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{samples.names[row]} ({_class(samples, row)})" for row in rows) for rows in groups)


def _with_splits(samples: Samples, groups: Sequence[list[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{samples.names[row]} ({_split(samples, row)})" for row in rows) for rows in groups)


def _groups_cross_splits(samples: Samples) -> bool:
    """Whether a group lies in more than one split."""
    if samples.groups is None or samples.splits is None:
        return False
    pairs = set(zip(samples.groups.tolist(), samples.splits.tolist(), strict=True))
    return len(pairs) > len({group for group, _ in pairs})

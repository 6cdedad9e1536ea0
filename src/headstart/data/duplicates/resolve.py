"""Duplicates, exact and near: what they would spoil, and what is done about it.

`resolve` returns samples that can be measured honestly, with a `Duplicates` record of what was found. A picture whose
very bytes are under two classes is left out, every copy of it: its label cannot be trusted. A picture in two splits
stays in the one that is measured on (test before val before train). Copies inside a split stay, in one group, so that
folds never part them. Near copies (found by `near_duplicates`, handed in) are treated alike, but under two classes they
are kept and named: they may be two things that look alike. Nothing is looked for here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.data.duplicates.near import merge_groups
from headstart.data.sources.dataset import SPLITS
from headstart.records.arrays import Ints
from headstart.records.samples import UNLABELLED, Samples

_SHOWN = 3
_NAMED = 4
NEARLY = "turned, mirrored, cropped, brightened or saved anew"
"""What a near copy is, in words."""


@dataclass(frozen=True, eq=False)
class DuplicateGroups:
    """Which of the kept samples are copies of which.

    families: (n,) rows that show one picture, exactly or nearly, share a number. named: (n,) the groups as the data
    named them, before copies were joined to them; None where they named none. note: a sentence; '' without copies.
    """

    families: Ints
    named: Ints | None
    note: str = ""

    @property
    def further(self) -> int:
        """How many images repeat another one."""
        return len(self.families) - len(np.unique(self.families))

    def take(self, rows: NDArray[Any]) -> DuplicateGroups:
        """The copies among these rows (indices or a boolean mask)."""
        return replace(self, families=self.families[rows], named=None if self.named is None else self.named[rows])


@dataclass(frozen=True, eq=False)
class ConflictingRows:
    """Pictures that cannot be kept whole, each as the rows of its copies.

    contradictory: the same bytes under several labels; none is kept. leaking: the same bytes in several splits.
    near_leaking: nearly the same picture, under one label, in several splits. Of both only the copies in the split that
    is measured on are kept. Near copies under several labels are not here: in two splits, too, both are kept, since
    the one cannot tell a model the other's label.
    """

    contradictory: Sequence[list[int]]
    leaking: Sequence[list[int]]
    near_leaking: Sequence[list[int]]


@dataclass(frozen=True, eq=False)
class Resolution:
    """Duplicates among the samples.

    contradictions: for each picture whose bytes lie in several classes, the names of its copies, each with its class.
    leaks, near_leaks: for each picture that lies in several splits, exactly or nearly, the names of its copies, each
    with its split. disputed: for each picture with near copies under different labels, all of them, kept, with their
    classes. dropped: how many images were left out. copies: of those kept. notes: what was done, in sentences for the
    user.
    """

    contradictions: tuple[tuple[str, ...], ...]
    leaks: tuple[tuple[str, ...], ...]
    near_leaks: tuple[tuple[str, ...], ...]
    disputed: tuple[tuple[str, ...], ...]
    dropped: int
    copies: DuplicateGroups
    notes: tuple[str, ...]

    @property
    def grouped(self) -> int:
        """How many images that were kept are further copies of another one."""
        return self.copies.further

    @property
    def other_notes(self) -> tuple[str, ...]:
        """The notes without the one that counts copies."""
        return tuple(note for note in self.notes if note != self.copies.note)


def resolve_duplicates(
    samples: Samples, near: Sequence[Sequence[int]] = (), together: Sequence[Sequence[int]] = ()
) -> tuple[Samples, Resolution]:
    """The samples without contradictions and leaks, copies grouped, and what was found.

    near: rows of each group of near copies (`near_duplicates.find`). together: rows that belong together for another
    reason.
    """
    families = merge_groups(
        replace(samples, groups=None), (*map(tuple, near), *map(tuple, exact_duplicates(samples.content)))
    )
    spoilt = find_conflicts(samples, families)
    dropped = {row for rows in spoilt.contradictory for row in rows}
    leaked = outside_evaluation(samples, spoilt.leaking)
    near_leaked = outside_evaluation(samples, spoilt.near_leaking)
    rest = np.setdiff1d(np.arange(len(samples)), list(dropped | leaked | near_leaked))
    kept, families = samples.take(rest), families[rest]
    disputed = [rows for rows in _related(families) if _differ(kept.labels[rows])]
    copies = DuplicateGroups(families, kept.groups, _copies_note(kept, families))
    joined = (*map(tuple, _related(families)), *_placed(together, rest))
    kept = replace(kept, groups=merge_groups(kept, joined)) if joined else kept
    found = Resolution(
        _with_classes(samples, spoilt.contradictory),
        _with_splits(samples, spoilt.leaking),
        _with_splits(samples, spoilt.near_leaking),
        _with_classes(kept, disputed),
        len(samples) - len(kept),
        copies,
        (),
    )
    said = _notes(found, len(dropped), len(leaked), len(near_leaked))
    return kept, replace(found, notes=said + _shared_groups(kept))


def find_conflicts(samples: Samples, families: Ints) -> ConflictingRows:
    """The pictures that cannot be kept whole. families: (n,) rows that show one picture share a number."""
    exact = exact_duplicates(samples.content)
    contradictory = [rows for rows in exact if _differ(samples.labels[rows])]
    leaking = _leaking(samples, [rows for rows in exact if not _differ(samples.labels[rows])])
    gone = {row for rows in contradictory for row in rows} | outside_evaluation(samples, leaking)
    same_label = [rows for family in _related(families, gone) for rows in _by_label(samples, family)]
    return ConflictingRows(contradictory, leaking, _leaking(samples, same_label))


def outside_evaluation(samples: Samples, pictures: Sequence[Sequence[int]]) -> set[int]:
    """The copies to leave out: of each picture all but those in the last split of train, val, test that has any."""
    left_out = set()
    for rows in pictures:
        rank = {row: SPLITS.index(_split(samples, row)) for row in rows}
        left_out |= {row for row in rows if rank[row] < max(rank.values())}
    return left_out


def exact_duplicates(content: Sequence[str]) -> list[list[int]]:
    """The rows of each picture whose very bytes are there more than once. content: fingerprints of the pictures."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, fingerprint in enumerate(content):
        rows_of[fingerprint].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _related(families: Ints, without: Set[int] = frozenset()) -> list[list[int]]:
    """The rows of each family of several."""
    shared = np.bincount(families, minlength=1)[families] > 1 if len(families) else np.zeros(0, bool)
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(shared).tolist():
        if row not in without:
            rows_of[int(families[row])].append(row)
    return [rows for rows in rows_of.values() if len(rows) > 1]


def _placed(together: Sequence[Sequence[int]], rest: Ints) -> Iterator[tuple[int, ...]]:
    """The rows of each group as places among the kept rows, where several were kept."""
    place = {row: i for i, row in enumerate(rest.tolist())}
    for rows in together:
        if len(left := tuple(place[row] for row in rows if row in place)) > 1:
            yield left


def _by_label(samples: Samples, rows: list[int]) -> list[list[int]]:
    """A family's rows of each label: under another label a picture tells a test nothing that flatters it."""
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        rows_of[int(samples.labels[row])].append(row)
    return list(rows_of.values())


def _leaking(samples: Samples, pictures: list[list[int]]) -> list[list[int]]:
    """The pictures that lie in several splits."""
    return [] if samples.splits is None else [rows for rows in pictures if _differ(samples.splits[rows])]


def _differ(values: NDArray[np.int64] | NDArray[np.str_]) -> bool:
    known = values[values != UNLABELLED] if values.dtype.kind == "i" else values
    return len(set(known.tolist())) > 1


def _class(samples: Samples, row: int) -> str:
    label = int(samples.labels[row])
    return samples.classes[label] if label != UNLABELLED else "unlabelled"


def _split(samples: Samples, row: int) -> str:
    return "" if samples.splits is None else str(samples.splits[row])


def _with_classes(samples: Samples, pictures: Sequence[list[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{samples.names[row]} ({_class(samples, row)})" for row in rows) for rows in pictures)


def _with_splits(samples: Samples, pictures: Sequence[list[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{samples.names[row]} ({_split(samples, row)})" for row in rows) for rows in pictures)


def _notes(found: Resolution, contradicting: int, leaked: int, near_leaked: int) -> tuple[str, ...]:
    notes = []
    if found.contradictions:
        notes.append(
            f"Left out: {quantity(contradicting, 'image')} of {quantity(len(found.contradictions), 'picture')} that "
            f"lie in more than one class: {_examples(found.contradictions)}."
        )
    if found.leaks:
        notes.append(
            f"Left out: {quantity(leaked, 'image')} that are also in a split that is "
            f"measured on: {_examples(found.leaks)}."
        )
    if found.near_leaks:
        notes.append(
            f"Left out: {quantity(near_leaked, 'image')} with a near copy ({NEARLY}) in a split that is measured on: "
            f"{_examples(found.near_leaks)}."
        )
    if found.copies.note:
        notes.append(found.copies.note)
    if found.disputed:
        one = len(found.disputed) == 1
        notes.append(
            f"Labels to look at: {quantity(len(found.disputed), 'picture')} {'has' if one else 'have'} near copies in "
            f"another class: {_examples(found.disputed)}. They were kept; 'headstart audit' shows them, and 'headstart "
            "train --exclude' leaves out what you decide."
        )
    return tuple(notes)


def _copies_note(samples: Samples, families: Ints) -> str:
    """How many images repeat another one, and how; empty where none does."""
    further = len(families) - len(np.unique(families))
    exact = len(samples) - len(set(samples.content))
    if not further:
        return ""
    nearly = f"{further - exact:,} nearly: {NEARLY}"
    how = f"{exact:,} exactly" if exact == further else nearly if not exact else f"{exact:,} exactly, {nearly}"
    return (
        f"Copies: {further:,} of {quantity(len(samples), 'image')} {'repeats' if further == 1 else 'repeat'} another "
        f"one ({how}); each stays in one fold with what it repeats."
    )


def _examples(groups: tuple[tuple[str, ...], ...]) -> str:
    shown = "; ".join(_equal(names) for names in groups[:_SHOWN])
    return shown if len(groups) <= _SHOWN else f"{shown}; and {len(groups) - _SHOWN:,} more"


def _equal(names: tuple[str, ...]) -> str:
    """The copies of one picture; of many the first and the last, which lie furthest apart in the data."""
    if len(names) <= _NAMED:
        return " = ".join(names)
    return f"{names[0]} = {names[1]} = … = {names[-1]} ({len(names):,} copies)"


def _shared_groups(samples: Samples) -> tuple[str, ...]:
    """A warning where groups that the user named lie in more than one split."""
    if samples.groups is None or samples.splits is None:
        return ()
    pairs = set(zip(samples.groups.tolist(), samples.splits.tolist(), strict=True))
    shared = len(pairs) - len({group for group, _ in pairs})
    if not shared:
        return ()
    return ("Some groups lie in more than one split: a score on the test split will be too good for new groups.",)

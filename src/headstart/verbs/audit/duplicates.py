"""What an audit finds of duplicates: contradictory labels, leaks across splits, and plain duplicates.

`duplicate_findings` takes samples with their duplicate groups and yields `Finding`s. What they propose to leave out is
what `train` leaves out by itself (`data.duplicates.resolve`). It searches for no duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from headstart.data.cleaning_plan import EXCLUDE, GROUP
from headstart.data.duplicates.resolve import find_conflicts, outside_evaluation
from headstart.data.sources.dataset import SPLITS
from headstart.records.arrays import Ints
from headstart.records.samples import UNLABELLED, Samples
from headstart.verbs.audit.findings import CONTRADICTION, EXACT, LEAK, LOOK, NEAR, Finding

_SHOWN_LIKENESS = 0.9995


def duplicate_findings(samples: Samples, families: Ints, likeness: Mapping[int, float]) -> Iterator[Finding]:
    """What is found of each group of duplicates.

    families: (n,) rows that repeat each other, exactly or nearly, share a number. likeness: of rows to the leading
    image of their group, 0 to 1; 1 for a row that is not there.
    """
    conflicts = find_conflicts(samples, families)
    contradictory = {row for rows in conflicts.contradictory for row in rows}
    word_of_row: dict[int, str] = {}
    for number, rows in enumerate(_duplicate_groups(families), 1):
        members = sorted(rows, key=lambda row: (-likeness.get(row, 0.0), row))
        word_of_row |= dict.fromkeys(members, str(number))
        yield from _contradictions(samples, members, contradictory, str(number))
        yield from _duplicates(samples, members, likeness, str(number))
    for rows in (*conflicts.leaking, *conflicts.near_leaking):
        yield from _leaks(samples, rows, word_of_row[rows[0]])


def _duplicate_groups(families: Ints) -> Iterator[list[int]]:
    """The rows of each group of several."""
    order = np.argsort(families, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(families))[:-1]):
        if len(rows) > 1:
            yield rows.tolist()


def _contradictions(samples: Samples, rows: list[int], contradictory: set[int], group: str) -> Iterator[Finding]:
    """Duplicates under different labels: exact ones are left out, as `train` does; near ones are for a person."""
    labels = {int(samples.labels[row]) for row in rows} - {UNLABELLED}
    if len(labels) < 2:
        return
    for row in rows:
        same = row in contradictory
        if samples.labels[row] == UNLABELLED and not same:
            continue
        rivals = [other for other in rows if samples.labels[other] not in (UNLABELLED, samples.labels[row])]
        exact = [other for other in rivals if samples.content[other] == samples.content[row]]
        other = (exact or rivals)[0]
        sentence = (
            f"It is in {_place(samples, row, other)}, and {'an exact' if same else 'a near'} copy of it, "
            f"{samples.names[other]}, is in {_place(samples, other, row)}."
        )
        severity, proposal = (1.0, EXCLUDE) if same else (0.9, LOOK)
        yield _finding(samples, row, other, CONTRADICTION, sentence, severity, proposal, group)


def _place(samples: Samples, row: int, other: int) -> str:
    """An image's class, with its split where the other one is in another."""
    label = int(samples.labels[row])
    name = repr(samples.classes[label]) if label != UNLABELLED else "no class"
    return name if _split(samples, row) == _split(samples, other) else f"{name} ({_split(samples, row)})"


def _split(samples: Samples, row: int) -> str:
    return "" if samples.splits is None else str(samples.splits[row])


def _leaks(samples: Samples, rows: list[int], group: str) -> Iterator[Finding]:
    """Duplicates in several splits: those outside the split that is measured on are to be left out."""
    last = max(rows, key=lambda row: SPLITS.index(_split(samples, row)))
    for row in sorted(outside_evaluation(samples, [rows])):
        sentence = (
            f"It is in {_split(samples, row)}, and a copy of it, {samples.names[last]}, is in "
            f"{_split(samples, last)}: a score there would be too good."
        )
        yield _finding(samples, row, last, LEAK, sentence, 1.0, EXCLUDE, group)


def _duplicates(samples: Samples, rows: list[int], likeness: Mapping[int, float], group: str) -> Iterator[Finding]:
    """Every further copy of a group's first image."""
    first, row_of_content = rows[0], {samples.content[rows[0]]: rows[0]}
    for row in rows[1:]:
        if (same := row_of_content.get(samples.content[row])) is not None:
            sentence = f"It has the same bytes as {samples.names[same]}."
            yield _finding(samples, row, same, EXACT, sentence, 1.0, GROUP, group)
            continue
        row_of_content[samples.content[row]] = row
        alike = min(likeness.get(row, 1.0), _SHOWN_LIKENESS)
        sentence = (
            f"It is a near copy of {samples.names[first]}, perhaps turned, mirrored or cropped (alike {alike:.2f})."
        )
        yield _finding(samples, row, first, NEAR, sentence, alike, GROUP, group)


def _finding(
    samples: Samples, row: int, other: int, kind: str, sentence: str, severity: float, proposal: str, group: str
) -> Finding:
    return Finding(
        samples.names[row], kind, sentence, severity, proposal, group, samples.names[other], row=row, other=other
    )

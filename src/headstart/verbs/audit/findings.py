"""What an audit finds: a record a finding, and all of them as counts, a CSV and a plan that a person edits.

`Audit` holds the findings; `summary` counts them by kind, `write_csv` lists them, `plan` proposes what to do with each
image. Nothing is looked for here.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headstart.checks import first_lines, quantity
from headstart.data.cleaning_plan import EXCLUDE, GROUP, KEEP, PlanLine, write_plan
from headstart.data.images import quality
from headstart.errors import OptionError
from headstart.model.facts import AccuracyClaims
from headstart.records.arrays import Ints
from headstart.records.notebook import NotebookText
from headstart.records.samples import Samples
from headstart.storage.files import write_atomically

UNREADABLE, CONTRADICTION, LEAK = "unreadable", "contradictory labels", "leak across splits"
EXACT, NEAR, MISLABEL, IMBALANCE = "exact duplicate", "near duplicate", "label issue", "class imbalance"
CLASSES = "classes or groups"
"""More labels look wrong than can be: what is wrong are the classes, or the groups."""
SERIES = "series"
"""One thing photographed several times."""
TEMPLATE = "same beginning"
"""Of texts: many of one class begin alike."""
KINDS = (UNREADABLE, CONTRADICTION, LEAK, CLASSES, SERIES, MISLABEL, EXACT, NEAR, *quality.KINDS, TEMPLATE, IMBALANCE)
"""In the order in which they matter."""
LOOK = "look at"
_STRONGEST = (EXCLUDE, GROUP, LOOK)
_LISTED_TWICE = "It is listed more than once: 'headstart train' keeps one row by itself; mend the table."
"""Of a path that is listed more than once, a plan, which goes by path, can say nothing of one row alone."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found of one image (of one class for an imbalance, of all for `CLASSES`).

    name: the image's name, or the class's. kind: one of `KINDS`. sentence: what was found. severity: 0 to 1, to be
    compared within a kind. proposal: 'exclude', 'group' or 'look at'. group: a word that the images of one group of
    duplicates share; '' for none. of: the name of the image it is compared with; '' for none. row, other: the places of
    the image and of that one among all; -1 for none, as where a finding is of no single image. suggested: the class
    that a model would give; '' for none.
    """

    name: str
    kind: str
    sentence: str
    severity: float
    proposal: str
    group: str = ""
    of: str = ""
    row: int = -1
    other: int = -1
    suggested: str = ""


@dataclass(frozen=True)
class Count:
    """Findings of a kind: how many, and the first few."""

    kind: str
    count: int
    proposal: str
    examples: tuple[Finding, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Audit(NotebookText):
    """All that was found in a data set.

    images, counts: how many images, and of each class. findings: in the order of `KINDS`, the most severe of a kind
    first. groups: (n,) a number for each image; duplicates and images of one of the user's groups share one. claims:
    accuracies with and without duplicate leakage; None where fewer than 5 % are duplicates, or nothing can be measured.
    notes: sentences for the user, among them what could not be looked at. samples: the images that were looked at.
    typical: of each class the rows of the label check's most confident right predictions. hindrance: why
    no model can be trained on these data as they are; '' where nothing is known against it.
    """

    images: int
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    groups: Ints
    claims: AccuracyClaims | None
    notes: tuple[str, ...]
    samples: Samples = field(repr=False)
    typical: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    hindrance: str = ""

    def __repr__(self) -> str:
        size = f"{quantity(self.images, 'image')} of {quantity(len(self.counts), 'class', 'classes')}"
        lines = [f"{count.kind}: {count.count:,}, {count.proposal}" for count in self.summary()]
        return first_lines("\n".join([f"Audit: {self.headline()}", size, *lines]))

    def headline(self) -> str:
        """How many images are to be left out, held together and looked at."""
        repeating = len(self.of(EXACT)) + len(self.of(NEAR))
        small_classes = len(self.of(IMBALANCE))
        counts = [
            (len({finding.row for finding in self.findings if finding.proposal == EXCLUDE}), "to leave out"),
            (repeating, "that repeats another" if repeating == 1 else "that repeat others"),
            (len({finding.row for finding in self.findings if finding.proposal == LOOK} - {-1}), "to look at"),
        ]
        parts = [f"{quantity(number, 'image')} {words}" for number, words in counts if number]
        if series := {finding.group for finding in self.of(SERIES)}:
            parts.insert(0, f"The images come in series ({len(series):,}), one thing photographed several times")
        if self.of(CLASSES):
            parts.insert(0, "Classes or groups are probably wrong")
        if small_classes:
            parts.append(f"{quantity(small_classes, 'class', 'classes')} with few images")
        if parts:
            return ", ".join(parts)
        if self.hindrance:
            return "No model can be trained on these images yet"
        return "Nothing was found that would spoil a model or its measurement"

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of a kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def summary(self, examples: int = 3) -> tuple[Count, ...]:
        """A count of each kind that was found, with some examples."""
        by_kind = [(kind, self.of(kind)) for kind in KINDS]
        return tuple(
            Count(kind, len(findings), _proposals(findings), findings[:examples])
            for kind, findings in by_kind
            if findings
        )

    def duplicate_groups(self) -> dict[str, tuple[int, ...]]:
        """The rows of each group of duplicates, under its word; the image that the others repeat comes first."""
        rows: dict[str, dict[int, None]] = {}
        for finding in self.findings:
            if finding.proposal == GROUP:
                rows.setdefault(finding.group, {}).update({finding.other: None, finding.row: None})
        return {word: tuple(members) for word, members in rows.items()}

    def plan(self, duplicates: bool = False) -> tuple[PlanLine, ...]:
        """What to leave out, and what a person should decide: a line for each such image.

        Duplicates need no decision, since `train` holds them together by itself. duplicates: give each image of a group
        of duplicates a line all the same; it then stays in its group whatever else is proposed for it.
        """
        findings_of: dict[str, list[Finding]] = {}
        for finding in self.findings:
            if finding.row >= 0 and finding.proposal != GROUP:
                findings_of.setdefault(finding.name, []).append(finding)
        repeated = {name for name, count in Counter(self.samples.names).items() if count > 1}
        left_out = {
            name
            for name, findings in findings_of.items()
            if name not in repeated and any(finding.proposal == EXCLUDE for finding in findings)
        }
        words = self._words(left_out) if duplicates else {}
        if duplicates:
            for finding in self.findings:
                if finding.proposal == GROUP and finding.name in words:
                    findings_of.setdefault(finding.name, []).append(finding)
        lines = []
        for name in dict.fromkeys([*findings_of, *words]):
            action = EXCLUDE if name in left_out else GROUP if name in words else KEEP
            reason = _LISTED_TWICE if name in repeated else _reason(findings_of.get(name, ()))
            lines.append(PlanLine(name, action, reason, words.get(name, "")))
        return tuple(lines)

    def _words(self, left_out: Set[str]) -> dict[str, str]:
        """Name → word of its group, of every group of which two images or more stay; those left out carry it too."""
        words: dict[str, str] = {}
        for word, rows in self.duplicate_groups().items():
            names = dict.fromkeys(self.samples.names[row] for row in rows)
            if len(names.keys() - left_out) > 1:
                words |= dict.fromkeys(names, word)
        return words

    def write_csv(self, path: Path | str) -> None:
        """Write every finding, one a line; raises `OSError`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "kind", "severity", "proposal", "group", "compared with", "sentence"))
        for finding in self.findings:
            severity = f"{finding.severity:.3f}"
            writer.writerow(
                (finding.name, finding.kind, severity, finding.proposal, finding.group, finding.of, finding.sentence)
            )
        write_atomically(Path(path), text.getvalue().encode())

    def write_plan(self, path: Path | str, duplicates: bool = False) -> None:
        """Write the plan (see `plan` and `data.cleaning_plan`) for a person to edit; raises `OSError`.

        Raises `OptionError` where the file is there already: it may hold edits.
        """
        if Path(path).exists():
            raise OptionError(f"the plan {str(path)!r} is there already and may hold edits: name another file.")
        write_plan(Path(path), self.plan(duplicates))

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-like values."""
        return {
            "images": self.images,
            "classes": dict(self.counts),
            "distinct": len(set(self.groups.tolist())),
            "counts": {count.kind: count.count for count in self.summary()},
            "findings": [asdict(finding) for finding in self.findings],
            "claims": None if self.claims is None else asdict(self.claims),
            "hindrance": self.hindrance,
            "notes": list(self.notes),
        }


def sort_findings(findings: Iterator[Finding]) -> tuple[Finding, ...]:
    """The findings by kind, the most severe first; duplicates of one group stay together."""

    def place(finding: Finding) -> tuple[int, int, float, str]:
        group = int(finding.group) if finding.group else 0
        return KINDS.index(finding.kind), group, -finding.severity, finding.name

    return tuple(sorted(findings, key=place))


def _proposals(findings: tuple[Finding, ...]) -> str:
    return ", ".join(word for word in _STRONGEST if any(finding.proposal == word for finding in findings))


def _reason(findings: Sequence[Finding]) -> str:
    return " ".join(f"{finding.kind}: {finding.sentence}" for finding in findings) or "It has duplicates."

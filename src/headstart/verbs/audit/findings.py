"""What an audit finds: a record a finding, and all of them as counts, a CSV and a plan that a person edits.

`Audit` holds the findings; `summary` counts them by kind, `write_csv` lists them, `plan` proposes what to do with each
image. Nothing is looked for here.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headstart.data.cleaning_plan import EXCLUDE, GROUP, KEEP, PlanLine, write_plan
from headstart.data.images import quality
from headstart.errors import OptionError
from headstart.model.facts import AccuracyClaims
from headstart.records.arrays import Ints
from headstart.records.samples import Samples
from headstart.storage.files import write_atomically

UNREADABLE, CONTRADICTION, LEAK = "unreadable", "contradictory labels", "leak across splits"
EXACT, NEAR, MISLABEL, IMBALANCE = "exact duplicate", "near duplicate", "label issue", "class imbalance"
KINDS = (UNREADABLE, CONTRADICTION, LEAK, MISLABEL, EXACT, NEAR, *quality.KINDS, IMBALANCE)
"""In the order in which they matter."""
LOOK = "look at"
_ACTIONS = {EXCLUDE: EXCLUDE, GROUP: GROUP, LOOK: KEEP}
_STRONGEST = (EXCLUDE, GROUP, LOOK)


@dataclass(frozen=True)
class Finding:
    """One thing that was found of one image (or, for an imbalance, of one class).

    name: the image's name, or the class's. kind: one of `KINDS`. sentence: what was found. severity: 0 to 1, to be
    compared within a kind. proposal: 'exclude', 'group' or 'look at'. group: a word that the images of one group of
    copies share; '' for none. of: the name of the image it is compared with; '' for none. row, other: the places of the
    image and of that one among all; -1 for none. suggested: the class that a model would give; '' for none.
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


@dataclass(frozen=True, eq=False)
class Audit:
    """All that was found in a data set.

    images, counts: how many images, and of each class. findings: in the order of `KINDS`, the most severe of a kind
    first. groups: (n,) a number for each image; duplicates and images of one of the user's groups share one. claims:
    accuracies with and without duplicate leakage; None where fewer than 5 % are copies, or nothing can be measured.
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

    def plan(self) -> tuple[PlanLine, ...]:
        """A line for each image of which anything was found, with the strongest of what is proposed."""
        by_name: dict[str, list[Finding]] = {}
        for finding in self.findings:
            if finding.kind != IMBALANCE:
                by_name.setdefault(finding.name, []).append(finding)
        repeated = {name for name, count in Counter(self.samples.names).items() if count > 1}
        lines = [_keep_line(name) if name in repeated else _line(name, findings) for name, findings in by_name.items()]
        return tuple(_lines_of_first_images(lines, self.findings)) + tuple(lines)

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

    def write_plan(self, path: Path | str) -> None:
        """Write the plan (see `data.cleaning_plan`) for a person to edit; raises `OSError`.

        Raises `OptionError` where the file is there already: it may hold edits.
        """
        if Path(path).exists():
            raise OptionError(f"the plan {str(path)!r} is there already and may hold edits: name another file.")
        write_plan(Path(path), self.plan())

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


def _lines_of_first_images(lines: list[PlanLine], findings: tuple[Finding, ...]) -> Iterator[PlanLine]:
    """A line for the first image of each group that has none yet: a group of one would hold nothing together."""
    paths = {line.path for line in lines}
    for finding in findings:
        if finding.proposal == GROUP and finding.of not in paths:
            paths.add(finding.of)
            yield PlanLine(finding.of, GROUP, "It has copies.", finding.group)


def _keep_line(name: str) -> PlanLine:
    """Of a path that is listed more than once, a plan, which goes by path, can say nothing of one row alone."""
    return PlanLine(
        name, KEEP, "It is listed more than once: 'headstart train' keeps one row by itself; mend the table.", ""
    )


def _line(name: str, findings: list[Finding]) -> PlanLine:
    strongest = min(findings, key=lambda finding: _STRONGEST.index(finding.proposal))
    group = next((finding.group for finding in findings if finding.group), "")
    reason = " ".join(f"{finding.kind}: {finding.sentence}" for finding in findings)
    return PlanLine(name, _ACTIONS[strongest.proposal], reason, group)

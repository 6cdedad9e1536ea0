"""What of an audit goes on its page: which pictures, beside which, and the words around them.

`text_of` takes an `Audit` and returns the page's HTML text. At most so many pictures of a kind, the most severe first;
what is left out is counted. It looks for nothing and writes no file; `report.audit_sections` draws.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from headstart.checks import at_least, quantity
from headstart.data.cleaning_plan import EXCLUDE, GROUP
from headstart.data.duplicates.notes import ALTERATIONS
from headstart.records.samples import UNLABELLED
from headstart.report.audit_sections import Section, Shown, audit_page, bars, reasons
from headstart.report.galleries import Family, Named, Question, Shot, Typical, families, questions, shots
from headstart.storage.files import write_atomically
from headstart.verbs.audit.findings import (
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    LEAK,
    LOOK,
    MISLABEL,
    NEAR,
    UNREADABLE,
    Audit,
    Count,
    Finding,
)

_MOST_OF_FAMILY, _MOST_NAMES = 6, 4
_LEAST_SURE, _FEWEST_PARTED = 3, 6
"""Where not all near copies fit: one picture of so many is kept for the least sure, if so many are shown."""
_MEANING = {
    UNREADABLE: "They take no part in training: mend them, or leave them out.",
    CONTRADICTION: "One picture under several classes. Where the bytes are equal 'headstart train' leaves out every "
    "copy, since its label cannot be trusted. Near copies it keeps: they may be two things that look alike. Put right "
    "what is wrong where the data come from, or set the wrong one to 'exclude' in the plan.",
    LEAK: "A copy lies in a split that is measured on, so that a score there would be too good. 'headstart train' "
    "leaves out the one in the other split by itself.",
    MISLABEL: "A model that was not trained on the picture expects another class. It may be wrong: compare the picture "
    "with the small ones, those of both classes of which the model is surest. A wrong label is mended where the data "
    "come from; 'exclude' in the plan leaves the picture out.",
    EXACT: "The same bytes more than once, drawn once with every name; pictures in one frame are near copies of one "
    "another besides. Folds hold them together.",
    NEAR: f"One picture {ALTERATIONS}; 'alike' is 1 for a perfect copy. Folds hold them together.",
    IMBALANCE: "Classes with a fifth of the images of the largest, or fewer.",
}
_NOTHING = "Nothing was found that would spoil a model or its measurement"
_NO_MODEL = "No model can be trained on these images yet"
_DOUBTFUL = "Look at them: 'exclude' in the plan leaves a picture out."


def audit_html(found: Audit, *, data: str, shown: int) -> str:
    """The page's text. data: what the images came from; '' where that has no name. Raises `OptionError`."""
    at_least("shown", shown, 1)
    return audit_page(
        Shown(
            heading=_heading(found, data),
            headline=_headline(found) or (_NO_MODEL if found.hindrance else _NOTHING),
            look=_look(found),
            sentences=_sentences(found),
            facts=tuple(_facts(found)),
            sections=[_section(found, each, shown) for each in found.summary()],
            advice=tuple(_advice(found)),
            commands=_commands(found, shlex.quote(data) if data else "DATA"),
            notes=found.notes,
        )
    )


def _heading(found: Audit, data: str) -> str:
    name = f" of {Path(data).resolve().name}" if data else ""
    return f"Audit{name}: {quantity(found.images, 'image')} of {quantity(len(found.counts), 'class', 'classes')}"


def _headline(found: Audit) -> str:
    """How many images are to be left out, held together and looked at; '' where nothing was found."""
    further = len(found.of(EXACT)) + len(found.of(NEAR))
    told = [
        (len({finding.row for finding in found.findings if finding.proposal == EXCLUDE}), "to leave out"),
        (further, "that repeats another" if further == 1 else "that repeat others"),
        (len({finding.row for finding in found.findings if finding.proposal == LOOK} - {-1}), "to look at"),
    ]
    parts = [f"{quantity(number, 'image')} {words}" for number, words in told if number]
    few = len(found.of(IMBALANCE))
    return ", ".join([*parts, *([f"{quantity(few, 'class', 'classes')} with few images"] if few else [])])


def _look(found: Audit) -> str:
    misled = found.claims is not None and found.claims.leaky.low > found.claims.group_aware.high
    if found.hindrance or misled or any(finding.proposal == EXCLUDE for finding in found.findings):
        return "bad"
    return "look" if found.findings else "good"


def _sentences(found: Audit) -> list[str]:
    if found.claims is None:
        return []
    return [
        f"A split that parts copies would claim {found.claims.leaky} accuracy for a linear probe; with copies held "
        f"together it is {found.claims.group_aware}."
    ]


def _facts(found: Audit) -> Iterator[tuple[str, str, str]]:
    counts, further = list(found.counts.values()), len(found.of(EXACT)) + len(found.of(NEAR))
    yield "images", f"{found.images:,}", ""
    if counts:
        each = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,}–{max(counts):,}"
        yield "classes", f"{len(counts):,}", f"with {each} images"
    if further:
        yield "different pictures", f"{found.images - further:,}", "copies counted once"
    if unlabelled := found.images - sum(counts):
        yield "without a label", f"{unlabelled:,}", ""


def _advice(found: Audit) -> Iterator[str]:
    if found.hindrance:
        yield f"No model can be trained on these images yet: {found.hindrance}"
        return
    if not found.plan():
        yield "Train on it."
        return
    yield (
        "Look at the pictures below. Then the first command writes what is proposed for each image; change the column "
        "'action' where you disagree. The second one trains on what is left."
    )
    if any(finding.proposal == GROUP for finding in found.findings):
        yield "Copies need nothing from you: 'headstart train' finds them too and never parts them between its folds."


def _commands(found: Audit, data: str) -> list[str]:
    if found.hindrance:
        return []
    if not found.plan():
        return [f"headstart train {data}"]
    return [f"headstart audit {data} --fix plan.csv", f"headstart train {data} --exclude plan.csv"]


def _section(found: Audit, count: Count, shown: int) -> Section:
    some = found.of(count.kind)
    meaning = (_MEANING.get(count.kind, _DOUBTFUL),)
    if count.kind in (CONTRADICTION, LEAK, EXACT, NEAR):
        body, left = _copies(found, count.kind, some, shown)
    elif count.kind == UNREADABLE:
        body, left = reasons([(each.name, each.sentence) for each in some[:shown]]), len(some[shown:])
    elif count.kind == IMBALANCE:
        body, left = bars(_counts(found, some, shown)), 0
    elif count.kind == MISLABEL:
        body, left = questions([_question(found, each) for each in some[:shown]]), len(some[shown:])
    else:
        body, left = shots([_single(found, each, each.sentence) for each in some[:shown]]), len(some[shown:])
    return Section(count.kind, count.count, count.proposal, meaning, body, left)


def _single(found: Audit, finding: Finding, words: str = "") -> Shot:
    return _shot(found, [finding.row], words)


def _shot(found: Audit, rows: Sequence[int], words: str = "") -> Shot:
    """A picture that is there under the names of these rows, all of the same bytes."""
    names = [Named(found.samples.names[row], _place(found, row)) for row in rows[:_MOST_NAMES]]
    return Shot(found.samples.images[rows[0]], names, words, len(rows[_MOST_NAMES:]))


def _place(found: Audit, row: int) -> str:
    label, splits = int(found.samples.labels[row]), found.samples.splits
    name = found.samples.classes[label] if label != UNLABELLED else "no class"
    return name if splits is None else f"{name}, {splits[row]}"


def _question(found: Audit, finding: Finding) -> Question:
    label = found.samples.classes[found.samples.labels[finding.row]]
    return Question(
        Shot(found.samples.images[finding.row], [Named(finding.name)]),
        _typical(found, "labelled", label),
        _typical(found, "suggested", finding.suggested),
        finding.sentence,
    )


def _typical(found: Audit, said: str, label: str) -> Typical:
    return Typical(said, label, [found.samples.images[row] for row in found.typical.get(label, ())])


def _counts(found: Audit, few: Sequence[Finding], shown: int) -> list[tuple[str, int, bool]]:
    """The largest class and, where not all fit, the smallest ones."""
    small = {finding.name for finding in few}
    ordered = sorted(found.counts.items(), key=lambda item: -item[1])
    kept = ordered[:1] + ordered[1:][-shown:]
    return [(name, count, name in small) for name, count in kept]


def _copies(found: Audit, kind: str, some: Sequence[Finding], shown: int) -> tuple[str, int]:
    """Families of copies as HTML, and how many findings they do not show."""
    of_group: dict[str, list[Finding]] = {}
    for finding in some:
        of_group.setdefault(finding.group, []).append(finding)
    ordered = sorted(of_group.values(), key=lambda each: -min(finding.severity for finding in each))
    parted = kind == NEAR and shown >= _FEWEST_PARTED
    most = min(_MOST_OF_FAMILY, shown // _LEAST_SURE if parted else shown)
    every = [(_family(found, each, most), len(each)) for each in ordered]
    first = _fitting(every, shown)
    if not parted or len(first) == len(every):
        return families(family for family, _ in first), len(some) - sum(number for _, number in first)
    last = _fitting(every[:0:-1], shown // _LEAST_SURE)
    first = _fitting(every[: len(every) - len(last)], shown - sum(len(family.shots) for family, _ in last))
    left = len(some) - sum(number for _, number in (*first, *last))
    surest, least_sure = families(family for family, _ in first), families(family for family, _ in last)
    return f"<h3>The surest</h3>\n{surest}\n<h3>The least sure</h3>\n{least_sure}", left


def _fitting(every: Sequence[tuple[Family, int]], shown: int) -> list[tuple[Family, int]]:
    """The first families with at most so many pictures together."""
    pictures = np.cumsum([len(family.shots) for family, _ in every])
    return list(every[: int((pictures <= shown).sum())])


def _family(found: Audit, findings: Sequence[Finding], most: int) -> Family:
    """The images that these findings compare, one picture for all of the same bytes."""
    alike = {finding.row: f"alike {finding.severity:.2f}" for finding in findings if finding.kind == NEAR}
    of_content: dict[str, list[int]] = {}
    for row in dict.fromkeys(row for finding in findings for row in (finding.other, finding.row)):
        of_content.setdefault(found.samples.content[row], []).append(row)
    pictures = [_shot(found, rows, alike.get(rows[0], "")) for rows in of_content.values()]
    return Family(pictures[:most], len(pictures[most:]))


def write_audit(found: Audit, path: Path | str, *, data: str = "", shown: int = 24) -> None:
    """Write one page that shows what was found, in pictures; raises `OSError`.

    data: what the images came from, for the heading and the commands that the page names. shown: the most pictures
    of each kind of finding. Raises `OptionError` where it is under 1.
    """
    write_atomically(Path(path), audit_html(found, data=data, shown=shown).encode("utf-8", "backslashreplace"))

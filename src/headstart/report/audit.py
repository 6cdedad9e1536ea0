"""The page of an audit: which images it shows, beside which, and the numbers around them.

`audit_html` takes an `Audit` and returns the page's text (`templates/audit.html`). Of each kind at most so many images
are shown, the most severe first; what is left out is counted. Nothing is looked for here, and no file is written.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.checks import at_least, quantity
from headstart.data.cleaning_plan import EXCLUDE, GROUP
from headstart.data.duplicates.notes import ALTERATIONS
from headstart.data.modality import modality_of
from headstart.report.page import render
from headstart.verbs.audit.findings import (
    CLASSES,
    CONTRADICTION,
    EXACT,
    IMBALANCE,
    LEAK,
    MISLABEL,
    NEAR,
    SERIES,
    TEMPLATE,
    UNREADABLE,
    Audit,
    Count,
    Finding,
)

SHOWN = 24
"""Images of each kind, unless the caller says otherwise."""
_MOST_OF_GROUP = 6
_LEAST_SURE, _FEWEST_DIVIDED = 3, 6
"""Where not all near duplicates fit: one image of so many is kept for the least sure, if so many are shown."""
_MEANING = {
    UNREADABLE: "They take no part in training: mend them, or leave them out.",
    CONTRADICTION: "One image under several classes. Where the bytes are equal 'headstart train' leaves out every "
    "duplicate, since its label cannot be trusted. Near duplicates it keeps: they may be two things that look alike. "
    "Put right what is wrong where the data come from, or set the wrong one to 'exclude' in the plan.",
    LEAK: "A duplicate lies in a split that is measured on, so that a score there would be too good. 'headstart train' "
    "leaves out the one in the other split by itself.",
    CLASSES: "More labels look wrong to a model than can be: the classes or the groups are wrong, not single "
    "labels, so none is listed.",
    MISLABEL: "A model that was not trained on the image expects another class. It may be wrong: compare the image "
    "with the small ones, those of both classes of which the model is surest. A wrong label is mended where the data "
    "come from; 'exclude' in the plan leaves the image out.",
    EXACT: "The same bytes more than once, drawn once with every name; images in one frame are near duplicates of one "
    "another besides. Folds hold them together.",
    SERIES: "Photographs of one thing, as it seems: each series is kept together, so that the accuracy is for new "
    "things. Where that is wrong, say so with --group-by, or edit the plan that --fix FILE --plan-duplicates writes.",
    NEAR: f"One image {ALTERATIONS}; 'alike' is 1 for a perfect duplicate. Folds hold them together.",
    TEMPLATE: "The same first words in many texts of one class and hardly any of the others.",
    IMBALANCE: "Classes with a fifth of the images of the largest, or fewer.",
}
_QUALITY = "Look at them: 'exclude' in the plan leaves an image out."


def audit_html(result: Audit, *, data: str = "", shown: int = SHOWN, show_texts: bool = False) -> str:
    """The page's text.

    data: what the images came from, for the heading and the commands; '' where that has no name. shown: the most images
    of each kind of finding. show_texts: whole ones, not their beginnings. Raises `OptionError` where it is under 1.
    """
    at_least("shown", shown, 1)
    claims = result.claims
    return render(
        "audit.html",
        {
            "heading": _heading(result, data),
            "headline": result.headline(),
            "verdict": _verdict(result),
            "claims": None if claims is None else {"leaky": claims.leaky, "group_aware": claims.group_aware},
            "facts": list(_facts(result)),
            "hindrance": result.hindrance,
            "plan": bool(result.plan()),
            "wrong_classes": bool(result.of(CLASSES)),
            "duplicates": any(finding.proposal == GROUP for finding in result.findings),
            "data": shlex.quote(data) if data else "DATA",
            "notes": result.notes,
            "sections": [_section(result, count, shown) for count in result.summary()],
            "samples": result.samples,
            "typical": result.typical,
        },
        noun=modality_of(result.samples).noun,
        whole=show_texts,
    )


def _heading(result: Audit, data: str) -> str:
    name = f" of {Path(data).resolve().name}" if data else ""
    return f"Audit{name}: {quantity(result.images, 'image')} of {quantity(len(result.counts), 'class', 'classes')}"


def _verdict(result: Audit) -> str:
    # leaky folds flatter where even their interval's lower end lies above the group-aware interval
    flattered = result.claims is not None and result.claims.leaky.low > result.claims.group_aware.high
    if result.hindrance or flattered or any(finding.proposal == EXCLUDE for finding in result.findings):
        return "bad"
    return "look" if result.findings else "good"


def _facts(result: Audit) -> Iterator[tuple[str, str, str]]:
    """Of each a name, a value and a remark."""
    counts, repeating = list(result.counts.values()), len(result.of(EXACT)) + len(result.of(NEAR))
    yield "images", f"{result.images:,}", ""
    if counts:
        sizes = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,}–{max(counts):,}"
        yield "classes", f"{len(counts):,}", f"with {sizes} images"
    if repeating:
        yield "different images", f"{result.images - repeating:,}", "duplicates counted once"
    if unlabelled := result.images - sum(counts):
        yield "without a label", f"{unlabelled:,}", ""


def _section(result: Audit, count: Count, shown: int) -> dict[str, Any]:
    """The findings of one kind: their meaning, a layout of the template with its content, how many are left out."""
    findings = result.of(count.kind)
    first, left = findings[:shown], len(findings[shown:])
    content: Sequence[Any]
    if count.kind in (CONTRADICTION, LEAK, EXACT, NEAR, SERIES):
        layout = "duplicates"
        content, left = _duplicates(result, count.kind, findings, shown)
    elif count.kind in (UNREADABLE, CLASSES):
        layout, content = "reasons", [(finding.name, finding.sentence) for finding in first]
    elif count.kind == IMBALANCE:
        layout, content, left = "class sizes", _class_sizes(result, findings, shown), 0
    elif count.kind == MISLABEL:
        cards = _cards(result, findings)
        label = result.samples.classes
        layout, left = "label issues", sum(len(rows) for _, rows in cards[shown:])
        content = [(rows, label[result.samples.labels[f.row]], f.suggested, f.sentence) for f, rows in cards[:shown]]
    else:
        cards = _cards(result, findings)
        layout, left = "images", sum(len(rows) for _, rows in cards[shown:])
        content = [(rows, finding.sentence) for finding, rows in cards[:shown]]
    return {
        "kind": count.kind,
        "count": count.count,
        "proposal": count.proposal,
        "meaning": _MEANING.get(count.kind, _QUALITY),
        "layout": layout,
        "content": content,
        "left": left,
    }


def _cards(result: Audit, findings: Sequence[Finding]) -> list[tuple[Finding, list[int]]]:
    """The findings of single images with their rows; duplicates under one label share a card, their worst finding's."""
    word_of_row = {row: word for word, rows in result.duplicate_groups().items() for row in rows}
    cards: dict[tuple[str | int, int], tuple[Finding, list[int]]] = {}
    for finding in findings:
        key = word_of_row.get(finding.row, finding.row), int(result.samples.labels[finding.row])
        cards.setdefault(key, (finding, []))[1].append(finding.row)
    return list(cards.values())


def _class_sizes(result: Audit, findings: Sequence[Finding], shown: int) -> list[tuple[str, int, bool]]:
    """Name, images, whether these are few: the largest class and, where not all fit, the smallest ones."""
    small = {finding.name for finding in findings}
    ordered = sorted(result.counts.items(), key=lambda item: -item[1])
    return [(name, count, name in small) for name, count in ordered[:1] + ordered[1:][-shown:]]


@dataclass(frozen=True)
class DuplicateGroup:
    """Images that are compared with one another.

    images: of each the rows under which its bytes are there. severity: of near duplicates, by row. findings: how many
    it stands for. more: images that are not shown.
    """

    images: Sequence[Sequence[int]]
    severity: Mapping[int, float]
    findings: int
    more: int

    def likeness(self, rows: Sequence[int]) -> str:
        """How alike an image is to the one that it repeats, in words; '' where that was not measured."""
        return f"alike {self.severity[rows[0]]:.2f}" if rows[0] in self.severity else ""


Shelf = tuple[str, Sequence[DuplicateGroup]]


def _duplicates(result: Audit, kind: str, findings: Sequence[Finding], shown: int) -> tuple[list[Shelf], int]:
    """Groups under a title ('' for none), and how many findings they do not show."""
    by_group: dict[str, list[Finding]] = {}
    for finding in findings:
        by_group.setdefault(finding.group, []).append(finding)
    ordered = sorted(by_group.values(), key=lambda members: -min(finding.severity for finding in members))
    divided = kind == NEAR and shown >= _FEWEST_DIVIDED
    most = min(_MOST_OF_GROUP, shown // _LEAST_SURE if divided else shown)
    groups = [_duplicate_group(result, members, most) for members in ordered]
    surest, least_sure = _fitting(groups, shown), list[DuplicateGroup]()
    if divided and len(surest) < len(groups):
        least_sure = _fitting(groups[:0:-1], shown // _LEAST_SURE)
        surest = _fitting(groups[: len(groups) - len(least_sure)], shown - _number_of_images(least_sure))
    left = len(findings) - sum(group.findings for group in (*surest, *least_sure))
    if least_sure:
        return [("The surest", surest), ("The least sure", least_sure)], left
    return [("", surest)], left


def _fitting(groups: Sequence[DuplicateGroup], shown: int) -> list[DuplicateGroup]:
    """The first groups with at most so many images together."""
    images = np.cumsum([len(group.images) for group in groups])
    return list(groups[: int((images <= shown).sum())])


def _number_of_images(groups: Sequence[DuplicateGroup]) -> int:
    return sum(len(group.images) for group in groups)


def _duplicate_group(result: Audit, findings: Sequence[Finding], most: int) -> DuplicateGroup:
    """The images that these findings compare, one for all of the same bytes."""
    severity = {finding.row: finding.severity for finding in findings if finding.kind == NEAR}
    by_content: dict[str, list[int]] = {}
    for row in dict.fromkeys(row for finding in findings for row in (finding.other, finding.row)):
        by_content.setdefault(result.samples.content[row], []).append(row)
    images = list(by_content.values())
    return DuplicateGroup(images[:most], severity, len(findings), len(images[most:]))

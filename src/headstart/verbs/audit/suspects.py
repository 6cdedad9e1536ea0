"""Issues of single images, as findings: their quality, and their labels.

`quality_issues` takes thumbnails with quality facts, `label_issues` out-of-fold probabilities; an audit lists all that
they find, `train` counts it and names a few (`suspects_section`). Nothing is left out or changed for it: a suspect is
something to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.data.images.quality import find_quality_issues
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.trust.label_errors import LabelIssues, find_label_issues
from headstart.verbs.audit.findings import CLASSES, LOOK, MISLABEL, Finding

if TYPE_CHECKING:
    from headstart.data.duplicates.thumbnails import Thumbnails

_MOST = 1 / 3
"""Of all labels: where more look wrong, it is not the labels that are."""


def quality_issues(thumbnails: Thumbnails, names: Sequence[str]) -> tuple[Finding, ...]:
    """Tiny, very long, near-black, near-white, even and blurred images. names: of all that `thumbnails.rows` counts."""
    return tuple(
        Finding(names[issue.row], issue.kind, issue.sentence, issue.severity, LOOK, row=issue.row)
        for issue in find_quality_issues(thumbnails)
    )


def label_issues(samples: Samples, probabilities: Floats, rows: Ints | None = None) -> tuple[tuple[Finding, ...], Ints]:
    """Labels that are probably wrong, the least likely first; and which of the samples they are, (m,).

    Where they are more than a third of all, one finding says so in their place: its kind is `CLASSES`.

    probabilities: (n, K), by models that were not trained on the image. rows: (n,) what the findings call the samples'
    rows; 0 to n - 1 by default.
    """
    issues = find_label_issues(samples.labels, probabilities)
    if len(issues) > _MOST * len(samples):
        return (_wrong_classes(len(issues), len(samples)),), issues.rows
    rows = np.arange(len(samples)) if rows is None else rows
    return tuple(_mislabel(samples, probabilities, rows, issues, i) for i in range(len(issues))), issues.rows


def _wrong_classes(count: int, images: int) -> Finding:
    sentence = (
        f"{count:,} of {images:,} labels ({100 * count / images:.0f} %) disagree with a model that has not seen the "
        "images. So many are not wrong labels: the classes look alike, or are no classes (splits, dates, sources), or "
        "images of one series stand apart: check the classes, and name series with a group column."
    )
    return Finding("all labels", CLASSES, sentence, count / images, LOOK)


def _mislabel(samples: Samples, probabilities: Floats, rows: Ints, issues: LabelIssues, i: int) -> Finding:
    row, suggested, quality = int(issues.rows[i]), int(issues.suggested[i]), float(issues.quality[i])
    sentence = (
        f"It is labelled {samples.classes[samples.labels[row]]!r}; a model that has not seen it says "
        f"{samples.classes[suggested]!r} ({100 * probabilities[row, suggested]:.0f} %; {100 * quality:.0f} % for its "
        "label)."
    )
    return Finding(
        samples.names[row],
        MISLABEL,
        sentence,
        1 - quality,
        LOOK,
        row=int(rows[row]),
        suggested=samples.classes[suggested],
    )

"""What is doubtful about single images, as findings: their quality, and their labels.

`of_pictures` takes the facts of pictures, `of_labels` out-of-fold probabilities; an audit lists all that they find,
`train` counts it and names a few (`told`). Nothing is left out or changed for it: a doubt is something to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.images.quality import KINDS as QUALITY
from headstart.data.images.quality import find_quality_issues
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.trust.label_errors import LabelIssues, find_label_issues
from headstart.verbs.audit.findings import LOOK, MISLABEL, Finding

if TYPE_CHECKING:
    from headstart.data.duplicates.thumbnails import Thumbnails

_EXAMPLES = 3


def quality_issues(seen: Thumbnails, names: Sequence[str]) -> tuple[Finding, ...]:
    """Tiny, very long, near-black, near-white, even and blurred pictures. names: of all that `seen.rows` counts."""
    return tuple(
        Finding(names[doubt.row], doubt.kind, doubt.sentence, doubt.severity, LOOK, row=doubt.row)
        for doubt in find_quality_issues(seen)
    )


def label_issues(samples: Samples, probabilities: Floats, rows: Ints | None = None) -> tuple[tuple[Finding, ...], Ints]:
    """Labels that are probably wrong, the most doubtful first; and which of the samples they are, (m,).

    probabilities: (n, K), by models that had not seen the image. rows: (n,) what the findings call the samples' rows;
    their own by default.
    """
    wrong = find_label_issues(samples.labels, probabilities)
    places = np.arange(len(samples)) if rows is None else rows
    return tuple(_mislabel(samples, probabilities, places, wrong, i) for i in range(len(wrong))), wrong.rows


def _mislabel(samples: Samples, probabilities: Floats, places: Ints, wrong: LabelIssues, i: int) -> Finding:
    row, suggested, quality = int(wrong.rows[i]), int(wrong.suggested[i]), float(wrong.quality[i])
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
        row=int(places[row]),
        suggested=samples.classes[suggested],
    )


def suspects_section(findings: Sequence[Finding]) -> dict[str, Any]:
    """For a manifest: of each kind how many there are, and the first few."""
    kinds = [kind for kind in (MISLABEL, *QUALITY) if any(each.kind == kind for each in findings)]
    return {kind: _told([each for each in findings if each.kind == kind]) for kind in kinds}


def _told(some: Sequence[Finding]) -> dict[str, Any]:
    first = [{"image": each.name, "sentence": each.sentence} for each in some[:_EXAMPLES]]
    return {"count": len(some), "examples": first}

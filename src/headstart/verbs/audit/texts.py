"""What an audit looks for in texts alone: empty ones, and a beginning that many of them share.

The rest of the audit (duplicates, contradictions, leaks, label issues, imbalance) is that of images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from headstart.checks import quantity
from headstart.data.texts.items import plain_text
from headstart.errors import UnreadableImage
from headstart.records.samples import Failure, Samples
from headstart.verbs.audit.findings import LOOK, TEMPLATE, Finding

_WORDS = 4
_SHARE, _FEWEST = 0.3, 10
"""A beginning is named where so large a share of a class, and so many texts, have it and most others have not."""
_SHOWN = 40


def text_failures(samples: Samples) -> tuple[Failure, ...]:
    """The texts of which nothing is left."""
    failures = []
    for row, item in enumerate(samples.items):
        try:
            plain_text(item)
        except UnreadableImage as error:
            failures.append(Failure(row, samples.names[row], str(error)))
    return tuple(failures)


def template_findings(samples: Samples) -> Iterator[Finding]:
    """Beginnings of four words that a large share of one class has, and hardly any text of the others.

    A header, a form's name or a greeting: a model reads the class off it and knows nothing of texts without it.
    """
    beginnings = [" ".join(str(item).split()[:_WORDS]) for item in samples.items]
    sizes = np.bincount(samples.labels[samples.labels >= 0], minlength=len(samples.classes))
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, beginning in enumerate(beginnings):
        if beginning.count(" ") == _WORDS - 1 and samples.labels[row] >= 0:
            rows_of[beginning].append(row)
    for beginning, rows in rows_of.items():
        label, count = Counter(samples.labels[rows].tolist()).most_common(1)[0]
        if count < _FEWEST or count < _SHARE * sizes[label] or count < 0.9 * len(rows):
            continue
        name = samples.classes[label]
        sentence = (
            f"{quantity(count, 'text')} of {int(sizes[label]):,} begin with '{beginning[:_SHOWN]}', and hardly any of "
            "the other classes: a model may read the class off that. Take it off where new texts will not have it."
        )
        yield Finding(name, TEMPLATE, sentence, count / int(sizes[label]), LOOK)

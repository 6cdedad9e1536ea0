"""Ridge on frozen features that is trained on further views of its images too: data augmentation without a network.

`plan_augmented` embeds a few views of every training image and gives the strategy. A view is held out whenever its
image is, and what is scored are the images themselves, seen whole: nothing is dearer at prediction time. It helps where
images are few (docs/evidence/choosing.md), so it takes no part where they are many or time is short.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart import fingerprint
from headstart.checks import quantity
from headstart.choose.score_cache import CachedStrategy
from headstart.choose.strategy import About, Fitted
from headstart.data.modality import modality_of
from headstart.embed.features import embed_view
from headstart.heads.base import PathScores
from headstart.heads.catalog import HEADS
from headstart.model.refit import AUGMENTED
from headstart.pipeline.candidates import HeadStrategy
from headstart.records.arrays import Floats
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

VIEWS = 3
"""Further views of every image, at most."""
HEAD = "ridge"
_MOST_ROWS = 1600
"""Images and their views together: a decomposition of more takes long, and there views gain little."""
_EMBEDDING = 0.02
"""Seconds for an image and 10⁹ multiply-adds on two processors."""
_SHARE = 0.1
"""Of the time that is left goes to embedding views, at most."""
_GAIN = 0.01
"""It gained about this on average over seven sets at 20 images a class; it decides ties alone."""


@dataclass(frozen=True, eq=False)
class AugmentedStrategy:
    """A head on frozen features, trained on images and views of them.

    plain: the same head without views. X: (n (1 + v), d) the images' features, then each view's.
    """

    about: About
    plain: HeadStrategy
    X: Floats
    head: str = AUGMENTED

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said of its scoring."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores of the images, with the strength that the other folds' images choose."""
        head, copies = self.plain.make({}), len(self.X) // len(rows)
        runner = (
            head
            if self.plain.cache is None
            else CachedStrategy(head, fingerprint.hash_array(self.X), self.plain.cache[0])
        )
        path = runner.path_scores(self.X, np.tile(rows.target.values, copies), np.tile(rows.folds, copies))
        return self.plain.choose(replace(path, scores=path.scores[:, :, : len(rows)]), rows)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The head trained on all rows and views; what stands for its view of the rows are the images alone."""
        copies = len(self.X) // len(rows)
        head = self.plain.make(configuration).fit(self.X, np.tile(rows.target.values, copies))
        note = f"The head was trained on every image and {quantity(copies - 1, 'closer view')} of it."
        return Fitted(self.plain.parts, head.form_, self.plain.X, (note,))


def plan_augmented(
    prepared: Prepared, division: Division, options: Options, heads: list[HeadStrategy], left: float
) -> list[AugmentedStrategy]:
    """The strategy on what the widest ridge looks at; none where images are many, or little time is left.

    left: seconds of the budget.
    """
    ridges = [head for head in heads if head.head == HEAD and head.signed_sqrt]
    heads_alone = options.heads is None and not options.named  # 'frozen': no head is named, and no fine-tune
    if not (options.auto or heads_alone) or not ridges or not modality_of(prepared.samples).squares:
        return []
    plain = max(ridges, key=lambda head: head.X.shape[1])
    samples = prepared.samples.take(division.fit)
    views = []
    for number in range(_affordable(len(plain.X), plain.about.cost, left)):
        tables = [embed_view(samples, part.backbone, number, options.run, taps=part.taps) for part in plain.parts]
        if any(len(table.rows) < len(samples) for table in tables):  # a file that has gone since
            return []
        columns = [table.joined(part.taps) for table, part in zip(tables, plain.parts, strict=True)]
        views.append(np.concatenate(columns, axis=1))
    if not views:
        return []
    X = np.concatenate([plain.X, *views])
    n, d = X.shape
    fits = division.folds.shape[0] * (int(division.folds.max()) + 1)
    about = replace(
        plain.about,
        name=f"augmented {HEAD}",
        prior=plain.about.prior + _GAIN,
        seconds=HEADS[HEAD].seconds(n, d, len(samples.target.names), fits),
    )
    return [AugmentedStrategy(about, plain, X)]


def _affordable(images: int, cost: float, left: float) -> int:
    """How many views there are rows and time for. cost: of an image, in 10⁹ multiply-adds.

    >>> _affordable(140, 1.3, 300.0), _affordable(600, 1.3, 300.0), _affordable(140, 1.3, 5.0)
    (3, 1, 0)
    """
    by_time = math.inf if math.isinf(left) else _SHARE * left / (_EMBEDDING * cost * images)
    return int(max(0, min(VIEWS, _MOST_ROWS // images - 1, by_time)))

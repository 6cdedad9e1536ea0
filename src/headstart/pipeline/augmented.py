"""Ridge on frozen features that is trained on further views of its images too: data augmentation without a network.

`plan_augmented` embeds a few views of every training image and gives the strategy. A view is held out whenever its
image is, and what is scored are the images themselves, seen whole: nothing is dearer at prediction time. It helps where
images are few (docs/evidence/choosing.md), so it takes no part where they are many or time is short.
"""

from __future__ import annotations

import itertools
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
from headstart.heads.tuning import refined_losses
from headstart.model.refit import AUGMENTED
from headstart.pipeline.candidates import HeadStrategy
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows

if TYPE_CHECKING:
    from headstart.data.splits import Division
    from headstart.pipeline.options import Options
    from headstart.pipeline.prepare import Prepared

VIEWS = 3
"""Further views of every image, at most."""
HEAD = "ridge"
VIEWED = "views"
"""Of a configuration: how many views of every image the head was trained on besides."""
_MOST_IMAGES = 250
"""With more, nothing was seen to be gained, and on screenshots of charts something to be lost."""
_EMBEDDING = 0.02
"""Seconds for an image and 10⁹ multiply-adds on two processors."""
_SHARE = 0.1
"""Of the time that is left goes to embedding views, at most."""
_GAIN = 0.01
"""It gained about this on average over seven sets at 20 images a class; it decides ties alone."""


@dataclass(frozen=True, eq=False)
class AugmentedStrategy:
    """Ridge on frozen features, trained on images alone or on views of them too: as their log-loss decides.

    plain: the head without views. X: (n (1 + v), d) the images' features, then each view's.
    """

    plain: HeadStrategy
    X: Floats

    @property
    def about(self) -> About:
        """As the plain head's; views cost nothing at prediction time."""
        about, copies = self.plain.about, len(self.X) / len(self.plain.X)
        return replace(about, prior=about.prior + _GAIN, seconds=(1 + copies**2) * about.seconds)

    @property
    def head(self) -> str:
        """The head's name."""
        return self.plain.head

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing needs to be said of its scoring."""
        return ()

    def path(self, rows: Rows) -> PathScores:
        """Out-of-fold scores of the images; strength, and views or none, are chosen by the other folds' images."""
        copies = len(self.X) // len(rows)
        alone = self.plain.choose(self._path_scores(self.plain.X, rows.target.values, rows.folds), rows)
        both = self._path_scores(self.X, np.tile(rows.target.values, copies), np.tile(rows.folds, copies))
        viewed = self.plain.choose(replace(both, scores=both.scores[:, :, : len(rows)]), rows)
        configurations = (alone.configurations[0], {**viewed.configurations[0], VIEWED: copies - 1})
        scores = np.concatenate([alone.scores, viewed.scores])
        losses = np.stack([refined_losses(one, rows.labels) for one in scores])
        crossed, held_out = scores[0].copy(), rows.folds >= 0
        for repeat, fold in itertools.product(range(len(rows.folds)), range(rows.fold_count)):
            test = rows.folds[repeat] == fold
            choice = int(_views_help(losses[:, repeat, held_out[repeat] & ~test]))
            crossed[repeat, test] = scores[choice, repeat, test]
        return PathScores((configurations[int(_views_help(losses[:, held_out]))],), crossed[None])

    def _path_scores(self, X: Floats, labels: Any, folds: Ints) -> PathScores:
        head, cache = self.plain.make({}), self.plain.cache
        runner = head if cache is None else CachedStrategy(head, fingerprint.hash_array(X), cache[0])
        return runner.path_scores(X, labels, folds)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """The head trained on all rows and their views; what stands for its view of the rows are the images alone."""
        views = int(configuration.get(VIEWED, 0))
        own = {name: value for name, value in configuration.items() if name != VIEWED}
        if not views:
            return self.plain.fit(rows, own)
        head = self.plain.make(own).fit(self.X, np.tile(rows.target.values, 1 + views))
        note = f"The head was trained on every image and {quantity(views, 'closer view')} of it."
        return Fitted(self.plain.parts, head.form_, self.plain.X, (note,), head=AUGMENTED)


def _views_help(losses: Floats) -> bool:
    """Whether to train on views: they help on most data, so unless these say otherwise beyond one standard error.

    losses: (2, rows) log-loss of each row without views and with them.

    >>> _views_help(np.array([[0.5, 0.4, 0.6], [0.5, 0.5, 0.5]])), _views_help(np.array([[0.1, 0.2], [0.5, 0.7]]))
    (True, False)
    """
    worse = losses[1] - losses[0]
    return bool(worse.mean() <= worse.std() / math.sqrt(max(len(worse), 1))) if len(worse) else True


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
    return [AugmentedStrategy(plain, np.concatenate([plain.X, *views]))]


def _affordable(images: int, cost: float, left: float) -> int:
    """How many views there is time for; none of many images. cost: of an image, in 10⁹ multiply-adds.

    >>> _affordable(140, 1.3, 300.0), _affordable(140, 1.3, 80.0), _affordable(600, 1.3, 300.0)
    (3, 2, 0)
    """
    if images > _MOST_IMAGES:
        return 0
    by_time = math.inf if math.isinf(left) else _SHARE * left / (_EMBEDDING * cost * images)
    return int(max(0, min(VIEWS, by_time)))

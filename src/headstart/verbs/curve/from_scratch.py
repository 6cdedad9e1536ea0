"""The accuracy of a network trained from random weights on a few of the images: the third line of the curve.

`measure_from_scratch` draws labels as the other lines do, trains the backbone's architecture on them from nothing and
tests on other images. A training takes minutes, so few sizes are measured, each on two folds. Needs the extra
`finetune`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart.choose.curves.fit import CurvePoint
from headstart.choose.curves.subsets import measure
from headstart.finetune.recipe import Recipe
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.device import Device

SCRATCH = "from scratch"
"""What the line is called."""
FITS = 2
_APART = 4
_MOST_SIZES = 3


def sizes_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """The largest size, and about a quarter and a sixteenth of it.

    >>> sizes_of((1, 2, 3, 5, 7, 10, 15, 20, 24)), sizes_of((1, 2))
    ((1, 5, 24), (2,))
    """
    chosen = [sizes[-1]]
    for size in reversed(sizes):
        if size * _APART <= chosen[-1] and len(chosen) < _MOST_SIZES:
            chosen.append(size)
    return tuple(reversed(chosen))


def check_from_scratch(name: str) -> None:
    """Raise `MissingExtra` now, before any work, where nothing can be trained here."""
    from headstart.backbones.conversion.convert import require_extra

    require_extra("Training from scratch", name)


def measure_from_scratch(
    backbone: Backbone,
    samples: Samples,
    folds: Ints,
    sizes: Sequence[int],
    *,
    groups: Ints | None,
    device: Device,
    seed: int,
    recipe: Recipe | None = None,
) -> CurvePoint:
    """Accuracy with each of `sizes` labels per class. samples: with the rows of folds (repeats, n). recipe: how the
    network trains, None for the defaults."""
    return measure(
        np.arange(len(samples), dtype=np.float32)[:, None],
        samples.labels,
        folds,
        head=lambda: _ScratchNetwork(backbone, samples, recipe or Recipe(), device, seed),
        sizes=sizes,
        fits=[FITS] * len(sizes),
        groups=groups,
        seed=seed,
        label="learning from few and many (from scratch)",
        workers=1,
    )


@dataclass(eq=False)
class _ScratchNetwork:
    """A network behind a head's interface: its one feature is the row's number; it trains when asked for scores."""

    backbone: Backbone
    samples: Samples
    recipe: Recipe
    device: Device
    seed: int

    def fit(self, X: Floats, y: Ints) -> None:
        """Keep the rows to train on."""
        self._rows = X[:, 0].astype(np.int64)
        self.classes_ = np.arange(len(self.samples.classes))
        self.form_ = self

    def scores(self, X: Floats) -> Floats:
        """Scores (m, classes) of the rows, by a network trained from nothing on the others."""
        from headstart.finetune.fine_tune import FineTune
        from headstart.finetune.strategies import parse_strategy

        rows = X[:, 0].astype(np.int64)
        samples = self.samples.take(np.concatenate([self._rows, rows]))
        folds = np.repeat([-1, 0], [len(self._rows), len(rows)])[None]
        strategy = parse_strategy("scratch")
        fine_tune = FineTune(self.backbone, strategy, self.recipe, samples, self.device, self.seed, cache=False)
        embeddings = np.zeros((len(samples), self.backbone.last.width), np.float32)  # not looked at
        scores: Floats = fine_tune.path_scores(embeddings, samples.labels, folds).scores[0, 0]
        return scores[len(self._rows) :]

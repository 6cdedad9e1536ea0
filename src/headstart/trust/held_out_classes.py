"""How well a novelty score finds a class that it was not fitted to: every class in turn plays the unknown one.

Takes ways of fitting a score, embeddings, labels and folds; gives an AUROC for each way and class. Known rows are
scored out of fold. It sets no threshold and picks no winner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.auroc import auroc
from headstart.records import Floats, Ints
from headstart.trust.nearest import spread
from headstart.trust.novelty import Form

Fit: TypeAlias = Callable[[Floats, Ints], Form]

MOST_ROWS = 500
MOST_CLASSES = 10
_LEAST_KNOWN = 2


@dataclass(frozen=True, eq=False)
class HeldOutClasses:
    """AUROC of each score for each class that was left out.

    auroc: name → (classes,). classes: their numbers; empty where no class could be left out.
    """

    auroc: Mapping[str, NDArray[np.float64]]
    classes: Ints

    def means(self) -> dict[str, float]:
        """The mean over classes, by name; empty where no class could be left out."""
        return {name: float(values.mean()) for name, values in self.auroc.items()} if len(self.classes) else {}


def leave_one_class_out(
    fits: Mapping[str, Fit],
    X: Floats,
    labels: Ints,
    folds: Ints,
    *,
    most_rows: int = MOST_ROWS,
    most_classes: int = MOST_CLASSES,
) -> HeldOutClasses:
    """Fit without a class and without a fold, score the fold; AUROC of that class against the others, folds pooled.

    X: (n, d). labels: (n,). folds: (n,), 0 and up. Of more than `most_rows` rows that many are used, and of more than
    `most_classes` classes that many are left out, spread evenly: the larger ones are not preferred.
    """
    kept = spread(labels, most_rows)
    X, labels, folds = X[kept], labels[kept], folds[kept]
    present = np.unique(labels)
    if len(present) < 2:
        return HeldOutClasses({name: np.zeros(0) for name in fits}, np.zeros(0, np.int64))
    count = min(most_classes, len(present))
    classes = present[np.linspace(0, len(present) - 1, count).round().astype(np.int64)]
    found = {name: np.array([_one(fit, X, labels, folds, int(c)) for c in classes]) for name, fit in fits.items()}
    usable = ~np.isnan(np.stack(list(found.values()))).any(axis=0)
    return HeldOutClasses({name: values[usable] for name, values in found.items()}, classes[usable])


def _one(fit: Fit, X: Floats, labels: Ints, folds: Ints, left_out: int) -> float:
    novel = labels == left_out
    scores = np.full(len(X), np.nan)
    for fold in np.unique(folds):
        trained = (folds != fold) & ~novel
        if trained.sum() >= _LEAST_KNOWN:
            scores[folds == fold] = fit(X[trained], labels[trained]).score(X[folds == fold])
    low, high = (scores[each & ~np.isnan(scores)] for each in (~novel, novel))
    return auroc(low, high) if len(low) and len(high) else float("nan")


def out_of_fold(fit: Fit, X: Floats, labels: Ints, folds: Ints) -> Floats:
    """The novelty (n,) of each row by the score fitted without its fold."""
    scores = np.empty(len(X), np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        scores[held] = fit(X[~held], labels[~held]).score(X[held])
    return scores

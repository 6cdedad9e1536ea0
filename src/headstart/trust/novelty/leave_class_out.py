"""AUROC of a novelty score on classes that it was not fitted to: every class in turn is left out.

Takes a way of fitting, embeddings, labels and folds; gives an AUROC for each class. Known rows are scored out of fold.
It sets no threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.data.sampling import stratified_subsample
from headstart.metrics.auroc import auroc
from headstart.progress import Advance
from headstart.records.arrays import Floats, Ints

Score: TypeAlias = Callable[[Floats], Floats]
Fit: TypeAlias = Callable[[Floats, Ints], Score]
"""Rows (n, d) and classes (n,) → what scores other rows: (m, d) → (m,), or (m, c) for values not yet put together."""

MOST_ROWS = 500
MOST_CLASSES = 10
_FITS = 10
"""About so many fits in all: with few classes each is left out with several folds, with many with one."""
_LEAST_KNOWN = 2


def leave_one_class_out(
    fit: Fit,
    X: Floats,
    labels: Ints,
    folds: Ints,
    *,
    most_rows: int = MOST_ROWS,
    most_classes: int = MOST_CLASSES,
) -> dict[int, float]:
    """Class number → AUROC of its rows against the known rows of a fold, by a score fitted without the class and fold.

    X: (n, d). labels: (n,). folds: (n,), 0 and up. Of more than `most_rows` rows that many are used, and of more than
    `most_classes` classes that many are left out, spread evenly: the larger ones are not preferred. The mean over the
    folds that a class was left out with. Classes that cannot be left out are missing.
    """
    sample = stratified_subsample(labels, most_rows)
    X, labels, folds = X[sample], labels[sample], folds[sample]
    present, fold_numbers = np.unique(labels), np.unique(folds)
    if len(present) < 2:
        return {}
    count = min(most_classes, len(present))
    classes = present[np.linspace(0, len(present) - 1, count).round().astype(np.int64)]
    folds_a_class = min(len(fold_numbers), max(1, _FITS // count))
    mean_areas = {}
    for place, left_out in enumerate(classes.tolist()):
        turns = fold_numbers[(place * folds_a_class + np.arange(folds_a_class)) % len(fold_numbers)]
        areas = [_auroc_without(fit, X, labels, folds == fold, left_out) for fold in turns]
        if not np.isnan(areas).all():
            mean_areas[left_out] = float(np.nanmean(areas))
    return mean_areas


def _auroc_without(fit: Fit, X: Floats, labels: Ints, fold_mask: NDArray[np.bool_], left_out: int) -> float:
    novel = labels == left_out
    trained, tested = ~fold_mask & ~novel, fold_mask & ~novel
    if trained.sum() < _LEAST_KNOWN or not tested.any():
        return float("nan")
    score = fit(X[trained], labels[trained])
    return auroc(score(X[tested]), score(X[novel]))


def planned_fits(labels: Ints, folds: Ints) -> int:
    """How many times `out_of_fold` and `leave_one_class_out` fit together, at most."""
    count, fold_count = min(MOST_CLASSES, len(np.unique(labels))), len(np.unique(folds))
    return fold_count + count * min(fold_count, max(1, _FITS // count))


def counted(fit: Fit, advance: Advance) -> Fit:
    """The way of fitting, which reports each fit as done."""

    def fit_one(X: Floats, labels: Ints) -> Score:
        score = fit(X, labels)
        advance(1)
        return score

    return fit_one


def out_of_fold(fit: Fit, X: Floats, labels: Ints, folds: Ints) -> Floats:
    """What each row (n, d) gets from the score fitted without its fold: (n,), or (n, c)."""
    folds = np.unique(folds, return_inverse=True)[1]
    pieces = [fit(X[folds != fold], labels[folds != fold])(X[folds == fold]) for fold in range(folds.max() + 1)]
    values = np.empty((len(X), *pieces[0].shape[1:]), np.float32)
    for fold, piece in enumerate(pieces):
        values[folds == fold] = piece
    return values

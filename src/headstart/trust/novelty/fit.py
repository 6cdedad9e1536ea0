"""Fits the novelty score: the known classes at each layer, and a threshold at a stated false-positive rate.

Takes the embeddings that a model was trained on, with labels; gives a `Novelty` for the bundle and how well it does:
AUROC of left-out classes, the false-positive rate. Nothing here runs at prediction time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.data.sampling import stratified_subsample
from headstart.errors import DataError
from headstart.heads.tuning import internal_folds
from headstart.progress import bar
from headstart.records.arrays import Floats, Ints
from headstart.trust.inputs import numbers, rows
from headstart.trust.novelty.by_layer import ByLayer, LayerScale, fit_layers, fit_scale, layer_values
from headstart.trust.novelty.leave_class_out import Score, counted, leave_one_class_out, out_of_fold, planned_fits
from headstart.trust.novelty.score import Novelty
from headstart.trust.novelty.threshold import Threshold, threshold_at

RATE = 0.05
"""The false-positive rate: the share of known images that may be flagged as novel."""
MOST_SCORED = 10_000
"""Rows on which the threshold is set. Fewer would do for that; triage asks of each whether it was flagged."""


@dataclass(frozen=True, eq=False)
class FittedNovelty:
    """A novelty score with how well it does.

    novelty: for the bundle. threshold: with its expected false-positive rate. auroc: class number → AUROC of that
    class, left out, against known rows; empty where no class could be left out. rows: (m,) which of the training rows
    were scored out of fold. flagged: (m,) which of these lie above the threshold.
    """

    novelty: Novelty
    threshold: Threshold
    auroc: Mapping[int, float]
    rows: Ints
    flagged: NDArray[np.bool_]

    @property
    def mean_auroc(self) -> float | None:
        """The mean over left-out classes; None where there is none."""
        return float(np.mean(list(self.auroc.values()))) if self.auroc else None

    def sentences(self) -> tuple[str, ...]:
        """For a user: how well unknown classes are ranked, and how often known images are flagged."""
        if self.mean_auroc is None:
            return (self.threshold.sentence(),)
        ranking = (
            f"Novelty: {quantity(len(self.auroc), 'class', 'classes')} left out in turn, and the images of that class "
            f"ranked above known ones: AUROC {self.mean_auroc:.2f} (0.5 is guessing, 1 perfect)."
        )
        return ranking, self.threshold.sentence()

    def to_dict(self) -> dict[str, Any]:
        """What was measured, JSON-able, for a manifest."""
        t = self.threshold
        return {
            "kind": self.novelty.kind,
            "taps": list(self.novelty.taps),
            "auroc": {} if self.mean_auroc is None else {self.novelty.kind: self.mean_auroc},
            "classes_left_out": len(self.auroc),
            "false_alarms": {"asked": t.asked, "expected": t.expected, "low": t.low, "high": t.high, "rows": t.rows},
        }


def fit_novelty(
    X: Any,
    labels: Any,
    *,
    widths: Sequence[int] | None = None,
    folds: Ints | None = None,
    groups: Ints | None = None,
    rate: float = RATE,
) -> FittedNovelty:
    """Learn a novelty score from training embeddings X (n, d) and their class numbers (n,).

    widths: of the layers that stand side by side in X; one layer by default. folds: (n,), the fold of each row; five
    stratified ones by default, which keep groups together where `groups` (n,) are given. Near-duplicates must share a
    fold (or a group), or else the threshold comes out too low. rate: the false-positive rate. The threshold rests on
    out-of-fold scores while the returned score is fitted on all rows, which errs on the side of fewer false alarms.
    Raises `DataError` for rows that cannot be used.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> fitted = fit_novelty(X + 6 * np.eye(8, dtype=np.float32)[np.arange(60) % 3], np.arange(60) % 3)
    >>> fitted.novelty.is_novel(6 * np.eye(8)).tolist()
    [False, False, False, True, True, True, True, True]
    """
    X = rows(X, what="training embeddings")
    widths = _widths(widths, X.shape[1])
    labels = numbers(labels, len(X), "labels")
    _check(labels)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    if groups is not None:
        groups = numbers(groups, len(X), "groups")
    folds = numbers(folds, len(X), "folds") if folds is not None else _folds(labels, groups)
    if len(np.unique(folds)) < 2:
        raise DataError("novelty needs rows in at least two folds, to set its threshold on rows that it has not seen.")

    sample = stratified_subsample(labels, MOST_SCORED)
    with bar("telling what is novel", planned_fits(labels, folds), unit="fits") as advance:
        values = out_of_fold(counted(partial(_layer_values, widths), advance), X[sample], labels[sample], folds[sample])
        scale = fit_scale(values)
        scores = scale.mean_log_tail(values)
        threshold = threshold_at(scores, rate, groups=None if groups is None else groups[sample])
        areas = leave_one_class_out(counted(partial(_scores, widths, scale), advance), X, labels, folds)
    novelty = Novelty(ByLayer(fit_layers(X, labels, widths), scale), threshold.value, rate)
    return FittedNovelty(novelty, threshold, areas, sample, scores > np.float32(threshold.value))


def _layer_values(widths: Sequence[int], X: Floats, labels: Ints) -> Score:
    return partial(layer_values, fit_layers(X, labels, widths))


def _scores(widths: Sequence[int], scale: LayerScale, X: Floats, labels: Ints) -> Score:
    """With the scale of all classes: that of the others alone would take a fold within each fold."""
    return ByLayer(fit_layers(X, labels, widths), scale).score


def _widths(widths: Sequence[int] | None, d: int) -> tuple[int, ...]:
    layers = (d,) if widths is None else tuple(int(width) for width in widths)
    if min(layers, default=0) < 1 or sum(layers) != d:
        raise DataError(f"the layers' widths must add up to the {d} numbers of a row; found {list(layers)}.")
    return layers


def _check(labels: Ints) -> None:
    if len(labels) < 2:
        raise DataError(f"novelty needs at least 2 training images; found {len(labels)}.")
    if labels.min() < 0:
        raise DataError("novelty is learned from labelled images; some of these have no label: leave them out.")


def _folds(labels: Ints, groups: Ints | None) -> Ints:
    """Five folds: stratified, with lone rows assigned too; or of whole groups."""
    if groups is not None:
        members = np.unique(groups, return_inverse=True)[1]
        return np.random.default_rng(0).permutation(members.max() + 1)[members] % 5
    stratified = internal_folds(labels)[0]
    return np.where(stratified < 0, np.arange(len(labels)) % 5, stratified)

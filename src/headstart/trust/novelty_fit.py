"""Learning when to call a picture novel: two scores compared on left-out classes, a threshold at a stated rate.

Takes the embeddings that a model was trained on, with labels; gives a `Novelty` for the bundle and what was measured
on the way. Nothing here runs at prediction time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import counted, one_of
from headstart.errors import DataError
from headstart.heads.selection import internal_folds
from headstart.records import Floats, Ints
from headstart.trust.arrays import numbers, rows
from headstart.trust.both_distances import BothDistances, summed
from headstart.trust.false_alarms import Threshold, threshold_at
from headstart.trust.held_out_classes import Fit, leave_one_class_out, out_of_fold
from headstart.trust.mahalanobis import fit_mahalanobis
from headstart.trust.nearest import fit_nearest, spread
from headstart.trust.novelty import FORMS, Form, Novelty

RATE = 0.05
"""The share of known pictures that may be flagged by mistake."""
CLEARLY = 0.05
"""One score alone is taken where its AUROC is higher by more than this. Smaller differences between the classes at hand
often turned out the other way for a new one; then the sum of both scores is the safer choice."""
MOST_SCORED = 10_000
"""Rows on which the threshold is set. Fewer would do for that; triage asks of each whether it was flagged."""

_TINY = 1e-6

FITS: dict[str, Fit] = {"mahalanobis": fit_mahalanobis, "nearest": fit_nearest}


_USED = {
    "mahalanobis": "the distance to the classes (mahalanobis) is used",
    "nearest": "the distance to single images (nearest) is used",
    "both": "too near each other to choose between, so their sum is used",
}


@dataclass(frozen=True, eq=False)
class FittedNovelty:
    """A novelty score with what was measured while it was chosen.

    novelty: for the bundle. threshold: what its false-alarm rate is worth. auroc: score → mean AUROC over left-out
    classes, empty where no class could be left out (one class, or the kind was given). left_out: how many were. rows:
    (m,) which of the training rows were scored out of fold. flagged: (m,) which of these lie above the threshold.
    """

    novelty: Novelty
    threshold: Threshold
    auroc: Mapping[str, float]
    left_out: int
    rows: Ints
    flagged: NDArray[np.bool_]

    def sentences(self) -> tuple[str, ...]:
        """What a user should know: how well unknown classes were found, and how often known pictures are flagged."""
        if not self.auroc:
            return (self.threshold.sentence(),)
        each = ", ".join(f"{name} {value:.2f}" for name, value in self.auroc.items())
        found = (
            f"Novelty: {counted(self.left_out, 'class', 'classes')} left out in turn, and the images of that class "
            f"ranked above known ones: AUROC {each} (0.5 is guessing, 1 perfect); {_USED[self.novelty.kind]}."
        )
        return found, self.threshold.sentence()

    def to_dict(self) -> dict[str, Any]:
        """What was measured, JSON-able, for a manifest."""
        t = self.threshold
        return {
            "kind": self.novelty.kind,
            "auroc": dict(self.auroc),
            "classes_left_out": self.left_out,
            "false_alarms": {"asked": t.asked, "expected": t.expected, "low": t.low, "high": t.high, "rows": t.rows},
        }


def fit_novelty(
    X: Any,
    labels: Any,
    *,
    folds: Ints | None = None,
    groups: Ints | None = None,
    rate: float = RATE,
    kind: str = "auto",
) -> FittedNovelty:
    """Learn a novelty score from training embeddings X (n, d) and their class numbers (n,).

    folds: (n,), the fold of each row; five stratified ones by default, which keep groups together where `groups` (n,)
    are given. Pictures that are near-copies of each other must share a fold (or a group), or else the threshold comes
    out too low. rate: the share of known pictures flagged by mistake. kind: "auto" compares "mahalanobis" and
    "nearest" on left-out classes and takes the one that is clearly better, else "both", their sum. The threshold rests
    on out-of-fold scores while the returned score is fitted on all rows, which errs on the side of fewer false alarms.
    Raises `DataError` for rows that cannot be used.

    >>> X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    >>> found = fit_novelty(X + 3 * np.eye(8, dtype=np.float32)[np.arange(60) % 3], np.arange(60) % 3)
    >>> bool(found.novelty.is_novel(np.full((1, 8), -9.0))[0])
    True
    """
    one_of("kind", kind, ["auto", *FORMS])
    X = rows(X, what="training embeddings")
    labels = numbers(labels, len(X), "labels")
    _check(labels)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    if groups is not None:
        groups = numbers(groups, len(X), "groups")
    dealt = numbers(folds, len(X), "folds") if folds is not None else _folds(labels, groups)
    if len(np.unique(dealt)) < 2:
        raise DataError("novelty needs rows in at least two folds, to set its threshold on rows that it has not seen.")
    compared = leave_one_class_out(FITS, X, labels, dealt) if kind == "auto" else None
    means = compared.means() if compared is not None else {}
    form, scores, used = _fitted(_better(means) if kind == "auto" else kind, X, labels, dealt)
    threshold = threshold_at(scores, rate, groups=None if groups is None else groups[used])
    novelty = Novelty(form, threshold.value, rate)
    left_out = 0 if compared is None else len(compared.classes)
    return FittedNovelty(novelty, threshold, means, left_out, used, scores > np.float32(threshold.value))


def _fitted(kind: str, X: Floats, labels: Ints, folds: Ints) -> tuple[Form, Floats, Ints]:
    """The score fitted on all rows, out-of-fold scores of some of them, and which those are."""
    used = spread(labels, MOST_SCORED)
    held = {
        name: out_of_fold(fit, X[used], labels[used], folds[used])
        for name, fit in FITS.items()
        if kind in (name, "both")
    }
    if kind != "both":
        return FITS[kind](X, labels), held[kind], used
    deviations = [float(held[name].std(dtype=np.float64)) for name in ("mahalanobis", "nearest")]
    spreads = np.array([each if each > _TINY else 1.0 for each in deviations], np.float32)
    form = BothDistances(fit_mahalanobis(X, labels), fit_nearest(X, labels), spreads)
    return form, summed(held["mahalanobis"], held["nearest"], spreads), used


def _check(labels: Ints) -> None:
    if len(labels) < 2:
        raise DataError(f"novelty needs at least 2 training images; found {len(labels)}.")
    if labels.min() < 0:
        raise DataError("novelty is learned from labelled images; some of these have no label: leave them out.")


def _better(means: Mapping[str, float]) -> str:
    if not means or abs(means["nearest"] - means["mahalanobis"]) <= CLEARLY:
        return "both"
    return max(means, key=lambda name: means[name])


def _folds(labels: Ints, groups: Ints | None) -> Ints:
    """Five folds: stratified, with lone rows dealt out too; or of whole groups."""
    if groups is not None:
        members = np.unique(groups, return_inverse=True)[1]
        return np.random.default_rng(0).permutation(members.max() + 1)[members] % 5
    found = internal_folds(labels)[0]
    return np.where(found < 0, np.arange(len(labels)) % 5, found)

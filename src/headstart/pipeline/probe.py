"""Out-of-fold probabilities of one good head, for an audit: what a model that has not seen an image says of it.

`probabilities` takes embeddings of several layers, labels and groups; a logistic probe scores every image in folds that
never part a group. `claims` compares the accuracies of folds that part copies and of folds that do not. Nothing is
chosen or corrected here: `train` does that.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart import fingerprint
from headstart.choose.score_cache import CachedStrategy, default_folder
from headstart.data.splits import assign_folds, folds_for
from headstart.heads.catalog import make_head
from headstart.metrics.intervals import Estimate, wilson
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.temperature import crossed_probabilities, row_losses

HEAD = "probe"
LAYERS = 5
"""The last layers of a backbone, side by side, that the probe looks at."""
MANY_COPIES = 0.05
"""Of all images: with fewer copies, other folds would move an accuracy by more than holding copies together does."""


def probe_probabilities(X: Floats, labels: Ints, groups: Ints | None, *, seed: int = 0, cache: bool = True) -> Floats:
    """Class probabilities of each row by a probe that was not trained on its group: (n, K).

    X: (n, d) several layers side by side. Raises `DataError` where the labels cannot be cross-validated.
    """
    classes = int(labels.max()) + 1 if len(labels) else 0
    laid = assign_folds(labels, groups, count=folds_for(len(labels), classes), repeats=1, seed=seed)
    head = make_head(HEAD, signed_sqrt=True, seed=seed)
    runner = CachedStrategy(head, fingerprint.hash_array(X), default_folder()) if cache else head
    path = runner.path_scores(X, labels, laid)
    best = min(range(len(path.configurations)), key=lambda i: float(row_losses(path.scores[i], labels).mean()))
    return crossed_probabilities(path.scores[best], labels, laid)[0]  # type: ignore[no-any-return]


def accuracy_claims(naive: Floats, honest: Floats, labels: Ints) -> AccuracyClaims:
    """Accuracies of two sets of out-of-fold probabilities, with Wilson intervals.

    naive: of folds that part copies. honest: of folds that hold them together.

    >>> import numpy as np
    >>> both = accuracy_claims(np.eye(2)[[0, 1]], np.eye(2)[[0, 0]], np.array([0, 1]))
    >>> both.naive.value, both.honest.value
    (1.0, 0.5)
    """
    return AccuracyClaims(_accuracy(naive, labels), _accuracy(honest, labels))


def _accuracy(found: Floats, labels: Ints) -> Estimate:
    right = int((found.argmax(axis=1) == labels).sum())
    low, high = wilson(right, len(labels))
    return Estimate(metric="accuracy", value=right / len(labels), low=float(low), high=float(high), method="Wilson")


@dataclass(frozen=True)
class AccuracyClaims:
    """Accuracies out of fold, of one head: naive, with folds that part copies; honest, with copies held together."""

    naive: Estimate
    honest: Estimate

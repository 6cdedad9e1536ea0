"""Out-of-fold probabilities of one logistic probe: what a model that was not trained on an image predicts for it.

`probe_probabilities` takes embeddings of several layers, labels and groups, and cross-validates the probe in folds that
never part a group. `accuracy_claims` compares random folds with folds that hold duplicates together. Nothing is chosen
or corrected here: `train` does that.
"""

from __future__ import annotations

from headstart import fingerprint
from headstart.choose.score_cache import CachedStrategy, default_folder
from headstart.data.splits import assign_folds, folds_for
from headstart.heads.catalog import make_head
from headstart.metrics.intervals import Estimate, wilson
from headstart.model.facts import AccuracyClaims
from headstart.records.arrays import Floats, Ints
from headstart.records.run import Run
from headstart.trust.calibration.temperature import crossed_probabilities, row_losses

HEAD = "probe"
MANY_DUPLICATES = 0.05
"""Of all images: with fewer duplicates, other folds would move an accuracy by more than holding them together does."""


def probe_probabilities(X: Floats, labels: Ints, groups: Ints | None, run: Run) -> Floats:
    """Class probabilities of each row by a probe that was not trained on its group: (n, K).

    X: (n, d) several layers side by side. labels: (n,). groups: (n,), or None where every row is alone. Raises
    `DataError` where the labels cannot be cross-validated.
    """
    classes = int(labels.max()) + 1 if len(labels) else 0
    folds = assign_folds(labels, groups, count=folds_for(len(labels), classes), repeats=1, seed=run.seed)
    head = make_head(HEAD, signed_sqrt=True, seed=run.seed)
    strategy = CachedStrategy(head, fingerprint.hash_array(X), default_folder()) if run.cache else head
    path = strategy.path_scores(X, labels, folds)
    best = min(range(len(path.configurations)), key=lambda i: float(row_losses(path.scores[i], labels).mean()))
    return crossed_probabilities(path.scores[best], labels, folds)[0]  # type: ignore[no-any-return]


def accuracy_claims(leaky: Floats, group_aware: Floats, labels: Ints) -> AccuracyClaims:
    """Accuracies of two sets of out-of-fold probabilities, (n, K), with Wilson intervals.

    leaky: of folds that part duplicates. group_aware: of folds that hold them together.

    >>> import numpy as np
    >>> both = accuracy_claims(np.eye(2)[[0, 1]], np.eye(2)[[0, 0]], np.array([0, 1]))
    >>> both.leaky.value, both.group_aware.value
    (1.0, 0.5)
    """
    return AccuracyClaims(_accuracy(leaky, labels), _accuracy(group_aware, labels))


def _accuracy(probabilities: Floats, labels: Ints) -> Estimate:
    hits = int((probabilities.argmax(axis=1) == labels).sum())
    low, high = wilson(hits, len(labels))
    return Estimate(metric="accuracy", value=hits / len(labels), low=float(low), high=float(high), method="Wilson")

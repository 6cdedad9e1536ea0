"""A random forest on embeddings, trained by scikit-learn; its trees as flat arrays for prediction."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from headstart import checks
from headstart.heads.base import ClassWeight, Configuration, Head
from headstart.heads.forms.trees import Trees
from headstart.records.arrays import Floats, Ints

_DEEPEST = 64


class Forest(Head):
    """Trees grown on resampled rows, each split among √d features; nothing is tuned.

    trees: how many. class_weight: None, "balanced" or a mapping. random_state: a whole number that fixes the forest.

    >>> X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    >>> Forest(trees=20).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.9
    True
    """

    def __init__(self, *, trees: int = 200, class_weight: ClassWeight = None, random_state: int = 0) -> None:
        self.trees = trees
        self.class_weight = class_weight
        self.random_state = random_state

    @staticmethod
    def cost(n: int, d: int, K: int, fits: int) -> float:
        """Growing 200 of scikit-learn's trees costs 0.3 s (30 · 10⁹ operations), however small they are."""
        return (fits + 1) * (200 * n * sqrt(d) * 15_000.0 / 1e9 + 30.0)

    def _configurations(self, X: Floats, labels: Ints) -> Sequence[Configuration]:
        checks.at_least("trees", self.trees, 1)
        return [{}]

    def _train(self, X: Floats, labels: Ints, n_classes: int, configuration: Configuration) -> Trees:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.trees,
            class_weight=self._class_weight_by_number(),
            random_state=self.random_state,
            max_depth=_DEEPEST,
        )
        return _flatten([tree.tree_ for tree in forest.fit(X, labels).estimators_], X.shape[1])


def _flatten(trees: Sequence[Any], width: int) -> Trees:
    """The nodes of all trees one after another, links counted from the start of the whole."""
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    left = np.concatenate([_shift(tree.children_left, root) for tree, root in zip(trees, roots, strict=True)])
    right = np.concatenate([_shift(tree.children_right, root) for tree, root in zip(trees, roots, strict=True)])
    feature = np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in trees])
    leaves = feature < 0
    # tree.value holds each node's class weights, as sums or as shares by scikit-learn's version: shares in either case.
    shares = np.concatenate([tree.value[:, 0] for tree in trees])[leaves]
    shares = shares / shares.sum(axis=1, keepdims=True)
    leaf = np.zeros(len(feature), dtype=np.int64)
    leaf[leaves] = np.arange(int(leaves.sum()))
    threshold = np.where(leaves, 0.0, np.concatenate([tree.threshold for tree in trees]))
    return Trees(
        roots.astype(np.int64),
        feature.astype(np.int64),
        threshold.astype(np.float64),
        left,
        right,
        leaf,
        shares.astype(np.float32),
        np.array(width, dtype=np.int64),
    )


def _shift(children: Ints, root: int) -> Ints:
    return np.where(children < 0, -1, children + root).astype(np.int64)

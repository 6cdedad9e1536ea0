"""A random forest on embeddings, through scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart import checks
from headstart.heads.base import ClassWeight, Head, Setting
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

    def _settings(self, X: Floats, labels: Ints) -> Sequence[Setting]:
        checks.at_least("trees", self.trees, 1)
        return [{}]

    def _train(self, prepared: Floats, labels: Ints, count: int, setting: Setting) -> Trees:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.trees,
            class_weight=self._by_number(),
            random_state=self.random_state,
            max_depth=_DEEPEST,
        )
        return _flattened([tree.tree_ for tree in forest.fit(prepared, labels).estimators_], prepared.shape[1])


def _flattened(trees: Sequence[Any], width: int) -> Trees:
    """The nodes of all trees one after another, links counted from the start of the whole."""
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    left = np.concatenate([_moved(tree.children_left, root) for tree, root in zip(trees, roots, strict=True)])
    right = np.concatenate([_moved(tree.children_right, root) for tree, root in zip(trees, roots, strict=True)])
    feature = np.concatenate([np.where(tree.children_left < 0, -1, tree.feature) for tree in trees])
    ends = feature < 0
    shares = np.concatenate([tree.value[:, 0] for tree in trees])[ends]
    shares = shares / shares.sum(axis=1, keepdims=True)
    leaf = np.zeros(len(feature), dtype=np.int64)
    leaf[ends] = np.arange(int(ends.sum()))
    threshold = np.where(ends, 0.0, np.concatenate([tree.threshold for tree in trees]))
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


def _moved(children: Ints, root: int) -> Ints:
    return np.where(children < 0, -1, children + root).astype(np.int64)

"""The form of a random forest: every tree's nodes as flat arrays, walked for all rows at once. numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import SavedForm, row_blocks
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Layout

_DEEPEST = 4096
"""Levels of a tree beyond which a saved forest is refused."""


@dataclass(frozen=True, eq=False)
class Trees(SavedForm):
    """A forest: log of the class shares of the leaves that a row falls into, averaged over the trees.

    The trees' nodes lie one after another. roots: (t,) each tree's first node. feature: (m,), -1 in a leaf.
    threshold: (m,); a row goes left where its feature is at most the threshold. left, right: (m,) nodes, always
    further on than their parent. leaf: (m,) row of `shares` in a leaf, 0 elsewhere. shares: (l, K). width: d.
    """

    kind: ClassVar[str] = "trees"
    layout: ClassVar[Layout] = {
        "roots": ("i8", "t"),
        "feature": ("i8", "m"),
        "threshold": ("f8", "m"),
        "left": ("i8", "m"),
        "right": ("i8", "m"),
        "leaf": ("i8", "m"),
        "shares": ("f4", "lK"),
        "width": ("i8", ""),
    }
    roots: Ints
    feature: Ints
    threshold: NDArray[np.float64]
    left: Ints
    right: Ints
    leaf: Ints
    shares: Floats
    width: NDArray[Any]

    def __post_init__(self) -> None:
        nodes = np.arange(len(self.feature))
        inner = self.feature >= 0
        forward = (self.left > nodes) & (self.right > nodes) & (self.left < len(nodes)) & (self.right < len(nodes))
        if not forward[inner].all():
            raise self.error("a branch does not lead further on")
        if self.feature.max() >= int(self.width) or self.feature.min() < -1:
            raise self.error("a branch asks for a feature that is not there")
        if not ((self.roots >= 0) & (self.roots < len(nodes))).all():
            raise self.error("a tree has no root")
        if self.leaf.min() < 0 or self.leaf.max() >= len(self.shares) or self.shares.min() < 0:
            raise self.error("a leaf has no class shares")

    def scores(self, X: Floats) -> Floats:
        """(n, d) float32 → (n, K) float32: log of the mean class shares, with half a tree's share added to each."""
        if X.shape[1] != int(self.width):
            raise ValueError(f"X has {X.shape[1]} features, but the forest was grown on {int(self.width)}.")
        scores = np.empty((len(X), self.shares.shape[1]), dtype=np.float32)
        for block in row_blocks(len(X), len(self.roots) * self.shares.shape[1]):
            shares = self.shares[self.leaf[self._leaves(X[block])]].mean(axis=1)
            scores[block] = np.log(shares + np.float32(0.5 / len(self.roots)))
        return scores

    def _leaves(self, X: Floats) -> Ints:
        """(n, t): the leaf in which each row ends, in each tree."""
        nodes = np.broadcast_to(self.roots, (len(X), len(self.roots))).copy()
        rows = np.arange(len(X))[:, None]
        for _ in range(_DEEPEST):
            feature = self.feature[nodes]
            inside = feature >= 0
            if not inside.any():
                return nodes
            goes_left = X[rows, feature] <= self.threshold[nodes]
            nodes = np.where(inside, np.where(goes_left, self.left[nodes], self.right[nodes]), nodes)
        raise self.error(f"a tree is deeper than {_DEEPEST} levels")

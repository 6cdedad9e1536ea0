"""Strategies for tests: any object with `path_scores`, on any features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.choose.strategy import About, Fitted
from headstart.heads.base import PathScores
from headstart.records.rows import Rows
from headstart.records.targets import Classes


@dataclass(frozen=True, eq=False)
class Scores:
    """What a head says of X."""

    about: About
    X: np.ndarray
    head: Any
    notes: tuple[str, ...] = ()

    def path(self, rows: Rows) -> PathScores:
        return self.head.path_scores(self.X, rows.target.values, rows.folds)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        raise NotImplementedError


def rows_of(labels: np.ndarray, folds: np.ndarray, names: tuple[str, ...], groups: np.ndarray | None = None) -> Rows:
    return Rows(Classes(labels, names), folds, groups)

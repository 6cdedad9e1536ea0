"""Several labels a row, raced by the same code as classes: nothing below knows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from headstart.choose.race import race
from headstart.choose.strategy import About, Fitted
from headstart.data.splits import assign_folds
from headstart.errors import DataError
from headstart.heads.base import PathScores
from headstart.metrics.tags import MACRO_F1, MICRO_F1
from headstart.records.rows import Rows
from headstart.records.targets import Tags

NAMES = ("beach", "dog", "night")


@dataclass(frozen=True, eq=False)
class RidgeTags:
    """A strategy as a caller would write it: ridge regression on -1 and 1 for every tag, two strengths."""

    about: About
    X: np.ndarray
    notes: tuple[str, ...] = ()

    def path(self, rows: Rows) -> PathScores:
        strengths = (1.0, 1000.0)
        scores = np.zeros((len(strengths), *rows.folds.shape, len(rows.target.names)), np.float32)
        for repeat, folds in enumerate(rows.folds):
            for fold in range(folds.max() + 1):
                held_out = folds == fold
                for number, strength in enumerate(strengths):
                    weights = self._weights(~held_out, rows.target.values, strength)
                    scores[number, repeat, held_out] = self._with_bias(held_out) @ weights
        return PathScores(tuple({"alpha": strength} for strength in strengths), scores)

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        raise NotImplementedError

    def _weights(self, rows: np.ndarray, values: np.ndarray, strength: float) -> np.ndarray:
        X = self._with_bias(rows)
        return np.linalg.solve(X.T @ X + strength * np.eye(X.shape[1]), X.T @ (2.0 * values[rows] - 1))

    def _with_bias(self, rows: np.ndarray) -> np.ndarray:
        return np.c_[self.X[rows], np.ones(rows.sum())]


def problem(n: int = 120, seed: int = 0) -> tuple[np.ndarray, Tags]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    present = X[:, :3] + 0.5 * rng.normal(size=(n, 3)) > (0.0, 0.6, 1.0)
    return X.astype(np.float32), Tags(present, NAMES)


def rows_of(target: Tags) -> Rows:
    return Rows(target, assign_folds(target.strata(), count=5, repeats=2))


def test_a_race_between_strategies_for_tags_finds_the_better_features() -> None:
    X, target = problem()
    noise = np.random.default_rng(1).normal(size=X.shape)
    result = race(
        [RidgeTags(About("ridge", "noise", 1.0), noise), RidgeTags(About("ridge", "features", 1.0), X)],
        rows_of(target),
        metric="micro-f1",
    )
    assert result.best.features == "features"
    assert result.lines[0].status == "behind"
    assert result.metric == "micro-f1"
    assert result.estimate.low < result.estimate.value < result.estimate.high
    assert result.out_of_fold.shape == (2, 120, 3)
    assert result.baseline < result.estimate.low
    assert set(result.card) == {"macro-f1", "micro-f1"}


def test_groups_make_the_interval_of_tags_wider() -> None:
    X, target = problem()
    four = Tags(np.repeat(target.present, 4, axis=0), NAMES)
    groups = np.repeat(np.arange(120), 4)
    folds = assign_folds(four.strata(), groups, count=5)
    widths = []
    for grouping in (None, groups):
        result = race([RidgeTags(About("ridge", "all", 1.0), np.repeat(X, 4, axis=0))], Rows(four, folds, grouping))
        widths.append(result.estimate.high - result.estimate.low)
    assert widths[1] > 1.6 * widths[0]


@pytest.mark.parametrize(("metric", "average"), [(MACRO_F1, "macro"), (MICRO_F1, "micro")])
def test_the_metrics_equal_those_of_scikit_learn(metric, average: str) -> None:
    rng = np.random.default_rng(3)
    _, target = problem()
    answers = rng.random(target.present.shape) < 0.4
    assert metric.value(target, answers) == pytest.approx(f1_score(target.present, answers, average=average))


def test_folds_spread_the_rarest_tag() -> None:
    present = np.zeros((40, 2), bool)
    present[:30, 0] = present[:5, 1] = True
    strata = Tags(present, ("common", "rare")).strata()
    assert strata[:5].tolist() == [1] * 5
    assert strata[5:30].tolist() == [0] * 25
    assert strata[30:].tolist() == [2] * 10


def test_a_tag_that_hardly_occurs_is_named() -> None:
    present = np.zeros((20, 1), bool)
    present[0] = True
    with pytest.raises(DataError, match="the tag 'moon' is carried by fewer than two rows"):
        race([RidgeTags(About("ridge", "all", 1.0), np.ones((20, 1)))], rows_of_one(Tags(present, ("moon",))))


def rows_of_one(target: Tags) -> Rows:
    return Rows(target, np.arange(20)[None] % 4)

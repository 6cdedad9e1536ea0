"""The race from candidates to an honest number, with real heads on small data."""

from dataclasses import replace

import numpy as np
import pytest
from tests.choose.strategies import Scores, rows_of

from headstart.choose.race import race
from headstart.choose.strategy import About
from headstart.data.splits import assign_folds
from headstart.errors import InternalError, OptionError
from headstart.heads.base import PathScores
from headstart.heads.catalog import make_head
from headstart.metrics.classes import score

NAMES = ("leaf", "stem", "root")


def samples(n: int = 90, distance: float = 1.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three Gaussian classes in twenty dimensions."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = distance * rng.normal(size=(3, 20)) / 2
    return (centres[y] + rng.normal(size=(n, 20))).astype(np.float32), y


X, Y = samples()
NOISE = np.random.default_rng(9).normal(size=X.shape).astype(np.float32)
FOLDS = assign_folds(Y, count=5, repeats=2)
ROWS = rows_of(Y, FOLDS, NAMES)


def candidate(name: str, features: str = "all", X: np.ndarray = X, cost: float = 1.0) -> Scores:
    return Scores(About(name, features, cost, ("lite0",)), X, make_head(name))


@pytest.fixture(scope="module")
def found():
    return race(
        [candidate("knn", "noise", NOISE), candidate("ridge"), candidate("class-mean"), candidate("lda")],
        ROWS,
    )


def test_the_line_of_each_candidate_is_there_in_the_order_given(found) -> None:
    assert [entry.name for entry in found.lines] == ["knn", "ridge", "class-mean", "lda"]
    assert found.best.status == "chosen"
    assert found.best.gain.value == 0
    assert [entry.status for entry in found.lines].count("chosen") == 1
    paths = [make_head(line.name).path_scores(X, Y, FOLDS) for line in found.lines]
    assert found.configurations == sum(len(path.configurations) for path in paths)


def test_noise_is_behind_and_near_equals_are_ties(found) -> None:
    assert found.lines[0].status == "behind"
    assert found.lines[0].gain.high < 0
    assert {"tie", "chosen"} == {entry.status for entry in found.lines[1:]}


def test_the_estimate_is_not_above_the_raw_score_by_more_than_noise(found) -> None:
    assert found.estimate.value <= found.raw + 0.01
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert found.estimate.metric == "accuracy"
    assert found.estimate.method == "BBC-CV, no narrower than exact binomial"
    assert found.raw == found.best.score.value


def test_the_winners_out_of_fold_scores_give_its_card(found) -> None:
    path = make_head(found.best.name, configuration=found.configuration).path_scores(X, Y, FOLDS)
    assert found.out_of_fold.shape == (2, 90, 3)
    assert np.allclose(found.out_of_fold, path.scores[0], atol=1e-4)
    answers = path.scores[0].argmax(axis=-1)
    assert found.raw == pytest.approx(score("accuracy", Y, answers, 3))
    assert found.card.accuracy.value == pytest.approx(found.raw)
    assert found.card.confusion.sum() == pytest.approx(90)
    assert [line.name for line in found.card.per_class] == ["leaf", "stem", "root"]
    assert found.temperature > 0
    assert found.card.log_loss < np.log(3)


def test_the_baseline_always_answers_the_most_frequent_class() -> None:
    keep = np.concatenate([np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:10], np.flatnonzero(Y == 2)[:10]])
    x, y = X[keep], Y[keep]
    small = assign_folds(y, count=3)
    for metric, expected in (("accuracy", 0.6), ("balanced-accuracy", 1 / 3), ("macro-f1", 0.25)):
        found = race([candidate("ridge", X=x)], rows_of(y, small, NAMES), metric=metric)
        assert found.baseline == pytest.approx(expected)
        assert found.metric == found.estimate.metric == metric


def test_the_same_features_at_a_higher_price_are_not_taken() -> None:
    dear, cheap = candidate("ridge", "two networks", cost=2.5), candidate("ridge", "one network")
    found = race([dear, cheap], ROWS)
    assert found.best.features == "one network"
    assert found.lines[0].status == "tie"


def test_much_better_features_are_taken_at_a_higher_price() -> None:
    found = race([candidate("ridge", "noise", NOISE), candidate("ridge", "dear", cost=9)], ROWS)
    assert found.best.features == "dear"


def test_the_order_of_candidates_changes_nothing(found) -> None:
    names = ["lda", "class-mean", "ridge"]
    turned = race([*map(candidate, names), candidate("knn", "noise", NOISE)], ROWS)
    assert (turned.best.name, turned.configuration) == (found.best.name, found.configuration)
    assert turned.estimate.value == pytest.approx(found.estimate.value)
    assert turned.estimate.low == pytest.approx(found.estimate.low)


def test_the_same_seed_gives_the_same_result(found) -> None:
    names = ["ridge", "class-mean", "lda"]
    again = race([candidate("knn", "noise", NOISE), *map(candidate, names)], ROWS)
    assert again.estimate == found.estimate
    assert [replace(e, seconds=0) for e in again.lines] == [replace(e, seconds=0) for e in found.lines]


def test_groups_are_resampled_whole_in_the_race() -> None:
    x, y = np.repeat(X, 4, axis=0), np.repeat(Y, 4)
    groups = np.repeat(np.arange(90), 4)
    dealt = assign_folds(y, groups, count=5)
    widths = [
        found.estimate.high - found.estimate.low
        for found in (race([candidate("ridge", X=x)], rows_of(y, dealt, NAMES, g)) for g in (None, groups))
    ]
    assert widths[1] > 1.6 * widths[0]


def test_a_race_without_candidates_is_refused() -> None:
    with pytest.raises(OptionError, match="a race needs at least one candidate; found none: name a head"):
        race([], ROWS)


def test_options_out_of_range_are_refused() -> None:
    for options, message in (
        ({"min_gain": -0.1}, "min_gain must lie between 0 and 1; found -0.1"),
        ({"confidence": 1.0}, "confidence must lie between 0.5 and 0.999; found 1.0"),
        ({"resamples": 10}, "resamples must be at least 100; found 10"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
    ):
        with pytest.raises(OptionError, match=message):
            race([candidate("ridge")], ROWS, **options)


def test_a_head_whose_scores_are_not_finite_is_named() -> None:
    class Broken:
        def path_scores(self, X: object, y: object, folds: np.ndarray) -> PathScores:
            return PathScores(({},), np.full((1, *folds.shape, 3), np.nan, np.float32))

    with pytest.raises(InternalError, match="'broken' gave scores that are not finite"):
        race([Scores(About("broken", "all", 1.0), X, Broken())], ROWS)

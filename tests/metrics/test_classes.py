"""Accuracy, balanced accuracy and macro-F1 against hand-computed values and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from headstart.errors import OptionError
from headstart.metrics.classes import METRICS, confusion, estimate_score, score
from headstart.metrics.intervals import clopper_pearson

Y = np.array([0, 0, 0, 0, 1, 1, 2, 2])
ANSWERS = np.array([0, 0, 0, 1, 1, 0, 2, 2])


def test_scores_equal_those_computed_by_hand() -> None:
    assert score("accuracy", Y, ANSWERS, 3) == 0.75
    assert score("balanced-accuracy", Y, ANSWERS, 3) == pytest.approx((0.75 + 0.5 + 1) / 3)
    assert score("macro-f1", Y, ANSWERS, 3) == pytest.approx((0.75 + 0.5 + 1) / 3)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_scores_equal_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, answers = rng.integers(4, size=(2, 30))
    recalls = [np.mean(answers[y == k] == k) for k in np.unique(y)]
    assert score("accuracy", y, answers, 4) == pytest.approx(accuracy_score(y, answers))
    assert score("balanced-accuracy", y, answers, 4) == pytest.approx(np.mean(recalls))
    assert score("macro-f1", y, answers, 4) == pytest.approx(f1_score(y, answers, average="macro"))
    assert (confusion(y, answers, 4) == confusion_matrix(y, answers, labels=range(4))).all()


def test_repeats_are_averaged_in_the_confusion_table() -> None:
    table = confusion(np.array([0, 1]), np.array([[0, 1], [1, 1]]), 2)
    assert table.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_a_wrong_metric_is_answered_with_the_right_spelling() -> None:
    with pytest.raises(OptionError, match=r"metric must be one of .* found 'macro_f1'. Did you mean 'macro-f1'"):
        score("macro_f1", Y, ANSWERS, 3)


def test_a_held_out_accuracy_has_the_exact_interval() -> None:
    found = estimate_score("accuracy", Y, ANSWERS, 3)
    low, high = clopper_pearson(6, 8)
    assert (found.value, found.low, found.high) == pytest.approx((0.75, float(low), float(high)))
    assert found.method == "exact binomial"


def test_all_right_is_not_certainty() -> None:
    y = np.repeat([0, 1], 10)
    for metric in METRICS:
        found = estimate_score(metric, y, y, 2)
        assert found.value == found.high == 1
        assert 0.7 < found.low < 0.9


def test_groups_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=200)
    wrong = np.repeat(rng.random(40) < 0.2, 5)
    answers = np.where(wrong, 1 - y, y)
    alone = estimate_score("accuracy", y, answers, 2)
    grouped = estimate_score("accuracy", y, answers, 2, groups=np.repeat(np.arange(40), 5))
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [0.0, 0.3, 0.7, 0.9, 1.0])
def test_an_interval_can_be_put_around_a_corrected_value(metric: str, value: float) -> None:
    found = estimate_score(metric, Y, ANSWERS, 3, value=value)
    assert found.value == pytest.approx(value)
    assert 0 <= found.low <= value <= found.high <= 1


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_hold_the_truth_as_often_as_they_say(metric: str) -> None:
    rng = np.random.default_rng(0)
    recalls, share = np.array([0.95, 0.8, 0.6]), np.array([0.5, 0.3, 0.2])
    table = np.diag(share * recalls) + np.outer(share * (1 - recalls), [0.5, 0.25, 0.25])
    many = 200_000
    big_y, big_answers = _drawn(rng, table / table.sum(), many)
    truth = score(metric, big_y, big_answers, 3)
    held = 0
    for _ in range(400):
        found = estimate_score(metric, *_drawn(rng, table / table.sum(), 60), 3)
        held += found.low <= truth <= found.high
    assert held / 400 >= 0.93


def _drawn(rng: np.random.Generator, table: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    cells = rng.choice(9, size=n, p=table.ravel())
    return cells // 3, cells % 3

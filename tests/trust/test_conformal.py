"""Prediction sets: finite-sample limits, coverage at its level, sets that grow with it, refusals."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import DataError, OptionError
from headstart.trust.conformal import METHODS, conformal_sets, nonconformity, samples_needed

CLASSES = ("a", "b", "c", "d")


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sharp, and labels; the fourth class is rare and hard."""
    rng = np.random.default_rng(seed)
    y = rng.choice(4, size=n, p=[0.35, 0.3, 0.25, 0.1])
    z = rng.normal(size=(n, 4))
    z[np.arange(n), y] += np.array([3.0, 2.0, 2.0, 1.0])[y]
    rising = np.exp(2 * z)
    return (rising / rising.sum(axis=1, keepdims=True)).astype(np.float32), y


@pytest.mark.parametrize(("level", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_so_many_images_are_needed_for_a_level(level: float, needed: int) -> None:
    assert samples_needed(level) == needed
    p, y = drawn(needed)
    conformal_sets(p, y, classes=CLASSES, level=level)
    with pytest.raises(DataError, match=f"need at least {needed:,} labelled image"):
        conformal_sets(p[1:], y[1:], classes=CLASSES, level=level)


def test_each_class_needs_as_many() -> None:
    p, y = drawn(60)
    with pytest.raises(DataError, match=r"at least 19 labelled images of every class; found .*d \(\d+\).*: label more"):
        conformal_sets(p, y, classes=CLASSES, by_class=True)


def test_the_limit_is_the_finite_sample_quantile() -> None:
    p = np.stack([np.arange(1, 20) / 20, 1 - np.arange(1, 20) / 20], axis=1)
    found = conformal_sets(p, np.zeros(19, int), classes=("a", "b"), level=0.95)
    assert found.limits == pytest.approx((0.95, 0.95))  # the 19th of 19
    assert conformal_sets(p, np.zeros(19, int), classes=("a", "b"), level=0.9).limits[0] == pytest.approx(0.9)
    assert (found.rows, found.level) == (19, 0.95)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("by_class", [False, True])
def test_the_true_class_is_inside_as_often_as_said(method: str, by_class: bool) -> None:
    held, hardest = [], []
    for seed in range(150):
        p, y = drawn(400 + 500, seed)
        found = conformal_sets(p[:400], y[:400], classes=CLASSES, level=0.9, method=method, by_class=by_class)
        inside = found.sets(p[400:], never_empty=False)[np.arange(500), y[400:]]
        held.append(inside.mean())
        hardest.append(inside[y[400:] == 3].mean())
    assert np.mean(held) >= 0.9 - 0.005
    if method == "lac":
        assert np.mean(held) <= 0.93
        assert (np.mean(hardest) >= 0.89) == by_class


@given(st.integers(0, 10**6), st.sampled_from(METHODS), st.booleans())
@settings(max_examples=40, deadline=None)
def test_sets_grow_with_the_level(seed: int, method: str, by_class: bool) -> None:
    p, y = drawn(400, seed)
    levels = (0.5, 0.7, 0.8, 0.9)
    before = np.zeros((100, 4), bool)
    for level in levels:
        found = conformal_sets(p[100:], y[100:], classes=CLASSES, level=level, method=method, by_class=by_class)
        sets = found.sets(p[:100])
        assert (sets >= before).all()
        assert sets.any(axis=1).all()
        assert sets[np.arange(100), p[:100].argmax(axis=1)].all()
        before = sets


def test_a_set_may_be_empty_only_where_that_was_asked_for() -> None:
    p = np.tile([0.9, 0.1], (50, 1))
    found = conformal_sets(p, np.zeros(50, int), classes=("a", "b"), level=0.9)
    doubtful = np.array([[0.55, 0.45]])
    assert found.sets(doubtful).tolist() == [[True, False]]
    assert found.sets(doubtful, never_empty=False).tolist() == [[False, False]]
    assert found.sets(np.empty((0, 2))).shape == (0, 2)


def test_rounding_leaves_no_class_out_that_set_the_limit() -> None:
    p = np.tile([0.1, 0.2, 0.3, 0.4], (30, 1))
    for method in METHODS:
        found = conformal_sets(p, np.zeros(30, int), classes=CLASSES, level=0.9, method=method)
        assert found.sets(p.astype(np.float32)).all()


def test_sets_grown_from_the_likeliest_class_down_are_small_where_answers_are_sure() -> None:
    p = np.tile([0.9, 0.1], (100, 1))
    y = (np.arange(100) % 20 == 0).astype(np.int64)
    found = conformal_sets(p, y, classes=("a", "b"), level=0.9, method="aps")
    assert found.sets(p, never_empty=False).tolist() == [[True, False]] * 100


def test_nonconformity_is_what_it_says() -> None:
    p = np.array([[0.5, 0.2, 0.3]])
    assert nonconformity(p, "lac").tolist() == pytest.approx(np.array([[0.5, 0.8, 0.7]]))
    assert nonconformity(p, "aps").tolist() == pytest.approx(np.array([[0.0, 0.8, 0.5]]))


def test_repeats_are_averaged() -> None:
    p, y = drawn(100)
    assert conformal_sets(np.stack([p, p]), y, classes=CLASSES) == conformal_sets(p, y, classes=CLASSES)


def test_the_sets_are_json_and_wrong_requests_are_refused() -> None:
    p, y = drawn(100)
    assert json.loads(json.dumps(conformal_sets(p, y, classes=CLASSES).to_dict()))["level"] == 0.95
    with pytest.raises(OptionError, match=r"level must lie between 0\.5 and 0\.9999; found 95"):
        conformal_sets(p, y, classes=CLASSES, level=95)
    with pytest.raises(OptionError, match="method must be one of 'lac', 'aps'"):
        conformal_sets(p, y, classes=CLASSES, method="raps")

"""Drawing few labels per class and many: which sizes, which rows, and how far the accuracies may be off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.choose.curves.errors import summarise_draws
from headstart.choose.curves.fit import CurvePoint
from headstart.choose.curves.subsets import available, fits_for, ladder, largest, measure, queue
from headstart.data.splits import assign_folds
from headstart.heads.catalog import make_head


def gaussians(count: int, classes: int = 3, distance: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = np.arange(count * classes) % classes
    centres = distance * generator.normal(size=(classes, 16))
    return (centres[y] + generator.normal(size=(len(y), 16))).astype(np.float32), y


def learnt(X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], fits: tuple[int, ...], **more: object) -> CurvePoint:
    dealt = assign_folds(y, more.get("groups"), repeats=4)
    return measure(X, y, dealt, head=lambda: make_head("ridge"), sizes=sizes, fits=fits, **more)


@pytest.mark.parametrize(
    ("most", "sizes"),
    [
        (1, (1,)),
        (4, (1, 2, 3, 4)),
        (16, (1, 2, 3, 5, 7, 10, 16)),
        (120, (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 120)),
        (1000, (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)),
    ],
)
def test_the_ladder_ends_at_what_there_is(most: int, sizes: tuple[int, ...]) -> None:
    assert ladder(most) == sizes


def test_a_small_class_ends_the_draws_where_a_tenth_of_the_labels_would_lack() -> None:
    assert largest(np.array([40, 40])) == 40
    assert largest(np.array([100, 10])) == 12  # 12 + 10 of 24
    assert largest(np.array([100] * 9 + [1])) == 100  # 901 of 1,000
    assert largest(np.array([100, 1])) == 1


def test_what_may_be_drawn_is_what_the_smallest_training_part_has() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    dealt = np.array([[0, 1, 2, 3, 4] * 3])
    assert available(labels, dealt).tolist() == [8, 4]


def test_fewer_heads_are_trained_where_one_takes_long() -> None:
    assert fits_for(0.01, 5, allowance=2.5) == 50
    assert fits_for(0.01, 10, allowance=2.5) == 50
    assert fits_for(0.2, 5, allowance=2.5) == 10
    assert fits_for(4.0, 5, allowance=2.5) == 5
    assert fits_for(6.0, 5, allowance=2.5) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(0, 100), st.booleans())
def test_draws_hold_so_many_of_each_class_none_held_out_and_grow(
    given_labels: list[int], seed: int, grouped: bool
) -> None:
    labels = np.unique(given_labels, return_inverse=True)[1].astype(np.int64)
    generator = np.random.default_rng(seed)
    held = generator.random(len(labels)) < 0.3
    groups = generator.integers(0, 10, len(labels)) if grouped else None
    place = queue(labels, groups, held, generator)
    free = np.bincount(labels[~held], minlength=labels.max() + 1)
    before = np.zeros(len(labels), bool)
    for size in (1, 2, 5, len(labels)):
        drawn = place < size
        assert not (drawn & held).any()
        assert np.bincount(labels[drawn], minlength=len(free)).tolist() == np.minimum(free, size).tolist()
        assert (drawn >= before).all()
        before = drawn


def test_images_of_a_group_are_drawn_together() -> None:
    labels, groups = np.zeros(30, np.int64), np.repeat(np.arange(10), 3)
    place = queue(labels, groups, np.zeros(30, bool), np.random.default_rng(0))
    assert all(len(np.unique(groups[place < size])) == size // 3 for size in (3, 6, 9, 30))


def test_other_seeds_draw_other_labels() -> None:
    labels = np.repeat([0, 1], 20)
    nothing = np.zeros(40, bool)
    first, second = (queue(labels, None, nothing, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.tolist() != second.tolist()


def test_accuracy_grows_with_labels_and_the_same_seed_repeats_it() -> None:
    X, y = gaussians(60, distance=0.7)
    found = learnt(X, y, (1, 3, 10, 40), (20, 20, 20, 5))
    assert (np.diff(found.accuracy) > 0.02).all()
    assert found.heads.tolist() == [20, 20, 20, 5]
    assert found.tested.tolist() == [180, 180, 180, 180]
    again = learnt(X, y, (1, 3, 10, 40), (20, 20, 20, 5))
    assert again.accuracy.tolist() == found.accuracy.tolist()
    assert again.trials.tolist() == found.trials.tolist()


def test_two_heads_are_tested_on_their_own_folds_only() -> None:
    X, y = gaussians(50)
    found = learnt(X, y, (2, 20), (5, 2))
    assert found.tested.tolist() == [150, 60]
    assert found.heads.tolist() == [5, 2]


def test_nothing_to_learn_is_measured_as_chance() -> None:
    _, y = gaussians(40)
    X = np.random.default_rng(5).normal(size=(120, 16)).astype(np.float32)
    found = learnt(X, y, (1, 10, 30), (20, 20, 20))
    assert found.accuracy == pytest.approx(1 / 3, abs=0.06)


def right(shares: np.ndarray, repeats: int, seed: int = 0) -> np.ndarray:
    """Answers (1, repeats, n) that are right with these chances."""
    return np.random.default_rng(seed).random((1, repeats, len(shares))) < shares


def told(answers: np.ndarray, groups: np.ndarray | None = None, size: float = 5.0) -> CurvePoint:
    labels = np.arange(answers.shape[-1]) % 2
    dealt = assign_folds(labels, groups, repeats=answers.shape[1])
    return summarise_draws(np.array([size]), answers, np.ones_like(answers), labels, dealt, groups)


def test_an_accuracy_is_worth_no_more_images_than_were_tested() -> None:
    found = told(right(np.full(100, 0.8), 4))
    assert 60 < found.trials[0] <= 100
    assert found.accuracy[0] == pytest.approx(0.8, abs=0.05)


def test_all_right_is_worth_the_images_and_not_more() -> None:
    assert told(np.ones((1, 4, 100), bool)).trials[0] == pytest.approx(100)


def test_images_that_stand_and_fall_together_are_worth_less() -> None:
    groups = np.repeat(np.arange(20), 10)
    alike = np.repeat(np.random.default_rng(1).random(20) < 0.7, 10)
    answers = np.broadcast_to(alike, (1, 3, 200))
    assert told(answers, groups).trials[0] < 25 < 100 < told(answers).trials[0]


def test_the_luck_of_the_draw_counts_beside_the_images() -> None:
    labels = np.arange(400) % 2
    dealt = assign_folds(labels, repeats=6)
    generator = np.random.default_rng(0)
    luck = np.stack([generator.uniform(0.4, 1.0, 5)[numbers] for numbers in dealt])
    lucky = (generator.random(luck.shape) < luck)[None]
    steady = (generator.random(luck.shape) < 0.7)[None]
    worth = [
        summarise_draws(np.array([2.0]), answers, np.ones_like(answers), labels, dealt).trials[0]
        for answers in (lucky, steady)
    ]
    assert worth[0] < 0.8 * worth[1]


def test_sizes_that_share_images_err_together() -> None:
    X, y = gaussians(60, distance=0.7)
    found = learnt(X, y, (10, 20, 40), (20, 20, 20))
    assert found.correlation.diagonal() == pytest.approx(1.0)
    assert found.correlation[1, 2] > 0.5
    assert np.linalg.eigvalsh(found.correlation).min() > -1e-9

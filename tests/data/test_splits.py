"""Folds: every row once, groups whole, classes spread evenly, the same for a seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.splits import assign_folds, check_enough
from headstart.errors import DataError, OptionError

LABELS = st.lists(st.integers(0, 3), min_size=0, max_size=60).map(
    lambda more: np.array([0, 0, 1, 1, 2, 2, 3, 3, *more])
)


@given(LABELS, st.integers(2, 6), st.integers(1, 3), st.integers(0, 9))
def test_every_class_is_spread_as_evenly_as_it_can_be(labels: np.ndarray, count: int, repeats: int, seed: int) -> None:
    result = assign_folds(labels, count=count, repeats=repeats, seed=seed)
    made = min(count, int(np.bincount(labels).max()))
    assert result.shape == (repeats, len(labels))
    assert result.dtype == np.int64
    for fold in result:
        assert set(fold.tolist()) == set(range(made))
        for label in range(4):
            shares = np.bincount(fold[labels == label], minlength=made)
            assert shares.max() - shares.min() <= 1
        sizes = np.bincount(fold, minlength=made)
        assert sizes.max() - sizes.min() <= 4


@given(LABELS, st.data(), st.integers(0, 9))
def test_groups_are_never_parted_and_every_class_can_be_trained_and_measured(
    labels: np.ndarray, data: st.DataObject, seed: int
) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 12), min_size=len(labels), max_size=len(labels))))
    groups[:8] = np.arange(100, 108)
    result = assign_folds(labels, groups, count=5, repeats=2, seed=seed)
    for fold in result:
        for group in np.unique(groups):
            assert len(set(fold[groups == group].tolist())) == 1
        for label in range(4):
            assert len(set(fold[labels == label].tolist())) >= 2
    assert (assign_folds(labels, groups, count=5, repeats=2, seed=seed) == result).all()


def test_pairs_of_copies_are_dealt_out_evenly() -> None:
    labels = np.repeat([0, 1], 50)
    fold = assign_folds(labels, np.arange(100) // 2, count=5)[0]
    table = np.zeros((5, 2), dtype=int)
    np.add.at(table, (fold, labels), 1)
    assert table.tolist() == [[10, 10]] * 5


def test_repeats_and_seeds_differ() -> None:
    labels = np.repeat([0, 1], 30)
    first, second = assign_folds(labels, repeats=2, seed=0)
    assert (first != second).any()
    assert (assign_folds(labels, seed=1)[0] != first).any()
    assert (assign_folds(labels, repeats=1, seed=0)[0] == first).all()


def test_a_seed_means_these_folds() -> None:
    assert assign_folds(np.array([0, 0, 0, 0, 1, 1, 1, 1]), count=2, seed=7).tolist() == [[0, 0, 1, 1, 0, 1, 0, 1]]


def test_a_small_class_makes_no_fewer_folds_and_lies_in_as_many_as_it_can() -> None:
    labels = np.array([0] * 20 + [1] * 3)
    fold = assign_folds(labels, count=10)[0]
    assert fold.max() == 9
    assert len(set(fold[labels == 1].tolist())) == 3


def test_folds_are_no_more_than_the_largest_class_has_images() -> None:
    assert assign_folds(np.array([0] * 4 + [1] * 3), count=10).max() == 3


def test_few_groups_make_fewer_folds() -> None:
    groups = np.repeat([0, 1, 2, 3], [3, 3, 5, 5])
    assert assign_folds(np.array([0] * 6 + [1] * 10), groups, count=5).max() == 1


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        (
            [0, 0, 0],
            None,
            "there is only one class, 'cat' .3 images.: at least two are needed to tell apart.",
        ),
        (
            [0, 0, 1],
            None,
            r"too few images to measure a model on: 'dog \(1\)', where every class needs at least 2",
        ),
        ([0, 0, 1, 1, -1], None, "some or all of these have no label"),
        ([], None, "some or all of these have no label"),
        ([0, 0, 1, 1], [0, 1, 2, 2], "every image of 'dog' belongs to one group"),
    ],
)
def test_what_cannot_be_cross_validated_is_refused(labels: list[int], groups: list[int] | None, message: str) -> None:
    classes = ("cat", "dog") if max(labels, default=0) else ("cat",)
    with pytest.raises(DataError, match=message):
        assign_folds(np.array(labels), None if groups is None else np.array(groups), classes=classes)


def test_a_class_without_any_image_is_refused() -> None:
    with pytest.raises(DataError, match=r"'owl \(0\)'"):
        check_enough(np.array([0, 0, 1, 1]), ("cat", "dog", "owl"))


def test_groups_that_hold_everything_are_refused() -> None:
    labels = np.array([0, 1] * 3)
    with pytest.raises(DataError, match="every image of 'class 0', 'class 1' belongs to one group"):
        assign_folds(labels, np.zeros(6, dtype=np.int64))


def test_a_count_below_two_is_refused() -> None:
    with pytest.raises(OptionError, match="folds must be at least 2; found 1"):
        assign_folds(np.array([0, 0, 1, 1]), count=1)

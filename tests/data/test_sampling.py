"""Random subsets of rows: repeatable, ascending, and of what was asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.sampling import (
    one_per_group,
    one_per_small_group,
    random_groups,
    random_rows,
    random_rows_of_every_class,
    stratified_subsample,
)

NUMBERS = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array)


def test_a_generator_goes_on_where_a_seed_begins_anew() -> None:
    generator = np.random.default_rng(3)
    assert random_rows(50, 9, generator).tolist() == random_rows(50, 9, 3).tolist()
    assert random_rows(50, 9, generator).tolist() != random_rows(50, 9, 3).tolist()


@given(NUMBERS, st.integers(0, 9))
def test_one_row_of_each_group(groups: np.ndarray, seed: int) -> None:
    rows = one_per_group(groups, seed=seed)
    assert sorted(groups[rows].tolist()) == np.unique(groups).tolist()
    assert (np.diff(rows) > 0).all()
    small = one_per_small_group(groups, 1, seed)
    assert (small is None) == (len(rows) < len(groups) / 3)
    assert small is None or small.tolist() == rows.tolist()


@given(NUMBERS, st.integers(1, 70))
def test_every_class_has_its_share(labels: np.ndarray, most: int) -> None:
    rows = stratified_subsample(labels, most)
    assert len(rows) == min(most, len(labels))
    shares = np.bincount(labels, minlength=6) * len(rows) / len(labels)
    assert (np.abs(np.bincount(labels[rows], minlength=6) - shares) <= 2).all()


@given(NUMBERS, st.integers(0, 70), st.integers(0, 9))
def test_some_rows_of_every_class(labels: np.ndarray, most: int, seed: int) -> None:
    rows = random_rows_of_every_class(labels, 6, most, least=2, seed=seed)
    sizes = np.bincount(labels, minlength=6)
    assert (np.bincount(labels[rows], minlength=6) >= np.minimum(sizes, 2)).all()
    assert len(rows) <= max(most, int(np.minimum(sizes, 2).sum()))
    assert (np.diff(rows) > 0).all()


@given(NUMBERS, st.integers(0, 70), st.integers(0, 9))
def test_only_one_group_is_cut(groups: np.ndarray, most: int, seed: int) -> None:
    rows = random_groups(groups, most, seed)
    assert len(rows) == min(most, len(groups))
    assert (np.diff(rows) > 0).all()
    whole, drawn = np.bincount(groups, minlength=6), np.bincount(groups[rows], minlength=6)
    assert ((drawn > 0) & (drawn < whole)).sum() <= 1

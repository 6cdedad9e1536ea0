"""Series are found where there are some, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data.series.clusters import cluster_rows
from headstart.data.series.find import find_series
from headstart.data.series.neighbours import chance_likeness, excess_closeness, nearest, spread_out

CLASSES, WIDTH = 4, 200
NO_PAIRS = np.zeros((0, 2), np.int64)


def things(count: int, times: int, *, spread: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of `count` things a class, each seen `times` times; their labels and things."""
    random = np.random.default_rng(seed)
    thing = np.repeat(np.arange(CLASSES * count), times)
    labels = thing // count
    scale = 1 / np.sqrt(1 + np.arange(WIDTH))  # the first directions vary most, as in real embeddings
    centres = (2 * random.standard_normal((CLASSES, WIDTH)))[labels]
    own = random.standard_normal((CLASSES * count, WIDTH))[thing]
    X = (centres + own + spread * random.standard_normal((len(thing), WIDTH))) * scale
    order = random.permutation(len(thing))
    return X[order].astype(np.float32), labels[order].astype(np.int64), thing[order]


def names_of(thing: np.ndarray) -> list[str]:
    return [f"image{number}" for number in np.random.default_rng(1).permutation(len(thing))]


@pytest.mark.parametrize("times", [4, 6])
def test_series_are_found_by_their_closeness(times: int) -> None:
    X, labels, thing = things(8, times)
    series = find_series(X, X, labels, names_of(thing), [None] * len(thing), NO_PAIRS)
    assert series is not None
    assert series.sign == "they lie in tight little groups"
    assert (series.count, series.images) == (CLASSES * 8, CLASSES * 8 * times)
    pairs = {(group, own) for group, own in zip(series.groups.tolist(), thing.tolist(), strict=True)}
    assert len(pairs) == CLASSES * 8


@given(seed=st.integers(0, 1000), count=st.sampled_from([6, 20, 60]))
@settings(max_examples=10, deadline=None)
def test_independent_images_are_no_series(seed: int, count: int) -> None:
    X, labels, thing = things(count, 1, seed=seed)
    assert find_series(X, X, labels, names_of(thing), [None] * len(thing), NO_PAIRS) is None


def test_names_that_the_embeddings_agree_with_are_believed_first() -> None:
    X, labels, thing = things(10, 2, spread=1.0)
    count = np.zeros(thing.max() + 1, int)
    names = []
    for one in thing:
        count[one] += 1
        names.append(f"part{one:03d}_{count[one]}.jpg")
    series = find_series(X, X, labels, names, [None] * len(thing), NO_PAIRS)
    assert series is not None
    assert series.sign == "their names are alike up to the number at the end"
    assert series.count == CLASSES * 10


def test_names_that_say_nothing_are_not_believed() -> None:
    X, labels, thing = things(30, 1)
    names = [f"batch{row % 30}_{row}.jpg" for row in range(len(thing))]
    assert find_series(X, X, labels, names, [None] * len(thing), NO_PAIRS) is None


def test_pairs_that_look_alike_show_series_of_two() -> None:
    X, labels, thing = things(12, 2, spread=0.6)
    pairs = np.array([np.flatnonzero(thing == one) for one in range(CLASSES * 12)])
    assert excess_closeness(X, labels) < 0.5
    series = find_series(X, X, labels, names_of(thing), [None] * len(thing), pairs[:20])
    assert series is not None
    assert series.sign == "many look alike, seen a little differently"
    assert all(series.groups[one] == series.groups[other] for one, other in pairs[:20])


def test_look_alikes_across_classes_are_no_sign() -> None:
    X, labels, thing = things(12, 2, spread=0.6)
    across = np.stack([np.flatnonzero(labels == 0)[:20], np.flatnonzero(labels == 1)[:20]], axis=1)
    within = np.array([np.flatnonzero(thing == one) for one in range(20)])
    assert find_series(X, X, labels, names_of(thing), [None] * len(thing), np.concatenate([within, across])) is None


def test_few_images_are_not_looked_at() -> None:
    X, labels, thing = things(2, 2)
    assert find_series(X, X, labels, names_of(thing), [None] * len(thing), NO_PAIRS) is None


def test_clusters_never_join_classes() -> None:
    F = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    assert cluster_rows(F, np.array([0, 0, 1, 1]), 0.9, NO_PAIRS).tolist() == [0, 0, 1, 1]


def test_a_known_pair_is_one_cluster_however_far_apart() -> None:
    F = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    labels = np.zeros(3, np.int64)
    assert cluster_rows(F, labels, 0.5, NO_PAIRS).tolist() == [0, 1, 2]
    assert cluster_rows(F, labels, 0.5, np.array([[0, 1]])).tolist() == [0, 0, 1]


def test_nearest_in_blocks_is_nearest_at_once(monkeypatch) -> None:
    F, _ = spread_out(*things(5, 3)[:2])
    whole = nearest(F, 4)
    monkeypatch.setattr("headstart.data.series.neighbours._BLOCK", 7)
    assert all(np.array_equal(one, other) for one, other in zip(whole, nearest(F, 4), strict=True))


def test_chance_likeness_grows_with_the_number_of_images() -> None:
    small, large = (spread_out(*things(count, 1)[:2]) for count in (8, 80))
    labels = [things(count, 1)[1] for count in (8, 80)]
    assert chance_likeness(small[1], labels[0]) > 0
    assert chance_likeness(large[1], labels[1]) < 1

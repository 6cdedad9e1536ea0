"""A batch is compared with the training images by itself, and near repeats do not pass for many images."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.trust.shift.batch_test import ReferenceSample, reference_from_arrays
from headstart.trust.shift.monitor import LEVEL, ShiftCheck, check_shift, reference_rows, subsample, thin_rows


def cloud(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Rows around two directions, as embeddings of two classes are."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 24)) + 4 * np.eye(24)[rng.integers(0, 2, n)]
    return (rows + shift * np.eye(24)[5]).astype(np.float32)


def compared(kept: ReferenceSample, batch: np.ndarray, seed: int = 0) -> ShiftCheck:
    return check_shift(kept, subsample(batch), seed=seed)


def test_a_batch_from_elsewhere_is_called_different_and_one_like_the_training_images_is_not() -> None:
    kept = reference_rows(cloud(300, 0))
    same, other = compared(kept, cloud(60, 1)), compared(kept, cloud(60, 2, shift=3.0))
    assert not same.shifted
    assert other.shifted
    assert other.p == 0.002
    assert other.sentence() == (
        f"Covariate shift: these images differ from the training images (p = 0.002; {other.sample_size} images "
        "compared): the guarantee is void here. 'headstart drift' shows how they differ."
    )


def test_the_alarm_is_as_rare_as_it_is_said_to_be() -> None:
    alarms = 0
    for seed in range(60):
        rows = cloud(340, 1000 + seed)
        alarms += compared(reference_rows(rows[:300]), rows[300:], seed=seed).shifted
    assert LEVEL == 0.01
    assert alarms <= 4  # more of 60 happen once in 3,000 runs at a rate of 1 %


def test_repeats_of_a_few_pictures_are_not_taken_for_many() -> None:
    kept = reference_rows(cloud(300, 0))
    few = cloud(20, 3, shift=3.0)
    repeated = np.repeat(few, 10, axis=0) + np.random.default_rng(4).normal(0, 1e-3, (200, 24)).astype(np.float32)
    assert compared(kept, repeated).sample_size <= 20
    assert compared(kept, repeated[:90]).p is None
    more = np.concatenate([repeated, cloud(40, 5)])
    assert compared(kept, more).sample_size <= 60


def test_the_same_picture_again_does_not_count_and_another_one_does() -> None:
    kept, batch = reference_rows(cloud(40, 0)), cloud(120, 3)
    assert compared(kept, batch).sample_size <= 40
    assert len(compared(kept, batch).rows) == 120
    assert len(compared(kept, np.repeat(batch, 3, axis=0)).rows) == 120


def test_training_images_in_a_batch_do_not_hide_the_others() -> None:
    training = cloud(300, 0)
    kept = reference_rows(training)
    mixed = np.concatenate([training[:160], cloud(60, 2, shift=3.0)])
    found = compared(kept, mixed)
    assert found.shifted
    assert (found.rows < 160).sum() <= 12  # of the training images only those count that the model has not kept
    assert found.training_images >= 148
    assert compared(kept, training).p is None
    assert compared(kept, training).training_images >= 280


def test_a_large_batch_is_not_thinned_by_what_a_small_reference_calls_near() -> None:
    """Among 500 images many pairs are nearer than any two of 40: they are no copies."""
    alarms = 0
    for seed in range(40):
        rows = cloud(540, 3000 + seed)
        found = compared(reference_rows(rows[:40]), rows[40:], seed=seed)
        assert found.sample_size <= 40
        alarms += found.shifted
    assert alarms <= 3  # more of 40 happen once in 1,500 runs at a rate of 1 %


def test_small_batches_are_not_compared() -> None:
    kept = reference_rows(cloud(300, 0))
    few = compared(kept, cloud(29, 1, shift=9.0))
    assert few.p is None
    assert not few.shifted
    assert compared(kept, cloud(30, 1, shift=9.0)).shifted
    assert compared(kept, cloud(0, 1)).p is None


def test_too_few_training_images_or_groups_are_not_kept() -> None:
    assert reference_rows(cloud(29, 0)) is None
    assert reference_rows(cloud(300, 0), groups=np.arange(300) // 20) is None
    assert len(reference_rows(cloud(300, 0), groups=np.arange(300) // 2).rows) <= 150


def test_what_is_kept_survives_the_file_and_gives_the_same_answer() -> None:
    kept = reference_rows(cloud(800, 0))
    assert len(kept.rows) <= 500
    again = reference_from_arrays(kept.to_arrays())
    assert compared(again, cloud(60, 1)).p == compared(kept, cloud(60, 1)).p


def test_a_large_batch_is_drawn_from_at_random_and_a_small_one_is_whole() -> None:
    rows = np.arange(5000, dtype=np.float32)[:, None]
    drawn = subsample(rows)
    assert np.array_equal(drawn.X[:, 0], drawn.rows)
    assert len(np.unique(drawn.rows)) == 500
    assert 2200 < drawn.rows.mean() < 2800
    assert subsample(rows[:500]).X.shape == (500, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.floats(0, 1.9), st.integers(0, 5))
def test_thinned_rows_are_apart_and_every_other_row_is_near_one_of_them(n: int, radius: float, seed: int) -> None:
    X = np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32)
    kept = thin_rows(X, radius, seed)
    directions = X / np.linalg.norm(X, axis=1, keepdims=True)
    between = np.linalg.norm(directions[:, None] - directions[kept], axis=2)
    own = between[kept]
    np.fill_diagonal(own, np.inf)
    assert own.min() >= radius - 1e-3
    assert (between.min(axis=1) <= radius + 1e-3).all()

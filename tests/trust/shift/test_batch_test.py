"""Drift: right when nothing differs, quick to see what does, and able to say which."""

import numpy as np
import pytest

from headstart.errors import BundleError, DataError, OptionError
from headstart.trust.shift.batch_test import (
    ReferenceSample,
    draw_reference,
    reference_from_arrays,
    run_batch_test,
)
from headstart.trust.shift.two_sample import _permuted, two_sample


def drawn(n: int, d: int = 12, *, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


def test_p_values_are_uniform_when_nothing_differs() -> None:
    found = [
        run_batch_test(draw_reference(drawn(40, seed=2 * s)), drawn(14, seed=2 * s + 1), permutations=39, seed=s)
        for s in range(400)
    ]
    for p in (np.array([d.p for d in found]), np.array([d.test.p_mmd for d in found])):
        for level in (0.05, 0.1, 0.25, 0.5):
            assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 400)
        assert (p <= 0.5).mean() >= 0.35
    assert np.mean([d.balanced_accuracy.value for d in found]) == pytest.approx(0.5, abs=0.03)


def test_p_values_keep_their_rate_when_images_come_in_groups() -> None:
    hits, naive = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(24), random.integers(2, 6, size=24))
        X = (2 * random.normal(size=(24, 6))[groups] + 0.3 * random.normal(size=(len(groups), 6))).astype(np.float32)
        batch = groups >= 17
        kept = draw_reference(X[~batch], groups=groups[~batch])
        hits.append(run_batch_test(kept, X[batch], groups=groups[batch], permutations=39, seed=seed).drifted)
        naive.append(run_batch_test(draw_reference(X[~batch]), X[batch], permutations=39, seed=seed).drifted)
    assert np.mean(hits) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(naive) > 0.3


def test_p_values_within_classes_keep_their_rate_when_only_the_mixture_differs() -> None:
    within, together = [], []
    for seed in range(150):
        random = np.random.default_rng(seed)
        first, batch = random.integers(3, size=90), random.choice(3, 30, p=[0.8, 0.1, 0.1])
        X = (random.normal(size=(120, 8)) + 3 * np.eye(8)[np.r_[first, batch]]).astype(np.float32)
        found = run_batch_test(draw_reference(X[:90]), X[90:], classes=(first, batch), permutations=39, seed=seed)
        within.append(found.p_within_classes)
        together.append(found.p)
    assert (np.array(within) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert (np.array(together) <= 0.05).mean() > 0.9


@pytest.mark.parametrize(("shift", "size"), [(1.5, 10), (0.5, 60), (0.3, 400)])
def test_a_shift_is_found(shift: float, size: int) -> None:
    found = run_batch_test(draw_reference(drawn(300)), drawn(size, shift=shift, seed=1))
    assert found.p <= 0.01
    assert found.drifted
    assert found.balanced_accuracy.low > 0.5
    assert found.sentence().startswith(f"The batch differs from the training data ({size} images against 300 from")


def test_a_changed_spread_is_found_by_the_kernel_though_no_direction_tells() -> None:
    found = [
        run_batch_test(draw_reference(drawn(150)), 1.5 * drawn(40, seed=s), permutations=99, seed=s)
        for s in range(1, 21)
    ]
    assert all(d.test.p_mmd <= 0.02 for d in found)
    assert all(d.p <= 0.04 for d in found)
    assert np.mean([d.test.p_classifier <= 0.04 for d in found]) < 0.5


def test_the_smallest_p_value_is_one_over_the_permutations_and_one() -> None:
    assert run_batch_test(draw_reference(drawn(50)), drawn(20, shift=9), permutations=99).p == 0.01


def test_the_extreme_rows_of_both_sides_are_named() -> None:
    X, batch = drawn(120), drawn(40, seed=1)
    batch[[3, 17, 29]] += 6
    X[[5, 50]] -= 6
    found = run_batch_test(draw_reference(X), batch, shown=4)
    assert set(found.batch_extremes[:3].tolist()) == {3, 17, 29}
    assert set(found.reference_extremes[:2].tolist()) == {5, 50}
    assert len(found.batch_extremes) == len(found.reference_extremes) == 4


def test_row_numbers_are_those_of_all_training_rows_after_a_subset_was_kept() -> None:
    X = drawn(400)
    kept = draw_reference(X, most=60)
    assert len(kept.rows) == 60
    assert np.allclose(kept.rows.astype(np.float32) * kept.unit, X[kept.positions], atol=5e-3)
    assert set(run_batch_test(kept, drawn(20, shift=2), shown=60).reference_extremes.tolist()) == set(
        kept.positions.tolist()
    )


def test_large_sides_are_thinned() -> None:
    found = run_batch_test(draw_reference(drawn(3000), most=3000), drawn(2500, seed=1), permutations=19)
    assert (found.batch_size, found.reference_size) == (1000, 1000)
    assert found.batch_extremes.max() < 2500


def test_another_mixture_of_the_same_pictures_is_told_from_other_pictures() -> None:
    random = np.random.default_rng(0)
    first, batch = random.integers(3, size=200), np.zeros(40, np.int64)
    X = (random.normal(size=(240, 8)) + 4 * np.eye(8)[np.r_[first, batch]]).astype(np.float32)
    kept = draw_reference(X[:200])
    mixture = run_batch_test(kept, X[200:], classes=(first, batch))
    assert mixture.label_shift_only
    assert mixture.sentence().startswith(
        "Label shift: the class prior of the batch differs from that of the training data (40 images"
    )
    other = run_batch_test(kept, X[200:] + 1, classes=(first, batch))
    assert other.drifted
    assert not other.label_shift_only
    assert run_batch_test(kept, X[200:]).p_within_classes is None


def test_nothing_found_is_said_with_what_could_have_been() -> None:
    found = run_batch_test(draw_reference(drawn(100)), drawn(12, seed=1))
    assert found.sentence().startswith("No drift found (12 images against 100 from training; p = ")
    assert found.sentence().endswith("A small batch shows large differences only.")
    facts = found.to_dict()
    assert facts["drifted"] is False
    assert facts["p_of_each_test"].keys() == {"classifier", "mmd"}
    assert len(facts["batch_extremes"]) == 12


def test_the_same_seed_gives_the_same_answer() -> None:
    kept, batch = draw_reference(drawn(60)), drawn(20, seed=1)
    assert run_batch_test(kept, batch).to_dict() == run_batch_test(kept, batch).to_dict()


def test_the_reference_goes_through_arrays_exactly() -> None:
    kept = draw_reference(drawn(80) * 1e6, groups=np.arange(80) // 2, most=40)
    again = reference_from_arrays(kept.to_arrays())
    assert isinstance(again, ReferenceSample)
    assert again.unit == kept.unit
    for name, array in kept.to_arrays().items():
        assert np.array_equal(again.to_arrays()[name], array)
    assert np.isfinite(again.rows).all()
    assert kept.rows.nbytes == 40 * 12 * 2


def test_rounding_to_half_precision_is_not_taken_for_drift() -> None:
    X = 1000 + drawn(200, d=3)
    assert run_batch_test(draw_reference(X[:100]), X[100:]).p > 0.05


@pytest.mark.parametrize("X", [np.ones((60, 3)), np.zeros((60, 3))])
def test_rows_that_never_vary_do_not_differ(X: np.ndarray) -> None:
    found = run_batch_test(draw_reference(X[:40]), X[40:])
    assert found.p == 1.0


def test_shuffles_keep_the_numbers_of_each_block_and_groups_whole() -> None:
    groups = np.array([0, 0, 1, 2, 2, 3, 4, 5])
    second = np.array([1, 1, 0, 0, 0, 1, 0, 0], bool)
    blocks = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    marks = _permuted(second, groups, blocks, 50, np.random.default_rng(0))
    assert np.array_equal(marks[0], second)
    for row in marks:
        assert len({*row[:2]}) == len({*row[3:5]}) == 1
        assert row[0] + row[2] + row[3] == 1
        assert row[5:].sum() == 1
    assert len(np.unique(marks, axis=0)) == 9


def test_the_classifier_never_saw_the_row_that_it_scores() -> None:
    X, second = drawn(60), np.arange(60) >= 40
    found = two_sample(X, second, groups=np.arange(60), permutations=19)
    held = found.folds == 0
    from sklearn.linear_model import Ridge

    Z = (X - X.mean(axis=0)) / X.std(axis=0) / 12**0.5
    inner = Z[~held] - Z[~held].mean(axis=0)
    model = Ridge(alpha=(inner**2).sum() / (~held).sum()).fit(Z[~held], second[~held].astype(float))
    wanted = model.predict(Z[held]) - second[~held].mean()
    assert found.domain_scores[held] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: draw_reference(drawn(29)), "at least 30 reference images to compare with; found 29"),
        (lambda: run_batch_test(draw_reference(drawn(40)), drawn(9)), "at least 10 images in the batch; found 9"),
        (lambda: run_batch_test(draw_reference(drawn(40)), drawn(20, 11)), "must be 12 numbers wide.* found 11"),
        (lambda: run_batch_test(draw_reference(drawn(40)), drawn(20) * np.nan), "batch embeddings must be finite"),
        (
            lambda: run_batch_test(draw_reference(drawn(40)), drawn(20), groups=np.zeros(20, int)),
            "the batch is one group",
        ),
        (
            lambda: run_batch_test(draw_reference(drawn(40)), drawn(20), groups=np.zeros(3, int)),
            "groups must be one whole number a",
        ),
        (
            lambda: run_batch_test(draw_reference(drawn(40)), drawn(20), classes=(np.zeros(4, int), np.zeros(20, int))),
            "the reference's predicted classes must be one whole number a row, 40 of them",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(what, message: str) -> None:
    with pytest.raises(DataError, match=message):
        what()


def test_options_out_of_range_are_refused() -> None:
    kept = draw_reference(drawn(40))
    with pytest.raises(OptionError, match="level must lie between 0 and 1"):
        run_batch_test(kept, drawn(20), level=2.0)
    with pytest.raises(OptionError, match="permutations must be at least 19"):
        run_batch_test(kept, drawn(20), permutations=5)
    with pytest.raises(OptionError, match="most must be at least 30"):
        draw_reference(drawn(40), most=10)


def test_a_damaged_reference_is_refused() -> None:
    arrays = draw_reference(drawn(40)).to_arrays()
    with pytest.raises(BundleError, match="the saved drift reference cannot be used: the array 'rows' holds float32"):
        reference_from_arrays({**arrays, "rows": arrays["rows"].astype(np.float32)})
    with pytest.raises(BundleError, match="it holds 40 rows and the unit 0"):
        reference_from_arrays({**arrays, "unit": np.array(0, np.float32)})
    with pytest.raises(BundleError, match="has an axis of length 39"):
        reference_from_arrays({**arrays, "groups": arrays["groups"][1:]})


def test_more_rows_than_are_ever_kept_are_refused_before_they_cost_memory() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    arrays = draw_reference(rows).to_arrays()
    many = {name: np.concatenate([array] * 26) if array.ndim else array for name, array in arrays.items()}
    assert len(many["rows"]) == 1040
    with pytest.raises(BundleError, match="it holds 1040 rows"):
        reference_from_arrays(many)

"""Label shift: shares found again, alarms at their rate, trifles let pass."""

import json

import numpy as np
import pytest

from headstart.errors import DataError, InternalError
from headstart.trust.shift.label_shift import ReferenceCounts, estimate_class_prior, homogeneity, label_shift

USUAL = np.array([0.5, 0.3, 0.2])


def drawn(n: int, shares: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Honest probabilities under the usual shares, of images whose classes come in other shares."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=n, p=shares)
    x = rng.normal(size=(n, 3))
    x[np.arange(n), y] += 2
    z = 2 * x + np.log(USUAL)
    rising = np.exp(z - z.max(axis=1, keepdims=True))
    return rising / rising.sum(axis=1, keepdims=True), y


def reference() -> ReferenceCounts:
    p, y = drawn(1000, USUAL, 0)
    return ReferenceCounts.of(y, p.argmax(axis=1), 3)


def test_the_shares_of_a_batch_are_found_again() -> None:
    p, y = drawn(20_000, np.array([0.1, 0.2, 0.7]), 1)
    assert estimate_class_prior(p, USUAL) == pytest.approx(np.bincount(y) / len(y), abs=0.015)
    assert estimate_class_prior(drawn(20_000, USUAL, 2)[0], USUAL) == pytest.approx(USUAL, abs=0.015)


def test_a_class_that_training_never_saw_stays_at_nothing() -> None:
    assert estimate_class_prior(np.array([[0.5, 0.5, 0.0]]), np.array([0.5, 0.5, 0.0]))[2] == 0.0
    assert np.isfinite(estimate_class_prior(np.array([[0.0, 0.0, 1.0]]), np.array([0.5, 0.5, 0.0]))).all()


def test_a_shift_is_told_in_words() -> None:
    found = label_shift(drawn(300, np.array([0.1, 0.2, 0.7]), 3)[0], reference())
    assert found.shifted
    assert found.p_value < 0.001
    assert found.distance == pytest.approx(0.5, abs=0.08)
    assert found.sentence(("a", "b", "c")).startswith("Label shift: the class prior differs from training ('c' ")
    assert found.sentence(("a", "b", "c")).endswith("the guarantee is void here.")


def test_false_alarms_come_at_their_rate() -> None:
    alarms = [label_shift(drawn(100, USUAL, 10 + i)[0], reference(), level=0.1, least=0, seed=i) for i in range(200)]
    assert 0.03 < np.mean([found.shifted for found in alarms]) < 0.18
    assert "No label shift" in next(found for found in alarms if not found.shifted).sentence(("a", "b", "c"))


def test_a_trifle_is_let_pass_however_large_the_batch() -> None:
    p, y = drawn(60_000, USUAL, 4)
    many = ReferenceCounts.of(y, p.argmax(axis=1), 3)
    found = label_shift(drawn(60_000, USUAL + np.array([0.02, -0.02, 0.0]), 5)[0], many)
    assert found.p_value < 0.01
    assert not found.shifted


def test_the_test_agrees_with_chi_squared_where_counts_are_large() -> None:
    from scipy.stats import chi2_contingency

    one, other = np.array([120, 90, 40]), np.array([500, 300, 200])
    assert homogeneity(one, other) == pytest.approx(chi2_contingency(np.stack([one, other])).pvalue, abs=0.015)


def test_a_single_image_shows_nothing() -> None:
    assert not label_shift(np.array([[0.0, 0.0, 1.0]]), reference()).shifted


def test_counts_are_kept_and_json() -> None:
    assert ReferenceCounts.of(np.array([0, 0, 2]), np.array([0, 1, 2]), 3) == ReferenceCounts((2, 0, 1), (1, 1, 1))
    found = label_shift(drawn(50, USUAL, 6)[0], reference())
    assert json.loads(json.dumps(found.to_dict()))["rows"] == 50


def test_wrong_batches_are_refused() -> None:
    with pytest.raises(DataError, match="a batch without images"):
        label_shift(np.empty((0, 3)), reference())
    with pytest.raises(InternalError, match="for 3 classes"):
        label_shift(np.ones((4, 2)) / 2, reference())

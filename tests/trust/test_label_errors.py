"""Label issues are found from out-of-fold probabilities, exactly as the authors' library finds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart.trust.label_errors import class_thresholds, confident_disagreements, find_label_issues


def sure(labels: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities of a model that is right and 90 % sure."""
    probabilities = np.full((len(labels), classes), 0.1 / (classes - 1), np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.9
    return probabilities


def as_cleanlab(labels: np.ndarray, probabilities: np.ndarray) -> tuple[list[int], list[int], list[float]]:
    """Rows, predicted classes and self-confidences by cleanlab."""
    from cleanlab.filter import find_label_issues as reference

    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    rows = np.asarray(
        reference(
            labels=labels,
            pred_probs=exact,
            filter_by="low_self_confidence",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
            verbose=False,
        ),
        dtype=np.int64,
    )
    quality = exact[rows, labels[rows]].astype(np.float32)
    return rows.tolist(), exact[rows].argmax(axis=1).tolist(), quality.tolist()


def as_ours(labels: np.ndarray, probabilities: np.ndarray) -> tuple[list[int], list[int], list[float]]:
    issues = find_label_issues(labels, probabilities)
    assert (issues.rows.dtype, issues.suggested.dtype, issues.quality.dtype) == (np.int64, np.int64, np.float32)
    return issues.rows.tolist(), issues.suggested.tolist(), issues.quality.tolist()


def test_flipped_labels_are_found_least_believed_first_with_the_right_class() -> None:
    truth = np.arange(90) % 3
    probabilities = sure(truth, 3)
    probabilities[4] = [0.04, 0.95, 0.01]
    labels = truth.copy()
    labels[[4, 50]] = [2, 0]
    issues = find_label_issues(labels, probabilities)
    assert issues.rows.tolist() == [4, 50]
    assert issues.suggested.tolist() == [1, 2]
    assert issues.quality.tolist() == pytest.approx([0.01, 0.05], abs=1e-3)
    assert len(issues) == 2


def test_right_labels_are_left_in_peace() -> None:
    truth = np.arange(90) % 3
    assert len(find_label_issues(truth, sure(truth, 3))) == 0


def test_thresholds_are_mean_self_confidences_and_an_absent_class_is_never_confident() -> None:
    labels = np.array([0, 0, 2])
    probabilities = np.array([[0.9, 0.05, 0.05], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    assert class_thresholds(labels, probabilities).tolist() == pytest.approx([0.7, 2.0, 0.1])
    assert confident_disagreements(labels, probabilities).tolist() == [False, False, False]
    assert confident_disagreements(np.array([0, 1, 2]), probabilities).tolist() == [False, True, True]


def test_nothing_is_found_in_nothing_and_in_one_class() -> None:
    assert len(find_label_issues(np.zeros(0, np.int64), np.zeros((0, 3), np.float32))) == 0
    assert len(find_label_issues(np.zeros(5, np.int64), sure(np.arange(5) % 2, 2))) == 0


@pytest.mark.parametrize("seed", range(40))
def test_random_problems_give_the_rows_order_and_scores_of_cleanlab(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, classes = int(random.integers(2, 600)), int(random.integers(2, 12))
    truth = random.integers(0, classes, n)
    scores = random.normal(size=(n, classes)) + random.uniform(0.2, 4) * np.eye(classes)[truth]
    probabilities = (np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)).astype(np.float32)
    if seed % 4 == 0:
        probabilities = np.round(probabilities, 1).astype(np.float32) + np.float32(0.01)  # many ties
    labels = np.where(random.random(n) < 0.15, random.integers(0, classes, n), truth)
    labels[:2] = [0, 1]
    assert as_ours(labels, probabilities) == as_cleanlab(labels, probabilities)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Few levels of probability, so that ties, sure rows and equal columns are frequent; classes may be absent."""
    classes, n = draw(st.integers(2, 5)), draw(st.integers(2, 40))
    parts = draw(hnp.arrays(np.int64, (n, classes), elements=st.integers(0, 4))).astype(np.float32)
    parts[parts.sum(axis=1) == 0, 0] = 1
    labels = draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    labels[:2] = [0, 1]  # cleanlab takes no single class
    return labels, parts


@given(problems())
@settings(max_examples=300, deadline=None)
def test_contrived_problems_give_the_rows_order_and_scores_of_cleanlab(
    problem: tuple[np.ndarray, np.ndarray],
) -> None:
    assert as_ours(*problem) == as_cleanlab(*problem)

"""The account of a set of answers."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from headstart.metrics.class_report import per_class, scorecard


def test_each_class_has_its_line() -> None:
    y = np.array([0, 0, 0, 0, 1, 1])
    answers = np.array([0, 0, 0, 1, 1, 1])
    cat, dog, fox = per_class(y, answers, ("cat", "dog", "fox"))
    assert (cat.name, cat.count, cat.recall, cat.precision) == ("cat", 4, 0.75, 1.0)
    assert (dog.count, dog.recall, dog.precision, dog.f1) == (
        2,
        1.0,
        pytest.approx(2 / 3),
        pytest.approx(0.8),
    )
    assert (fox.count, fox.recall, fox.precision, fox.f1) == (0, 0.0, 0.0, 0.0)
    assert (fox.recall_low, fox.recall_high) == (0.0, 1.0)
    assert 0.3 < cat.recall_low < 0.75 < cat.recall_high < 1


def test_lines_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, answers = rng.integers(3, size=(2, 60))
    wanted = precision_recall_fscore_support(y, answers)
    ours = per_class(y, answers, ("a", "b", "c"))
    assert np.allclose([line.precision for line in ours], wanted[0])
    assert np.allclose([line.recall for line in ours], wanted[1])
    assert np.allclose([line.f1 for line in ours], wanted[2])


def test_repeats_add_no_certainty() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=40)
    p = rng.dirichlet(np.ones(2), size=40)
    once, thrice = scorecard(y, p, ("a", "b")), scorecard(y, np.stack([p, p, p]), ("a", "b"))
    assert once.accuracy == thrice.accuracy
    assert once.per_class == thrice.per_class
    assert (once.confusion == thrice.confusion).all()
    assert once.log_loss == pytest.approx(thrice.log_loss)

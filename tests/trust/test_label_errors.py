"""Flipped labels are found from out-of-fold probabilities; without the library the message names the extra."""

import sys

import numpy as np
import pytest

from headstart.errors import MissingExtra
from headstart.trust.label_errors import find_label_issues


def sure(labels: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities of a model that is right and 90 % sure."""
    found = np.full((len(labels), classes), 0.1 / (classes - 1), np.float32)
    found[np.arange(len(labels)), labels] = 0.9
    return found


def test_flipped_labels_are_found_most_doubtful_first_with_the_right_class() -> None:
    truth = np.arange(90) % 3
    probabilities = sure(truth, 3)
    probabilities[4] = [0.04, 0.95, 0.01]
    given = truth.copy()
    given[[4, 50]] = [2, 0]
    found = find_label_issues(given, probabilities)
    assert found.rows.tolist() == [4, 50]
    assert found.suggested.tolist() == [1, 2]
    assert found.quality.tolist() == pytest.approx([0.01, 0.05], abs=1e-3)
    assert len(found) == 2


def test_right_labels_are_left_in_peace() -> None:
    truth = np.arange(90) % 3
    assert len(find_label_issues(truth, sure(truth, 3))) == 0


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "cleanlab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(MissingExtra, match=r"finding wrong labels needs the package 'cleanlab.*'headstart\[audit\]'"):
        find_label_issues(np.array([0, 1]), sure(np.array([0, 1]), 2))

"""The area under the ROC curve counts pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from headstart.metrics.auroc import auroc

SOME = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


@given(SOME, SOME)
def test_it_is_scikit_learns_area_with_ties_and_all(low: list[int], high: list[int]) -> None:
    wanted = roc_auc_score([0] * len(low) + [1] * len(high), low + high)
    assert auroc(np.array(low), np.array(high)) == pytest.approx(wanted)


@given(SOME, SOME)
def test_exchanging_the_sides_mirrors_it(low: list[int], high: list[int]) -> None:
    assert auroc(np.array(low), np.array(high)) == pytest.approx(1 - auroc(np.array(high), np.array(low)))

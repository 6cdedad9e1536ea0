"""The share that is right rises with the score, and is what was counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.metrics.boxes.matching import match
from headstart.records.boxes import Detections, boxes_from_lists
from headstart.trust.calibration.detections import calibrate, fit_detections
from headstart.trust.calibration.isotonic import fit_steps


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 9))
def test_shares_rise_and_add_up_to_what_was_right(pairs: list[tuple[float, bool]], fewest: int) -> None:
    scores, right = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    steps = fit_steps(scores, right, fewest=fewest)
    assert (np.diff(steps.shares) > 0).all()
    assert (np.diff(steps.limits) > 0).all()
    assert steps.at(scores).sum() == pytest.approx(right.sum())


def test_no_step_rests_on_a_handful() -> None:
    scores = np.arange(70) / 70
    steps = fit_steps(scores, scores > 0.98, fewest=30)
    assert steps.at(np.array([1.0])).tolist() == [1 / 40]  # thirty, then forty: the last ten are no step of their own


def test_nothing_seen_is_nothing_right() -> None:
    assert fit_steps(np.zeros(0), np.zeros(0)).at(np.array([0.9])).tolist() == [0.0]


def test_each_class_has_its_own_steps() -> None:
    boxes = boxes_from_lists([[(0, (0, 0, 10, 10), False)]] * 40, [(50, 50)] * 40, "ab")
    seen = Detections(np.array([[0.0, 0, 10, 10], [0, 0, 10, 10]]), np.array([0.9, 0.9]), np.array([0, 1]))
    shares = calibrate([seen], fit_detections(match(boxes, [seen] * 40)))
    assert shares[0].scores.tolist() == [1.0, 0.0]

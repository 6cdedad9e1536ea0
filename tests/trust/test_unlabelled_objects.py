"""A confident detection where no label is may be an object that was forgotten."""

import numpy as np

from headstart.records.boxes import Detections, boxes_from_lists
from headstart.trust.unlabelled_objects import unlabelled_objects


def test_what_is_seen_surely_and_labelled_nowhere_is_named_the_surest_first() -> None:
    boxes = boxes_from_lists([[(0, (0, 0, 10, 10), False)], []], [(50, 50)] * 2, "ab")
    corners = np.array([[0.0, 0, 10, 11], [20, 20, 30, 30], [40, 40, 45, 45]])
    seen = Detections(corners, np.array([0.9, 0.8, 0.1]), np.array([1, 0, 0]))
    empty_image = Detections(corners[:1], np.array([0.95]), np.array([1]))
    suspects = unlabelled_objects(boxes, [seen, empty_image], 0.5)
    assert [(suspect.row, suspect.label, suspect.corners[0]) for suspect in suspects] == [(1, 1, 0.0), (0, 0, 20.0)]

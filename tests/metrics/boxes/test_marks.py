"""Each detection is right or false, each object seen or missed, each once."""

import numpy as np

from headstart.metrics.boxes.marks import mark
from headstart.records.boxes import Detections, boxes_from_lists

HERE, THERE, CROWD = (0, 0, 10, 10), (20, 20, 30, 30), (40, 40, 50, 50)
BOXES = boxes_from_lists([[], [(0, HERE, False), (1, THERE, False), (1, CROWD, True)]], [(60, 60)] * 2, "ab")


def test_a_second_box_on_an_object_is_false_and_another_class_misses_it() -> None:
    corners = np.array([HERE, HERE, THERE, CROWD], float)
    marks = mark(BOXES, 1, Detections(corners, np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 0, 1])))
    assert marks.right.tolist() == [True, False, False, False]
    assert marks.false.tolist() == [False, True, True, False]  # what hits a crowd is neither
    assert marks.missed.tolist() == [False, True, False]
    assert marks.wrong == 0.75


def test_an_empty_image_with_nothing_seen_is_not_wrong() -> None:
    assert mark(BOXES, 0, Detections.none()).wrong == 0.0

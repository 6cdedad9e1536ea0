"""A detection as sure as those that are right, where no label is, may be an object that was forgotten."""

import numpy as np

from headstart.records.boxes import Boxes, Detections, boxes_from_lists
from headstart.trust.unlabelled_objects import most_named, unlabelled_objects

IMAGES = 60
FIRST, OTHER, INSIDE = (0, 0, 10, 10), (30, 30, 40, 40), (1, 1, 4, 4)


def boxes() -> Boxes:
    return boxes_from_lists([[(0, FIRST, False)]] * IMAGES, [(50, 50)] * IMAGES, "ab")


def seen(*entries: tuple[tuple[int, ...], float, int]) -> Detections:
    corners, scores, labels = zip(*entries, strict=True)
    return Detections(np.array(corners, float), np.array(scores), np.array(labels))


def test_what_is_seen_surely_and_labelled_nowhere_is_named_the_surest_first() -> None:
    answers = [seen((FIRST, 0.9, 0))] * IMAGES
    answers[3], answers[5] = seen((FIRST, 0.9, 0), (OTHER, 0.95, 0)), seen((FIRST, 0.9, 0), (OTHER, 0.97, 0))
    suspects = unlabelled_objects(boxes(), answers)
    assert [(suspect.row, suspect.label, suspect.corners) for suspect in suspects] == [(5, 0, OTHER), (3, 0, OTHER)]
    assert all(0.9 <= suspect.right < 1 for suspect in suspects)


def test_a_score_at_which_many_are_wrong_names_nothing() -> None:
    assert unlabelled_objects(boxes(), [seen((FIRST, 0.9, 0), (OTHER, 0.99, 0))] * IMAGES) == ()


def test_a_part_of_a_labelled_object_is_no_new_one() -> None:
    answers = [seen((FIRST, 0.9, 0))] * IMAGES
    answers[3] = seen((FIRST, 0.9, 0), (INSIDE, 0.95, 0))
    assert unlabelled_objects(boxes(), answers) == ()


def test_an_object_of_another_class_in_its_place_is_no_new_one() -> None:
    answers = [seen((FIRST, 0.9, 0))] * IMAGES
    answers[3] = seen((FIRST, 0.9, 1))
    assert unlabelled_objects(boxes(), answers, sure=0.0) == ()


def test_few_are_named_of_many() -> None:
    assert (most_named(20), most_named(4000)) == (5, 120)

"""What a comparison says beside its numbers: one answer for all, and where several sources come from."""

import numpy as np

from headstart.adaptation.choice import UNSURE, Choice
from headstart.adaptation.distance import DomainDistance
from headstart.metrics.intervals import Estimate
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from headstart.verbs.adapt.compare import _cautions, _number_origins


def test_a_target_that_gets_one_answer_is_said_to_be_of_one_class_or_too_far_away() -> None:
    distance = DomainDistance(Estimate(0.99, 0.98, 1.0))
    (note,) = _cautions(Choice(UNSURE, np.eye(3)[np.zeros(40, np.int64)], distance))
    assert note.startswith("Every image of the target gets the same answer: it may be of one class, or too far from")
    assert _cautions(Choice(UNSURE, np.eye(3)[np.arange(40) % 2], distance)) == ()


def test_images_of_no_named_domain_are_a_domain_of_their_own_and_one_domain_needs_no_numbers() -> None:
    target = Classes(np.array([0, 1, 0, 1]), ("cat", "dog"))
    rows = Rows(target, np.array([[0, 1, 0, 1]]), content=("a", "b", "c", "d"))
    assert _number_origins(rows, {}) == ([], None)
    names, numbers = _number_origins(rows, {"a": "day", "b": "night", "c": "day"})
    assert names == ["day", "night", "other images"]
    assert numbers is not None
    assert numbers.tolist() == [0, 1, 0, 2]

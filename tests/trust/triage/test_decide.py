"""Accept or review: each reason in its place, and a warning where a batch is another."""

import numpy as np
import pytest

from headstart.errors import OptionError
from headstart.records.predictions import Predictions
from headstart.trust.shift.label_shift import ReferenceCounts
from headstart.trust.shift.monitor import ShiftCheck
from headstart.trust.triage.decide import decide
from headstart.trust.triage.thresholds import top_predictions, triage

CLASSES = ("cat", "dog")
HALF = ReferenceCounts((100, 100), (100, 100))


def predictions(*rows: float, novelty: list[float] | None = None) -> Predictions:
    """Images with these probabilities of 'cat'."""
    likely = np.array([[p, 1 - p] for p in rows], np.float32).reshape(-1, 2)
    names = tuple(f"{i}.png" for i in range(len(rows)))
    return Predictions(names, CLASSES, likely, (), None if novelty is None else np.array(novelty))


def labelled(wrong_dogs: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """400 answers, 200 of each class, surest first; so many of the surest dogs are cats."""
    sure = np.tile(np.linspace(0.999, 0.6, 200), 2)
    y = np.repeat([0, 1], 200)
    likely = np.stack([np.where(y == 0, sure, 1 - sure), np.where(y == 0, 1 - sure, sure)], axis=1)
    y[200 : 200 + wrong_dogs] = 0
    return likely, y


def asked(scope: str = "all", wrong_dogs: int = 0, max_error: float = 0.05) -> object:
    likely, y = labelled(wrong_dogs)
    said, sure = top_predictions(likely)
    return triage(sure, said, y, classes=CLASSES, scope=scope, max_error=max_error)


def usual(n: int) -> ShiftCheck:
    """A batch of images like the training ones, all different."""
    return ShiftCheck(np.arange(n), 0.5)


def test_sure_answers_are_accepted_and_each_other_image_has_its_reason() -> None:
    found = decide(predictions(0.98, 0.02, 0.99, 0.55, novelty=[0.4, 1.0, 1.001, 0.2]), asked(max_error=0.015), HALF)
    assert found.words == ("accept", "accept", "review", "accept")
    found = decide(
        predictions(0.98, 0.02, 0.99, 0.55, novelty=[0.4, 1.0, 1.001, 1.2]), asked("all", wrong_dogs=12), HALF
    )
    assert found.words == ("review", "review", "review", "review")
    assert found.reasons == ("no guarantee", "no guarantee", "novel", "novel")
    assert not found.feasible
    assert "cannot be shown" in found.guarantee[0]


def test_a_class_that_is_not_covered_goes_to_review_with_its_reason() -> None:
    found = decide(predictions(0.98, 0.02, 0.501), asked("class", wrong_dogs=12), HALF)
    assert found.feasible
    assert found.words == ("accept", "review", "accept")
    assert found.reasons == ("", "class not covered", "")


def test_an_answer_below_the_threshold_is_not_sure_enough() -> None:
    likely, y = labelled()
    said, sure = top_predictions(likely)
    y[sure < 0.7] = 1 - y[sure < 0.7]
    some = triage(sure, said, y, classes=CLASSES, max_error=0.02)
    found = decide(predictions(0.99, 0.65), some, HALF)
    assert found.words == ("accept", "review")
    assert found.reasons == ("", "low confidence")


def test_no_image_is_no_mistake() -> None:
    found = decide(predictions(), asked(), HALF)
    assert len(found) == 0
    assert found.words == ()
    assert found.notes == ()


def test_a_batch_under_label_shift_voids_the_guarantee_from_50_images_on() -> None:
    assert decide(predictions(*[0.98] * 49), asked(), HALF, usual(49)).notes == ()
    (note,) = decide(predictions(*[0.98] * 50), asked(), HALF, usual(50)).notes
    assert note.startswith("Label shift: the class prior differs from training (")
    assert "'cat' 50 % → 100 %" in note
    assert note.endswith("the guarantee is void here.")
    assert decide(predictions(*[0.98, 0.02] * 25), asked(), HALF, usual(50)).notes == ()


def test_novel_images_say_nothing_of_label_shift() -> None:
    novelty = [2.0] * 60 + [0.5] * 50
    found = decide(predictions(*[0.98] * 60, *[0.98, 0.02] * 25, novelty=novelty), asked(), HALF, usual(110))
    assert found.notes == ()


def test_nothing_is_said_of_label_shift_where_nothing_is_guaranteed() -> None:
    assert decide(predictions(*[0.98] * 60), asked(wrong_dogs=30), HALF).notes == ()


def test_a_batch_that_differs_goes_to_review_unless_a_warning_is_enough() -> None:
    batch, other = predictions(*[0.98, 0.02] * 20, novelty=[2.0] + [0.1] * 39), ShiftCheck(np.arange(40), 0.002)
    found = decide(batch, asked(), HALF, other)
    assert not found.accepted.any()
    assert found.reasons == ("novel", *["batch shift"] * 39)
    assert found.notes == (other.sentence(),)
    warned = decide(batch, asked(), HALF, other, on_shift="warn")
    assert warned.accepted.sum() == 39
    assert warned.notes == found.notes
    usual = decide(batch, asked(), HALF, ShiftCheck(np.arange(40), 0.3))
    assert usual.accepted.sum() == 39
    assert usual.notes == ()


def test_label_shift_sends_the_batch_to_review_too() -> None:
    found = decide(predictions(*[0.98] * 50), asked(), HALF)
    assert set(found.reasons) == {"batch shift"}
    assert decide(predictions(*[0.98] * 50), asked(), HALF, on_shift="warn").accepted.all()


def test_what_becomes_of_another_batch_is_one_of_two_words() -> None:
    with pytest.raises(OptionError, match="on_shift"):
        decide(predictions(0.98), asked(), HALF, on_shift="ignore")


def test_without_a_guarantee_there_is_nothing_to_void() -> None:
    found = decide(predictions(*[0.98] * 60), asked(wrong_dogs=30), HALF, ShiftCheck(np.arange(60), 0.002))
    assert set(found.reasons) == {"no guarantee"}
    assert found.notes == ()


def test_a_novelty_that_is_no_number_counts_as_novel() -> None:
    found = predictions(0.9, 0.9, 0.9, novelty=[0.5, float("nan"), 2.0])
    assert found.novel.tolist() == [False, True, True]


def test_repeats_cause_no_label_shift() -> None:
    """Ten pictures of either class, one of which is there 90 times."""
    batch = predictions(*[0.98] * 10, *[0.02] * 10, *[0.98] * 90)
    assert decide(batch, asked(), HALF).notes != ()
    assert decide(batch, asked(), HALF, ShiftCheck(np.arange(20), 0.5)).notes == ()


def test_training_images_in_a_batch_and_an_unwatched_batch_are_said() -> None:
    batch = predictions(*[0.98, 0.02] * 20)
    said, untested = decide(batch, asked(), HALF, ShiftCheck(np.arange(9), None, training_images=15)).notes
    assert untested.startswith("These images were not tested for covariate shift: fewer than 10 of")
    assert said == "At least 15 of these images were trained on: predictions for them say nothing of new ones."
    unwatched = decide(batch, asked(), HALF)
    assert unwatched.accepted.all()
    assert unwatched.notes[0].startswith(
        "These images were not tested for covariate shift: the model keeps no embeddings"
    )
    assert decide(predictions(*[0.98, 0.02] * 14), asked(), HALF).notes == ()

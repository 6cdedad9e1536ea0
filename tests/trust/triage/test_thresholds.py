"""Triage in words and records: what is guaranteed, what is refused, and what a class hides."""

import json

import numpy as np
import pytest

from headstart.data.sampling import one_per_group
from headstart.errors import DataError, InternalError, OptionError
from headstart.trust.triage.thresholds import accepts, top_predictions, triage

CLASSES = ("cat", "dog")


def drawn(n: int, wrong: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences, answers, labels; a share `wrong` of the answers, the least sure ones, are wrong."""
    sure = np.sort(np.random.default_rng(seed).uniform(0.5, 1.0, n))[::-1].copy()
    said = np.arange(n) % 2
    return sure, said, np.where(np.arange(n) >= n * (1 - wrong), 1 - said, said)


def test_the_guarantee_is_one_sentence() -> None:
    sure, said, y = drawn(1000, 0.08)
    found = triage(sure, said, y, classes=CLASSES)
    assert found.sentences()[0] == (
        "91.5 % accepted automatically, at most 2 % of them wrong (95 % confidence); 8.5 % to review."
    )
    assert found.feasible
    assert found.required() is found
    assert (found.accepted, found.wrong) == (915, 0)
    assert found.overall.bound == pytest.approx(1 - 0.05 ** (1 / 915))
    assert found.coverage.low < 0.915 < found.coverage.high


def test_too_few_images_are_refused_with_how_many_more() -> None:
    found = triage(*drawn(100), classes=CLASSES)
    assert not found.feasible
    assert found.overall.more == 49
    assert not found.accepts(np.array([1.0]), np.array([0])).any()
    with pytest.raises(
        DataError,
        match=r"Nothing can be accepted automatically: at most 2 % wrong with 95 % confidence takes at least 149 "
        r"accepted images without an error, of 100 labelled here\. About 49 more labelled images would "
        r"do, with about even odds, if",
    ):
        found.required()


def test_errors_among_the_most_confident_are_named_in_the_refusal() -> None:
    sure, said, y = drawn(400)
    y[:20] = 1 - said[:20]
    (sentence,) = triage(sure, said, y, classes=CLASSES).sentences()
    assert "of the 149 most confident predictions 20 were wrong, so up to 18.9 % may be" in sentence
    half = triage(sure, said, np.where(np.arange(400) % 2, y, 0), classes=CLASSES, max_error=0.02)
    assert not half.feasible
    everywhere = triage(sure, said, np.where(np.arange(400) % 5, said, 1 - said), classes=CLASSES)
    assert everywhere.overall.more is None
    assert everywhere.sentences()[0].endswith(
        "How many more would do cannot be estimated: the most confident predictions are wrong too often as it is."
    )


def test_no_images_are_refused_without_a_guess() -> None:
    found = triage(*drawn(0), classes=CLASSES)
    assert not found.feasible
    assert found.sentences()[0].endswith("there are none to test on.")


def test_a_class_that_an_overall_guarantee_hides_is_named() -> None:
    random = np.random.default_rng(3)
    sure = random.uniform(0.5, 1.0, 4000)
    said = (np.arange(4000) % 25 == 0).astype(np.int64)
    y = np.where((said == 1) & (random.random(4000) < 0.3), 0, said)
    whole = triage(sure, said, y, classes=CLASSES)
    assert whole.feasible
    assert [each.status for each in whole.classes] == ["guaranteed", "violated"]
    assert whole.sentences()[1].startswith("The guarantee is violated for single classes: 'dog' (")
    single = triage(sure, said, y, classes=CLASSES, scope="class")
    assert single.thresholds[1] == 1.0
    assert single.thresholds[0] == 0.0
    assert single.wrong == 0
    assert single.sentences()[0].startswith(
        "96.0 % accepted automatically, at most 2 % of them wrong in every class (95 % confidence); 4.0 % to review."
    )
    assert "'dog' (" in single.sentences()[-1]


def test_the_classes_share_alpha() -> None:
    found = triage(*drawn(1000), classes=("a", "b", "c", "d", "e"))
    assert {each.guarantee.confidence_level for each in found.classes} == {0.99}
    assert found.classes[4].status == "none accepted"


def test_a_class_too_small_to_guarantee_anything_of_is_named() -> None:
    sure, said, y = drawn(300)
    found = triage(sure, said, y, classes=CLASSES)
    assert found.sentences()[1] == (
        "Not shown to hold for these classes alone: 'cat' (0 of 150 wrong), 'dog' (0 of 150 wrong)."
    )
    assert triage(*drawn(400), classes=CLASSES).sentences()[1:] == ()
    refused = triage(sure, said, y, classes=CLASSES, scope="class").sentences()
    assert refused == (
        "Nothing can be accepted automatically under the guarantee of at most 2 % wrong in every class with 95 % "
        "confidence. To review for want of images, of which a class takes at least 183 so predicted: 'cat' (150; at "
        "least about 33 more), 'dog' (150; at least about 33 more).",
    )


def test_one_of_each_group_is_tested() -> None:
    sure, said, y = drawn(298)
    groups = np.arange(298) // 2
    found = triage(sure, said, y, classes=CLASSES, groups=groups)
    assert (found.rows, found.feasible) == (149, True)
    assert not triage(sure, said, y, classes=CLASSES, groups=np.minimum(groups, 147)).feasible
    chosen = one_per_group(groups, seed=5)
    assert groups[chosen].tolist() == list(range(149))
    assert set(chosen % 2) == {0, 1}


def test_repeats_are_averaged_and_count_once() -> None:
    said, sure = top_predictions(np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.4, 0.6]]]))
    assert said.tolist() == [0, 1]
    assert sure.tolist() == pytest.approx([0.5, 0.7])


def test_a_confidence_at_the_threshold_goes_to_review_whatever_its_type() -> None:
    edge = np.float32(0.7)
    assert accepts(np.array([edge]), np.array([0]), (float(edge),)).tolist() == [False]
    assert accepts(np.array([np.nextafter(edge, np.float32(1))]), np.array([0]), (float(edge),)).tolist() == [True]


def test_the_record_is_json() -> None:
    found = triage(*drawn(1000, 0.08), classes=CLASSES)
    kept = json.loads(json.dumps(found.to_dict()))
    assert kept["thresholds"] == list(found.thresholds)
    assert kept["overall"]["accepted"] == 915
    assert kept["classes"][0]["name"] == "cat"


def test_wrong_requests_are_refused() -> None:
    sure, said, y = drawn(10)
    with pytest.raises(OptionError, match=r"max_error must lie between 0\.0001 and 0\.5; found 2"):
        triage(sure, said, y, classes=CLASSES, max_error=2)
    with pytest.raises(OptionError, match="scope must be one of 'all', 'class'"):
        triage(sure, said, y, classes=CLASSES, scope="each")
    with pytest.raises(DataError, match="confidences above 0 and at most 1; found -3 to 5"):
        triage(np.linspace(-3, 5, 10), said, y, classes=CLASSES)
    with pytest.raises(DataError, match="labels among the 2 classes"):
        triage(sure, said, np.full(10, -1), classes=CLASSES)
    with pytest.raises(InternalError, match="triage was given"):
        triage(sure[:5], said, y, classes=CLASSES)
    with pytest.raises(DataError, match="above 0 and at most 1"):
        triage(np.full(10, np.nan), said, y, classes=CLASSES)


def test_many_classes_are_cut_short() -> None:
    random = np.random.default_rng(0)
    said = random.integers(25, size=600)
    found = triage(random.uniform(0.5, 1, 600), said, said, classes=[f"c{k}" for k in range(25)])
    assert found.sentences()[1].endswith("and 13 more.")


def test_a_high_confidence_is_not_rounded_to_certainty() -> None:
    found = triage(*drawn(2000), classes=CLASSES, confidence_level=0.9999)
    assert "(99.99 % confidence)" in found.sentences()[0]

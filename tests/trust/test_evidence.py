"""What guarantees rest on survives a file, is taken on trust nowhere, and is chosen by its number alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BundleError, DataError, OptionError
from headstart.trust.evidence import GuaranteeRequest, JudgedPredictions, TrustEvidence, evidence_from_arrays
from headstart.trust.novelty.fit import fit_novelty
from headstart.trust.shift.monitor import reference_rows

CLASSES = ("cat", "dog")


def answered(
    n: int, *, right: float = 1.0, groups: bool = False, novel: bool = False, seed: int = 0
) -> JudgedPredictions:
    """Answers that are right so often, surer ones more so."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    sure = 0.5 + 0.5 * rng.random(n) ** 0.2
    said = np.where(rng.random(n) < right, y, 1 - y)
    likely = np.stack([np.where(said == 0, sure, 1 - sure), np.where(said == 0, 1 - sure, sure)], axis=1)
    return JudgedPredictions(
        likely.astype(np.float32),
        y,
        np.arange(n) // 2 if groups else None,
        rng.random(n) < 0.05 if novel else None,
    )


def test_a_record_survives_its_arrays() -> None:
    X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    novelty = fit_novelty(X, np.arange(60) % 2).novelty
    asked = GuaranteeRequest(0.05, 0.9)
    record = TrustEvidence(
        answered(60, groups=True, novel=True),
        answered(80, novel=True, seed=1),
        novelty=novelty,
        default_guarantee=asked,
    )
    again = evidence_from_arrays(
        record.to_arrays(), classes=2, taps={"last": 8}, kind="layers", default_guarantee=asked
    )
    assert again.triage(asked, CLASSES).to_dict() == record.triage(asked, CLASSES).to_dict()
    assert again.sets(0.9, CLASSES) == record.sets(0.9, CLASSES)
    assert again.reference_counts() == record.reference_counts()
    assert again.novelty is not None
    assert np.array_equal(again.novelty.relative(X), novelty.relative(X))
    assert again.default_guarantee == asked


@pytest.mark.parametrize(("held_out", "basis"), [(446, "out of fold"), (447, "held out")])
def test_held_out_images_judge_where_a_third_of_them_could_carry_the_guarantee(held_out: int, basis: str) -> None:
    record = TrustEvidence(answered(1000), answered(held_out))
    found = record.triage(GuaranteeRequest(0.02), CLASSES)  # 149 accepted ones without an error
    assert found.basis == basis
    assert found.sentences()[-1].startswith("Tested on ")


def test_for_each_class_the_rarest_must_do() -> None:
    few = answered(2 * 182)  # 183 without an error show 2 % with 97.5 %
    assert (
        TrustEvidence(answered(1000), few).triage(GuaranteeRequest(0.02, per_class=True), CLASSES).basis
        == "out of fold"
    )
    enough = answered(2 * 183)
    assert (
        TrustEvidence(answered(1000), enough).triage(GuaranteeRequest(0.02, per_class=True), CLASSES).basis
        == "held out"
    )


def test_which_images_judge_does_not_hang_on_how_well_they_do() -> None:
    wrong = answered(600, right=0.5)
    found = TrustEvidence(answered(1000), wrong).triage(GuaranteeRequest(0.02), CLASSES)
    assert found.basis == "held out"
    assert not found.feasible


def test_copies_count_once() -> None:
    record = TrustEvidence(answered(298, groups=True))
    refused = record.triage(GuaranteeRequest(0.02), CLASSES)
    assert not TrustEvidence(answered(296, groups=True)).triage(GuaranteeRequest(0.02), CLASSES).feasible
    assert refused.rows == 149
    assert sum(record.reference_counts().actual) == 149


def test_novel_images_are_not_counted_as_accepted_nor_tested() -> None:
    rows = answered(400)
    novel = np.zeros(400, bool)
    novel[:100] = True
    found = TrustEvidence(JudgedPredictions(rows.probabilities, rows.labels, None, novel)).triage(
        GuaranteeRequest(0.05), CLASSES
    )
    assert found.rows == 400
    assert found.overall.rows == 300
    assert found.coverage.value == 0.75
    assert sum(each.accepted for each in found.classes) == 300


@given(seed=st.integers(0, 2**31), share=st.floats(0, 0.9))
@settings(max_examples=30, deadline=None)
def test_what_is_guaranteed_holds_for_the_rows_that_are_accepted(seed: int, share: float) -> None:
    rows = answered(500, right=0.97, seed=seed)
    novel = np.random.default_rng(seed).random(500) < share
    found = TrustEvidence(JudgedPredictions(rows.probabilities, rows.labels, None, novel)).triage(
        GuaranteeRequest(0.1), CLASSES
    )
    said = rows.probabilities.argmax(axis=1)
    accepted = found.accepts(rows.probabilities.max(axis=1), said) & ~novel
    assert int(accepted.sum()) == found.accepted
    assert found.accepted == round(found.coverage.value * 500)
    assert not found.feasible or (said != rows.labels)[accepted].mean() <= 0.1


def test_sets_take_the_held_out_images_where_there_are_five_times_as_many_as_needed() -> None:
    record = TrustEvidence(answered(1000), answered(95))
    assert record.sets(0.95, CLASSES).rows == 95
    assert TrustEvidence(answered(1000), answered(94)).sets(0.95, CLASSES).rows == 1000
    with pytest.raises(DataError, match="need at least 99 labelled images; found 30"):
        TrustEvidence(answered(30)).sets(0.99, CLASSES)


@pytest.mark.parametrize(("max_error", "confidence"), [(0.0, 0.95), (0.6, 0.95), (float("nan"), 0.95), (0.02, 1.0)])
def test_a_guarantee_out_of_range_is_refused(max_error: float, confidence: float) -> None:
    with pytest.raises(OptionError, match="must lie between"):
        GuaranteeRequest(max_error, confidence)


GOOD = TrustEvidence(
    answered(20, novel=True), novelty=fit_novelty(np.eye(20, 8), np.arange(20) % 2).novelty
).to_arrays()
LIKELY = GOOD["out_of_fold.probabilities"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"more": np.zeros(1)}, "it holds 'more'"),
        ({"out_of_fold.more": np.zeros(1)}, "it must hold labels, novel, probabilities"),
        (
            {"out_of_fold.probabilities": LIKELY.astype(np.float64)},
            "'probabilities' holds float64 numbers, not float32",
        ),
        ({"out_of_fold.probabilities": LIKELY[:5]}, "has an axis of length"),
        ({"out_of_fold.probabilities": np.full_like(LIKELY, np.nan)}, "holds numbers that are not finite"),
        ({"out_of_fold.probabilities": np.full_like(LIKELY, 0.9)}, "its probabilities do not sum to 1"),
        ({"out_of_fold.probabilities": LIKELY - np.float32([[2, -2]])}, "its probabilities do not sum to 1"),
        ({"out_of_fold.probabilities": np.full((20, 3), 1 / 3, np.float32)}, "not about the model's 2 classes"),
        ({"out_of_fold.labels": np.full(20, 2)}, "not about the model's 2 classes"),
        ({"out_of_fold.labels": np.full(20, -1)}, "not about the model's 2 classes"),
        ({"out_of_fold.groups": np.zeros(19, np.int64)}, "'groups' has an axis of length 19"),
        ({"held_out.labels": np.zeros(3, np.int64)}, "it must hold labels, novel, probabilities"),
        ({"novelty.threshold": np.array(np.inf)}, "holds numbers that are not finite"),
        ({"novelty.rate": np.array(2.0)}, "its threshold or its rate is out of range"),
    ],
)
def test_arrays_that_are_none_are_refused(changes: dict[str, np.ndarray], said: str) -> None:
    evidence_from_arrays(GOOD, classes=2, taps={"last": 8}, kind="layers")
    with pytest.raises(BundleError, match=said):
        evidence_from_arrays({**GOOD, **changes}, classes=2, taps={"last": 8}, kind="layers")


def test_a_novelty_score_of_another_embedding_is_refused() -> None:
    with pytest.raises(BundleError, match="it looks at 8 numbers, and its layers give 1280"):
        evidence_from_arrays(GOOD, classes=2, taps={"last": 1280}, kind="layers")
    with pytest.raises(BundleError, match="a novelty score of which the manifest says nothing"):
        evidence_from_arrays(GOOD, classes=2, taps={"last": 8}, kind=None)
    with pytest.raises(BundleError, match="it must hold"):
        evidence_from_arrays({}, classes=2, taps={"last": 8}, kind=None)


def test_what_batches_are_compared_with_survives_and_is_checked() -> None:
    kept = reference_rows(np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32))
    arrays = TrustEvidence(answered(20), reference_sample=kept).to_arrays()
    again = evidence_from_arrays(arrays, classes=2, taps={"last": 4}, kind=None, joined=6)
    assert again.reference_sample is not None
    assert np.array_equal(again.reference_sample.rows, kept.rows)
    with pytest.raises(BundleError, match="its rows have 6 numbers, and the head looks at 8"):
        evidence_from_arrays(arrays, classes=2, taps={"last": 4}, kind=None, joined=8)
    with pytest.raises(BundleError, match="the saved drift reference"):
        evidence_from_arrays(
            {**arrays, "watched.unit": np.array(-1, np.float32)}, classes=2, taps={"last": 4}, kind=None, joined=6
        )
    with pytest.raises(BundleError, match="all its rows are of one group"):
        evidence_from_arrays(
            {**arrays, "watched.groups": np.zeros_like(kept.groups)}, classes=2, taps={"last": 4}, kind=None, joined=6
        )
    without = {name: array for name, array in arrays.items() if not name.startswith("watched.")}
    assert evidence_from_arrays(without, classes=2, taps={"last": 4}, kind=None, joined=6).reference_sample is None

"""The rule tables at literal positions, and where they contradict each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.choose.prior_knowledge.rule_tables import (
    BANDS,
    TABLES,
    TRY,
    WAYS,
    Advice,
    Position,
    Prior,
    contradictions,
    prior_advice,
)
from headstart.errors import OptionError
from headstart.heads.catalog import HEADS

POSITIONS = st.builds(
    Position,
    st.lists(st.integers(1, 300_000), min_size=2, max_size=5).map(tuple),
    st.sampled_from(["similar", "different", "in between"]),
)


def ways(table: str, count: int, similarity: str, classes: int = 2) -> tuple[str, ...]:
    found = prior_advice(Position((count,) * classes, similarity))  # type: ignore[arg-type]
    return next(each.ways for each in found.advice if each.table == table)


@pytest.mark.parametrize(
    ("table", "small_similar", "small_different", "large_similar", "large_different"),
    [
        ("CS231n notes", ("probe",), ("early",), ("full",), ("full", "scratch")),
        ("CS231n slides", ("probe",), ("probe", "early"), ("top",), ("top", "full")),
        ("CS231n slides, later", ("probe",), ("more",), ("full",), ("full", "scratch")),
        ("GenAI course matrix", ("probe",), ("top",), ("full",), ("full", "scratch")),
    ],
)
def test_every_cell_of_the_two_by_two_tables(
    table: str,
    small_similar: tuple[str, ...],
    small_different: tuple[str, ...],
    large_similar: tuple[str, ...],
    large_different: tuple[str, ...],
) -> None:
    assert ways(table, 999, "similar") == small_similar
    assert ways(table, 999, "different") == small_different
    assert ways(table, 1000, "similar") == large_similar
    assert ways(table, 1000, "different") == large_different


@pytest.mark.parametrize(
    ("table", "count", "similarity", "expected"),
    [
        ("AutoML Vision", 9, "similar", ("more",)),
        ("AutoML Vision", 10, "similar", ()),
        ("1,000 a class", 9, "similar", ("more",)),
        ("1,000 a class", 10, "similar", ("probe", "early", "top", "full")),
        ("1,000 a class", 999, "different", ("more",)),
        ("1,000 a class", 1000, "different", ("probe", "early", "top", "full", "scratch")),
        ("GenAI course ladder", 499, "similar", ("probe",)),
        ("GenAI course ladder", 500, "similar", ("top",)),
        ("GenAI course ladder", 50_000, "different", ("top",)),
        ("GenAI course ladder", 50_001, "different", ("full",)),
        ("few-shot recipe", 4, "similar", ()),
        ("few-shot recipe", 5, "similar", ("probe",)),
        ("few-shot recipe", 500, "similar", ("probe",)),
        ("few-shot recipe", 501, "similar", ()),
        ("few-shot recipe", 5, "different", ()),
        ("few-shot recipe", 5000, "similar", ("full", "scratch")),
    ],
)
def test_the_tables_by_size_change_at_their_own_thresholds(
    table: str, count: int, similarity: str, expected: tuple[str, ...]
) -> None:
    assert ways(table, count, similarity) == expected


def test_small_and_different_is_where_the_tables_contradict_each_other_most() -> None:
    found = prior_advice(Position((40, 40, 40), "different"))
    pairs = {(c.first.table, c.second.table) for c in found.contradictions}
    assert ("CS231n notes", "GenAI course matrix") in pairs
    assert ("CS231n notes", "CS231n slides, later") in pairs
    assert ("CS231n notes", "CS231n slides") not in pairs  # both allow a head on earlier layers
    assert found.contradictions[0].words() == (
        "CS231n notes says: a head on earlier layers; CS231n slides, later says: more images or another backbone."
    )
    assert "fine-tune the last stages (GenAI course matrix)" in found.disagreement()


def test_large_and_similar_contradicts_even_between_the_notes_and_the_slides_of_one_course() -> None:
    found = prior_advice(Position((2000, 2000), "similar"))
    pairs = {(c.first.table, c.second.table) for c in found.contradictions}
    assert ("CS231n notes", "CS231n slides") in pairs


def test_small_and_similar_has_no_contradiction() -> None:
    found = prior_advice(Position((100, 100), "similar"))
    assert found.contradictions == ()
    assert found.disagreement() == "The tables that say something here can all be followed at once."


def test_one_contradiction_is_said_in_the_singular() -> None:
    a = Advice("A", "a", "", ("probe",), "")
    b = Advice("B", "b", "", ("full",), "")
    found = Prior(Position((5, 5), "similar"), (a, b), contradictions([a, b]))
    assert found.disagreement() == (
        "The tables contradict each other: 1 pair of tables cannot be followed at once. "
        "A head on the last layer (A); fine-tune the whole network (B)."
    )


def test_in_between_reads_both_columns() -> None:
    assert ways("CS231n notes", 50, "in between") == ("probe", "early")


def test_the_median_class_places_the_data_and_the_smallest_is_kept() -> None:
    where = Position((3, 500, 40, 12), "similar")
    assert (where.images, where.smallest, where.median, where.large) == (555, 3, 12, False)
    assert prior_advice(where).band == "10 to 19"


@pytest.mark.parametrize(
    ("count", "band"),
    [
        (9, "fewer than 10"),
        (10, "10 to 19"),
        (20, "20 to 99"),
        (100, "100 to 999"),
        (1000, "1,000 to 99,999"),
        (100_000, "100,000 or more"),
    ],
)
def test_the_bands_begin_at_10_20_100_1000_and_100000(count: int, band: str) -> None:
    assert BANDS == (10, 20, 100, 1_000, 100_000)
    assert prior_advice(Position((count,), "similar")).band == band


def test_impossible_positions_are_refused() -> None:
    with pytest.raises(OptionError, match="number of classes must be at least 1; found 0"):
        Position((), "similar")
    with pytest.raises(OptionError, match="images of the smallest class must be at least 1; found 0"):
        Position((5, 0), "similar")
    with pytest.raises(OptionError, match="found 'alike'"):
        Position((5, 5), "alike")  # type: ignore[arg-type]


@given(POSITIONS)
def test_every_table_answers_everywhere_in_known_words(where: Position) -> None:
    found = prior_advice(where)
    assert [each.table for each in found.advice] == [table.name for table in TABLES]
    assert all(way in WAYS for each in found.advice for way in each.ways)
    assert all(each.reason and each.source for each in found.advice)


@given(POSITIONS)
def test_contradicting_tables_share_no_way_and_the_others_do(where: Position) -> None:
    found = prior_advice(where)
    pairs = {(c.first.table, c.second.table) for c in found.contradictions}
    said = [each for each in found.advice if each.ways]
    for i, a in enumerate(said):
        for b in said[i + 1 :]:
            assert ((a.table, b.table) in pairs) == (not set(a.ways) & set(b.ways))


def test_what_headstart_calls_a_way_is_a_name_that_it_knows() -> None:
    from headstart.finetune.strategies import is_fine_tune

    names = {name.strip() for text in TRY.values() for name in text.split(",")} - {"multi-layer probe"}
    assert all(name in HEADS or is_fine_tune(name) for name in names)

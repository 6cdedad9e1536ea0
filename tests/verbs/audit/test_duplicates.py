"""What the audit says of copies, and that it proposes to leave out just what `train` leaves out by itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.duplicates.near import merge_groups
from headstart.data.duplicates.resolve import exact_duplicates, resolve_duplicates
from headstart.records.samples import Samples
from headstart.records.targets import Classes
from headstart.verbs.audit.duplicates import duplicate_findings
from headstart.verbs.audit.findings import CONTRADICTION, EXACT, LEAK, LOOK, MISLABEL, NEAR, Audit, Finding


def samples(content: str, labels: list[int], splits: list[str] | None = None) -> Samples:
    """One image a letter of `content`; equal letters are copies."""
    return Samples(
        items=tuple(np.zeros((1, 1), np.uint8) for _ in content),
        names=tuple(f"{i}.jpg" for i in range(len(content))),
        content=tuple(content),
        target=Classes(np.array(labels), ("cat", "dog")),
        splits=None if splits is None else np.array(splits),
    )


def found_in(some: Samples, *near: tuple[int, ...]) -> list[Finding]:
    families = merge_groups(replace(some, groups=None), (*near, *map(tuple, exact_duplicates(some.content))))
    return list(duplicate_findings(some, families, {}))


def told(findings: list[Finding], kind: str) -> list[tuple[str, str, str]]:
    return [(each.name, each.proposal, each.sentence) for each in findings if each.kind == kind]


@pytest.mark.parametrize("near", [False, True], ids=["exact", "near"])
def test_a_copy_in_the_test_split_under_the_same_label_is_left_out_of_training(near: bool) -> None:
    some = samples("ab" if near else "aa", [0, 0], ["train", "test"])
    found = found_in(some, (0, 1))
    assert told(found, LEAK) == [
        (
            "0.jpg",
            "exclude",
            "It is in train, and a copy of it, 1.jpg, is in test: a score there would be too good.",
        )
    ]
    assert told(found, CONTRADICTION) == []
    assert resolve_duplicates(some, [(0, 1)])[0].names == ("1.jpg",)


def test_an_exact_copy_in_the_test_split_under_another_label_is_left_out_on_both_sides() -> None:
    some = samples("aa", [0, 1], ["train", "test"])
    found = found_in(some)
    assert told(found, CONTRADICTION) == [
        ("0.jpg", "exclude", "It is in 'cat' (train), and an exact copy of it, 1.jpg, is in 'dog' (test)."),
        ("1.jpg", "exclude", "It is in 'dog' (test), and an exact copy of it, 0.jpg, is in 'cat' (train)."),
    ]
    assert told(found, LEAK) == []
    assert resolve_duplicates(some)[0].names == ()


def test_a_near_copy_in_the_test_split_under_another_label_is_kept_on_both_sides_and_to_be_looked_at() -> None:
    some = samples("ab", [0, 1], ["train", "test"])
    found = found_in(some, (0, 1))
    assert told(found, CONTRADICTION) == [
        ("0.jpg", "look at", "It is in 'cat' (train), and a near copy of it, 1.jpg, is in 'dog' (test)."),
        ("1.jpg", "look at", "It is in 'dog' (test), and a near copy of it, 0.jpg, is in 'cat' (train)."),
    ]
    assert told(found, LEAK) == []
    assert resolve_duplicates(some, [(0, 1)])[0].names == ("0.jpg", "1.jpg")


def test_an_image_without_a_label_contradicts_nothing() -> None:
    found = found_in(samples("abc", [0, -1, 1]), (0, 1, 2))
    assert [(each.name, each.of) for each in found if each.kind == CONTRADICTION] == [
        ("0.jpg", "2.jpg"),
        ("2.jpg", "0.jpg"),
    ]


def test_a_copy_of_a_picture_that_is_left_out_for_its_labels_leaks_nothing() -> None:
    some = samples("aab", [0, 1, 0], ["test", "train", "train"])
    assert told(found_in(some, (0, 2)), LEAK) == []
    assert resolve_duplicates(some, [(0, 2)])[0].names == ("2.jpg",)


def test_copies_name_what_they_repeat_with_its_row() -> None:
    found = found_in(samples("abb", [0, 0, 0]), (0, 1))
    assert [(each.kind, each.row, each.other, each.of, each.proposal) for each in found] == [
        (NEAR, 1, 0, "0.jpg", "group"),
        (EXACT, 2, 1, "1.jpg", "group"),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(-1, 1), st.sampled_from(["train", "val", "test"])),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=5),
    st.booleans(),
)
def test_what_it_proposes_to_leave_out_is_what_training_leaves_out(
    rows: list[tuple[str, int, str]], pairs: list[tuple[int, int]], with_splits: bool
) -> None:
    content, labels, splits = ([row[i] for row in rows] for i in range(3))
    some = samples("".join(content), labels, splits if with_splits else None)
    near = [pair for pair in pairs if max(pair) < len(rows) and pair[0] != pair[1]]
    proposed = {each.name for each in found_in(some, *near) if each.proposal == "exclude"}
    kept, _ = resolve_duplicates(some, near)
    assert proposed == set(some.names) - set(kept.names)


def audit_of(some: Samples, findings: list[Finding]) -> Audit:
    return Audit(len(some), some.counts(), tuple(findings), np.arange(len(some)), None, (), some)


@st.composite
def audits(draw: st.DrawFn) -> tuple[Samples, list[tuple[int, ...]], Audit]:
    """Samples with exact duplicates and near ones, over two classes and maybe splits; some labels are doubtful."""
    size = draw(st.integers(2, 12))
    content = "".join(draw(st.sampled_from("abcdefgh")) for _ in range(size))
    labels = [draw(st.integers(-1, 1)) for _ in range(size)]
    splits = [draw(st.sampled_from(["train", "val", "test"])) for _ in range(size)] if draw(st.booleans()) else None
    some = samples(content, labels, splits)
    near = [tuple(draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=4, unique=True))) for _ in range(2)]
    doubtful = draw(st.sets(st.integers(0, size - 1)))
    issues = [Finding(some.names[row], MISLABEL, "Doubtful.", 0.5, LOOK, row=row) for row in sorted(doubtful)]
    return some, near, audit_of(some, [*found_in(some, *near), *issues])


@given(audits())
def test_every_member_of_a_group_stays_in_it_whatever_else_is_proposed(
    example: tuple[Samples, list[tuple[int, ...]], Audit],
) -> None:
    some, near, result = example
    lines = {line.path: line for line in result.plan(duplicates=True)}
    assert len(lines) == len(result.plan(duplicates=True))
    families = merge_groups(replace(some, groups=None), (*near, *map(tuple, exact_duplicates(some.content))))
    for family in np.unique(families):
        names = [some.names[row] for row in np.flatnonzero(families == family)]
        staying = [name for name in names if name not in lines or lines[name].action != "exclude"]
        words = {lines[name].group if name in lines else "" for name in names}
        assert len(words) == 1
        assert ("" in words) == (len(staying) < 2)
        if len(staying) > 1:
            assert {lines[name].action for name in staying} == {"group"}


@given(audits())
def test_a_group_of_the_plan_never_has_one_member(example: tuple[Samples, list[tuple[int, ...]], Audit]) -> None:
    lines = example[2].plan(duplicates=True)
    staying = [line.group for line in lines if line.action == "group"]
    assert "" not in staying
    assert all(staying.count(word) > 1 for word in {line.group for line in lines} - {""})


@given(audits())
def test_the_plan_excludes_what_train_leaves_out_and_names_what_a_person_decides(
    example: tuple[Samples, list[tuple[int, ...]], Audit],
) -> None:
    some, near, result = example
    left_out = set(some.names) - set(resolve_duplicates(some, near)[0].names)
    doubtful = {finding.name for finding in result.findings if finding.proposal == LOOK}
    for lines in (result.plan(), result.plan(duplicates=True)):
        assert {line.path for line in lines if line.action == "exclude"} == left_out
    assert {line.path for line in result.plan() if line.action == "keep"} == doubtful - left_out
    assert {line.group for line in result.plan()} <= {""}


def test_a_doubtful_leader_stays_in_its_group() -> None:
    some = samples("aab", [0, 0, 0])
    issue = Finding("0.jpg", MISLABEL, "Doubtful.", 0.5, LOOK, row=0)
    result = audit_of(some, [issue, *found_in(some)])
    assert [(line.path, line.action, line.group) for line in result.plan(duplicates=True)] == [
        ("0.jpg", "group", "1"),
        ("1.jpg", "group", "1"),
    ]
    assert [(line.path, line.action, line.group) for line in result.plan()] == [("0.jpg", "keep", "")]

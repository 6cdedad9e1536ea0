"""Duplicates: contradictions left out, leaks taken from the training side, copies grouped; near ones kept and named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.records.samples import Samples
from headstart.records.targets import Classes


def samples(
    content: str, labels: list[int], splits: list[str] | None = None, groups: list[int] | None = None
) -> Samples:
    """One image a letter of `content`; equal letters are copies."""
    n = len(content)
    return Samples(
        items=tuple(np.zeros((1, 1), dtype=np.uint8) for _ in range(n)),
        names=tuple(f"{i}.jpg" for i in range(n)),
        content=tuple(content),
        target=Classes(np.array(labels), ("cat", "dog")),
        groups=None if groups is None else np.array(groups),
        splits=None if splits is None else np.array(splits),
    )


def test_without_duplicates_nothing_changes() -> None:
    kept, found = resolve_duplicates(samples("abcd", [0, 1, 0, 1]))
    assert kept.names == ("0.jpg", "1.jpg", "2.jpg", "3.jpg")
    assert kept.groups is None
    assert (found.contradictions, found.leaks, found.dropped, found.duplicates.redundant, found.notes) == (
        (),
        (),
        0,
        0,
        (),
    )


def test_a_picture_in_two_classes_is_left_out_with_every_copy() -> None:
    kept, found = resolve_duplicates(samples("abaca", [0, 1, 1, 1, 0]))
    assert kept.names == ("1.jpg", "3.jpg")
    assert found.contradictions == (("0.jpg (cat)", "2.jpg (dog)", "4.jpg (cat)"),)
    assert found.dropped == 3
    assert found.notes == (
        "Left out: 3 images in 1 group of exact duplicates that lie in more than one class: 0.jpg (cat) = 2.jpg (dog) "
        "= 4.jpg (cat).",
    )


def test_a_picture_in_two_splits_stays_in_the_one_that_is_measured_on() -> None:
    splits = ["train", "train", "val", "test", "val"]
    kept, found = resolve_duplicates(samples("abbac", [0, 1, 1, 0, 0], splits))
    assert kept.names == ("2.jpg", "3.jpg", "4.jpg")
    assert found.leaks == (("0.jpg (train)", "3.jpg (test)"), ("1.jpg (train)", "2.jpg (val)"))
    assert found.notes == (
        "Left out: 2 images that are also in a split that is measured on: 0.jpg (train) = 3.jpg (test); "
        "1.jpg (train) = 2.jpg (val).",
    )


def test_copies_inside_a_split_are_kept_in_one_group() -> None:
    kept, found = resolve_duplicates(samples("abac", [0, 1, 0, 1]))
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 1, 0, 2]
    assert found.duplicates.redundant == 1
    assert found.notes == (
        "Duplicates: 1 of 4 images repeats another one (1 exactly); each stays in one fold with what it repeats.",
    )


def test_near_copies_are_kept_in_one_group_with_what_repeats_them_exactly() -> None:
    kept, found = resolve_duplicates(samples("abacde", [0, 1, 0, 0, 1, 1]), near=[(2, 3), (4, 5)])
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 1, 0, 0, 2, 2]
    assert found.duplicates.redundant == 3
    assert found.notes == (
        "Duplicates: 3 of 6 images repeat another one (1 exactly, 2 nearly: turned, mirrored, cropped, brightened or "
        "saved anew); each stays in one fold with what it repeats.",
    )


def test_what_belongs_together_for_another_reason_is_no_copy() -> None:
    kept, found = resolve_duplicates(samples("abcad", [0, 1, 0, 1, 0]), near=[(2, 4)], together=[(1, 2), (0, 4)])
    assert kept.names == ("1.jpg", "2.jpg", "4.jpg")  # 0 and 3 are one picture in two classes
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 0, 0]
    assert found.duplicates.data_groups is None
    assert found.duplicates.groups.tolist() == [1, 2, 2]
    assert found.duplicates.redundant == 1


def test_near_copies_in_two_classes_are_kept_together_and_named() -> None:
    kept, found = resolve_duplicates(samples("abc", [0, 1, 0]), near=[(0, 1)])
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 0, 1]
    assert found.disputed == (("0.jpg (cat)", "1.jpg (dog)"),)
    assert (found.contradictions, found.dropped) == ((), 0)
    assert found.notes[1] == (
        "Labels to look at: 1 group of near duplicates lies in more than one class: 0.jpg (cat) = 1.jpg (dog). They "
        "were kept; 'headstart audit' shows them, and 'headstart train --exclude' leaves out what you decide."
    )


def test_a_near_copy_in_a_split_that_is_measured_on_leaves_the_other_splits() -> None:
    splits = ["train", "test", "train", "val", "train", "test"]
    kept, found = resolve_duplicates(samples("abcdef", [0, 0, 1, 1, 0, 1], splits), near=[(0, 1), (3, 2), (4, 5)])
    assert kept.names == ("1.jpg", "3.jpg", "4.jpg", "5.jpg")  # 4 and 5 have different labels: nothing to gain by it
    assert (found.leaks, found.dropped) == ((), 2)
    assert found.near_leaks == (("0.jpg (train)", "1.jpg (test)"), ("2.jpg (train)", "3.jpg (val)"))
    assert found.notes[0] == (
        "Left out: 2 images with a near duplicate (turned, mirrored, cropped, brightened or saved anew) in a split "
        "that is measured on: 0.jpg (train) = 1.jpg (test); 2.jpg (train) = 3.jpg (val)."
    )


def test_groups_that_share_a_picture_become_one() -> None:
    kept, _ = resolve_duplicates(samples("abacde", [0, 1, 0, 1, 0, 1], groups=[5, 5, 7, 7, 9, 9]))
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 0, 0, 0, 1, 1]


def test_groups_across_splits_are_warned_of() -> None:
    _, found = resolve_duplicates(samples("abcd", [0, 1, 0, 1], ["train", "train", "test", "test"], [1, 2, 1, 3]))
    assert found.notes == (
        "Some groups lie in more than one split: a score on the test split will be too good for new groups.",
    )


def test_an_unlabelled_copy_contradicts_nothing() -> None:
    kept, found = resolve_duplicates(samples("aab", [0, -1, 1]))
    assert len(kept) == 3
    assert found.contradictions == ()


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 1), st.integers(0, 3)), min_size=1))
@pytest.mark.parametrize("with_groups", [True, False])
def test_what_is_kept_has_one_class_and_one_group_for_each_picture(
    with_groups: bool, rows: list[tuple[str, int, int]]
) -> None:
    content, labels, groups = ([row[i] for row in rows] for i in range(3))
    given_groups = groups if with_groups else None
    kept, found = resolve_duplicates(samples("".join(content), labels, groups=given_groups))
    assert len(kept) + found.dropped == len(rows)
    assert len(set(zip(kept.content, kept.labels.tolist(), strict=True))) == len(set(kept.content))
    if kept.groups is not None:
        assert len(set(zip(kept.content, kept.groups.tolist(), strict=True))) == len(set(kept.content))
    _, again = resolve_duplicates(kept)
    assert (again.dropped, again.duplicates.redundant) == (0, found.duplicates.redundant)


def test_of_many_copies_of_one_picture_a_few_are_named() -> None:
    labels = [0] * 20 + [1] * 20
    found = resolve_duplicates(samples("s" * 40, labels))[1]
    assert found.notes == (
        "Left out: 40 images in 1 group of exact duplicates that lie in more than one class: "
        "0.jpg (cat) = 1.jpg (cat) = … = 39.jpg (dog) (40 duplicates).",
    )

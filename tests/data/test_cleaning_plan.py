"""The plan of an audit: what is written is read back, and a damaged one is refused with the line."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data.cleaning_plan import (
    CleaningPlan,
    PlanLine,
    apply_plan,
    exclude_rows,
    read_plan,
    write_plan,
)
from headstart.data.sources.dataset import Dataset
from headstart.errors import DataError
from headstart.records.samples import Samples
from headstart.records.targets import Classes


def samples(names: str, groups: list[int] | None = None) -> Samples:
    return Samples(
        items=tuple(np.zeros((1, 1), np.uint8) for _ in names),
        names=tuple(names),
        content=tuple(names),
        target=Classes(np.zeros(len(names), np.int64), ("cat",)),
        groups=None if groups is None else np.array(groups),
    )


def plan(folder: Path, text: str) -> Path:
    path = folder / "plan.csv"
    path.write_text(text)
    return path


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    lines = (
        PlanLine("a, b.jpg", "exclude", 'it is "black"'),
        PlanLine("c.jpg", "group", "", "7"),
        PlanLine("d.jpg", "keep", "", "7"),
    )
    write_plan(tmp_path / "plan.csv", lines)
    assert (tmp_path / "plan.csv").read_text().splitlines() == [
        "path,action,reason,group",
        '"a, b.jpg",exclude,"it is ""black""",',
        "c.jpg,group,,7",
        "d.jpg,keep,,7",
    ]
    assert read_plan(tmp_path / "plan.csv") == CleaningPlan(("a, b.jpg",), {"c.jpg": "7"}, ("d.jpg",))


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).filter(str.strip)


@settings(deadline=None)
@given(st.dictionaries(WORDS, st.tuples(st.sampled_from(["exclude", "keep", "group"]), st.text("ab ,;\"'é"))))
def test_whatever_the_names_and_reasons_a_plan_says_the_same_after_reading(plan: dict[str, tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.csv"
        write_plan(path, [PlanLine(name, action, reason, "7") for name, (action, reason) in plan.items()])
        found = read_plan(path)
    assert found.exclude == tuple(name for name, (action, _) in plan.items() if action == "exclude")
    assert found.groups == {name: "7" for name, (action, _) in plan.items() if action == "group"}


def test_a_spreadsheet_may_have_changed_the_separator_and_the_case(tmp_path: Path) -> None:
    text = "\ufeffpath;action;reason;group\r\na.jpg;Exclude ;x;\r\n"
    assert read_plan(plan(tmp_path, text)).exclude == ("a.jpg",)


HEADER = "path,action,reason,group\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            r"lacks the columns 'path', 'action', 'group'; a plan has path, .* group \(found: 'nothing'\)",
        ),
        ("path,reason\na,b\n", r"lacks the columns 'action', 'group'"),
        (
            HEADER + "a,exclud,,\n",
            r"line 2: the action must be one of 'exclude', 'keep', 'group'; found 'exclud'. Did you mean 'exclude'\?",
        ),
        (HEADER + "a,keep,,\nb,,,\n", r"line 3: the action must be one of .*; found ''"),
        (
            HEADER + "a,group,,\n",
            "line 2: the action is 'group', but the column 'group' is empty; name a group, or 'keep' it",
        ),
        (HEADER + ",keep,,\n", "line 2: the path is empty; name the image, or remove the line"),
        (HEADER + "a,keep,,\na,exclude,,\n", "line 3: 'a' is there a second time; keep one of its lines"),
        (HEADER + "a,keep\n", "line 2: it has not as many cells as the first line"),
        (HEADER + "a,keep,x,y,z\n", "line 2: it has not as many cells as the first line"),
        (HEADER + 'a,keep,"x', "it cannot be read as CSV"),
    ],
)
def test_a_damaged_plan_is_refused_with_the_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_plan(plan(tmp_path, text))


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.xlsx").write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DataError, match=r"plan.xlsx is not a text file in UTF-8; save the plan as CSV \(UTF-8\)"):
        read_plan(tmp_path / "plan.xlsx")
    with pytest.raises(
        DataError, match=r"is a folder; a plan is a CSV file written by  headstart audit DATA --fix FILE"
    ):
        read_plan(tmp_path)
    with pytest.raises(DataError, match=r"plan.csv does not exist. Did you mean .*plan.xlsx\?"):
        read_plan(tmp_path / "plan.csv")


def test_images_are_left_out_and_groups_joined() -> None:
    kept, notes = exclude_rows(
        samples("abcdef", [0, 1, 1, 2, 3, 4]), CleaningPlan(("a",), {"c": "1", "d": "1", "e": "2"})
    )
    assert kept.names == ("b", "c", "d", "e", "f")
    assert kept.groups is not None
    assert kept.groups.tolist() == [0, 0, 0, 1, 2]
    assert notes == ("Left out by the plan: 1 image.", "Held together by the plan: 2 images in 1 group.")


def test_a_plan_that_changes_nothing_leaves_the_samples_as_they_are() -> None:
    given = samples("ab")
    kept, notes = exclude_rows(given, CleaningPlan((), {}))
    assert (kept.names, kept.groups, notes) == (("a", "b"), None, ())


def test_a_plan_for_other_data_is_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"no image that the plan names is in these data \(the first of 2: 'x'; the data hold 'a'\)",
    ):
        exclude_rows(samples("ab"), CleaningPlan(("x",), {"y": "1"}))


def test_a_plan_that_names_an_absent_image_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"the plan names 1 image that the data do not hold, 'gone': remove its line or write .* anew"
    ):
        exclude_rows(samples("ab"), CleaningPlan(("a", "gone"), {}))


def test_a_plan_that_empties_a_class_is_refused() -> None:
    given = replace(samples("abc"), target=Classes(np.array([0, 0, 1]), ("cat", "dog", "emu")))
    with pytest.raises(DataError, match=r"the plan excludes every image of 'dog'; set the action of those to use"):
        exclude_rows(given, CleaningPlan(("c",), {}))


def test_a_plan_in_a_file_is_followed_and_its_fingerprint_given(tmp_path: Path) -> None:
    path = plan(tmp_path, HEADER + "a,exclude,,\nb,group,,1\nd,group,,1\n")
    given = Dataset(samples("abcd"), notes=("before",))
    loaded, fingerprint = apply_plan(given, str(path))
    assert (loaded.samples.names, loaded.together) == (("b", "c", "d"), ((0, 2),))
    assert loaded.notes == (
        "before",
        "Left out by the plan: 1 image.",
        "Held together by the plan: 2 images in 1 group.",
    )
    assert fingerprint == "d91ef7bf0b2da03b7a42c26fdd38f7b4"
    assert apply_plan(given, None) == (given, None)


def test_a_plan_that_cannot_be_followed_is_named(tmp_path: Path) -> None:
    path = plan(tmp_path, HEADER + "gone,exclude,,\n")
    with pytest.raises(DataError, match=r"plan.csv cannot be applied: no image that the plan names is"):
        apply_plan(Dataset(samples("abc")), str(path))


def test_a_plan_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="the plan excludes every image; set the action of those to use to 'keep'"):
        exclude_rows(samples("ab"), CleaningPlan(("a", "b"), {}))


def test_a_plan_for_other_data_that_keeps_everything_is_refused_too(tmp_path: Path) -> None:
    found = read_plan(plan(tmp_path, "path,action,reason,group\nx.png,keep,,\n"))
    assert found.keep == ("x.png",)
    with pytest.raises(DataError, match=r"no image that the plan names is in these data \(the first of 1: 'x\.png'"):
        exclude_rows(samples("ab"), found)

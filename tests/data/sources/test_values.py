"""Labels and groups as people have them: what is missing is refused or alone, one column is taken from many forms."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data.sources.load import load_dataset
from headstart.errors import DataError

pandas = pytest.importorskip("pandas")
GREY = [np.full((4, 4), i, dtype=np.uint8) for i in range(3)]
MISSING = [float("nan"), np.nan, np.float32("nan"), None, pandas.NA, pandas.NaT, np.datetime64("NaT"), "", " ", "nan"]
FORMS: list[Callable[[list[Any]], Any]] = [
    list,
    lambda values: np.array(values, dtype=object),
    lambda values: np.array(values, dtype=object).reshape(-1, 1),
    lambda values: pandas.Series(values, dtype=object, index=[7, 8, 9]),
    lambda values: pandas.DataFrame({"kind": pandas.Series(values, dtype=object)}),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_a_missing_label_is_refused_with_its_row(missing: object, form: Callable[[list[Any]], Any]) -> None:
    with pytest.raises(DataError, match=r"the label of image 1 is (missing|empty): give every row a label"):
        load_dataset(GREY, labels=form(["a", missing, "b"]))


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_a_missing_group_is_a_group_of_its_own(missing: object) -> None:
    samples = load_dataset([*GREY, GREY[0]], labels=list("abab"), groups=["p", missing, missing, "p"]).samples
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 1, 2, 0]


def test_missing_values_of_typed_columns_are_refused() -> None:
    for labels in (
        pandas.Series([1, None, 2], dtype="Int64"),
        pandas.Series(["a", None, "b"], dtype="string"),
        pandas.Categorical(["a", None, "b"]),
        pandas.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)], dtype="datetime64[ns]"),
        np.array([1.0, np.nan, 2.0]),
        np.array(["a", np.nan, "b"]),
        np.ma.masked_array([1, 2, 3], [False, True, False]),
    ):
        with pytest.raises(DataError, match="the label of image 1 is missing"):
            load_dataset(GREY, labels=labels)


def test_the_row_is_named_beside_the_file(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"the label of image 0 \(a.png\) is missing"):
        load_dataset([tmp_path / "a.png"], labels=[None])


@pytest.mark.parametrize("form", FORMS)
def test_one_column_is_taken_from_every_form(form: Callable[[list[Any]], Any]) -> None:
    assert load_dataset(GREY, labels=form([2, 10, 2])).samples.classes == ("10", "2")


def test_several_columns_are_refused_with_their_names() -> None:
    frame = pandas.DataFrame({"kind": [1, 2, 3], "age": [4, 5, 6]})
    with pytest.raises(
        DataError, match=r"found a table with 2 columns, 'kind', 'age': give one of them, such as table"
    ):
        load_dataset(GREY, labels=frame)
    with pytest.raises(DataError, match=r"shape \(3, 2\): give one column \(of one-hot labels: labels.argmax"):
        load_dataset(GREY, labels=np.eye(3)[:, :2])


def test_a_data_frame_of_paths_and_labels_is_a_table(tmp_path: Path) -> None:
    for i in range(4):
        Image.new("L", (2, 2), i).save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(4)]
    frame = pandas.DataFrame({"path": paths, "label": ["a", "b"] * 2, "patient": ["p", None, pandas.NA, "p"]})
    samples = load_dataset(frame).samples
    assert samples.classes == ("a", "b")
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 1, 2, 0]
    assert load_dataset(frame["path"], labels=frame["label"]).samples.names == ("0.png", "1.png", "2.png", "3.png")
    assert load_dataset(frame[["path"]], labels=frame[["label"]]).samples.classes == ("a", "b")
    with pytest.raises(DataError, match="the table's row 1: the label is missing"):
        load_dataset(frame.assign(label=["a", None, "a", "b"]))


def test_a_web_address_or_a_windows_path_is_called_one() -> None:
    with pytest.raises(DataError, match=r"image 1: https://a.org/x.png is a web address: download the images"):
        load_dataset(["a.png", "https://a.org/x.png"], labels=["a", "b"])
    with pytest.raises(DataError, match=r"^https://a.org/x.zip is a web address"):
        load_dataset("https://a.org/x.zip")
    with pytest.raises(DataError, match=r"C:\\data is a path of a Windows computer: write it as it is on this one"):
        load_dataset("C:\\data")

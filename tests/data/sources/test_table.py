"""Tables of paths and labels: columns found by name, words checked line by line, missing files counted."""

import re
from pathlib import Path

import pytest
from PIL import Image

from headstart.data.sources.columns import Columns, choose_columns
from headstart.data.sources.load import load_dataset
from headstart.errors import DataError, OptionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    for i in range(4):
        Image.new("L", (2, 2), i).save(tmp_path / f"img/{i}.png")
    return tmp_path


def write(folder: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_text(text, encoding=encoding)
    return folder / name


FOUR = "file,label\nimg/0.png,cat\nimg/1.png,dog\nimg/2.png,cat\nimg/3.png,dog\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_found(folder: Path, delimiter: str) -> None:
    samples = load_dataset(write(folder, FOUR.replace(",", delimiter))).samples
    assert samples.classes == ("cat", "dog")
    assert samples.names == ("img/0.png", "img/1.png", "img/2.png", "img/3.png")
    assert samples.items[3] == folder / "img/3.png"
    assert samples.labels.tolist() == [0, 1, 0, 1]


def test_a_byte_order_mark_quotes_blank_lines_and_windows_line_ends_do_no_harm(folder: Path) -> None:
    text = '\r\n"File Name","Class"\r\n"img/0.png","a, b"\r\n\r\nimg\\1.png,c\r\n'
    loaded = load_dataset(write(folder, text, encoding="utf-8-sig"))
    assert loaded.samples.classes == ("a, b", "c")
    assert loaded.samples.items[1] == folder / "img/1.png"
    assert loaded.notes == ("Columns used: images from 'File Name', labels from 'Class'.",)


def test_groups_and_splits_are_taken_from_their_columns(folder: Path) -> None:
    text = "image,target,Patient ID,set\n" + "".join(
        f"img/{i}.png,{i % 2},{patient},{split}\n"
        for i, (patient, split) in enumerate([("p", "Train"), ("", "train"), ("p", "TEST"), ("", "test")])
    )
    loaded = load_dataset(write(folder, text, "t.tsv"))
    assert loaded.samples.classes == ("0", "1")
    assert loaded.samples.groups is not None
    assert loaded.samples.groups.tolist() == [0, 1, 0, 2]
    assert loaded.samples.splits is not None
    assert loaded.samples.splits.tolist() == ["train", "train", "test", "test"]
    assert "groups from 'Patient ID', splits from 'set'" in loaded.notes[0]


def test_columns_may_be_named(folder: Path) -> None:
    text = FOUR.replace("file,label", "where,what")
    assert load_dataset(write(folder, text), path_column="where", label_column="what").samples.classes == (
        "cat",
        "dog",
    )
    with pytest.raises(OptionError, match=r"the label column 'wath' was asked for, .*'where', 'what'\. Did you mean"):
        load_dataset(write(folder, text), path_column="where", label_column="wath")
    with pytest.raises(DataError, match=r"no column that looks like a path .*; it has 'where', 'what': .*--path-col"):
        load_dataset(write(folder, text))


def test_the_best_known_name_wins() -> None:
    assert choose_columns(["id", "image", "path", "class", "label"], "it") == Columns("path", "label")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "table.csv is empty: a heading and one row for each image were expected."),
        ("file,label\n", "table.csv has a heading but no rows"),
        ("file,label\nimg/0.png,cat\nimg/1.png,\n", "table.csv line 3: the label is empty"),
        ("file,label\n,cat\n", "table.csv line 2 has no path in the column 'file'"),
        ("file,label\nimg/0.png,cat,x\n", "table.csv line 2 has 3 fields where the heading has 2"),
        (
            "file,label,split\nimg/0.png,cat,maybe\nimg/1.png,cat,train\n",
            "line 2 has the split 'maybe': 'train', 'val' or 'test' was",
        ),
        ("file,label,file\n", "has two columns of one name among 'file', 'label', 'file'"),
        ('file,label\n"img/0.png,cat\n', r"is not valid CSV \(unexpected end of data\)"),
        (
            "file,label\nimg/9.png,cat\nimg/8.png,dog\n",
            "2 files of the 2 that .* are not there, the first '.*9.png",
        ),
        (
            "file,label,split\nimg/0.png,cat,train\nimg/1.png,dog,test\n",
            r"the test split has the classes 'dog', which the train split lacks \(train has 'cat'\)",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(write(folder, text))


def test_a_table_in_another_encoding_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"is not UTF-8 text \(byte 21\): save it again as CSV in UTF-8"):
        load_dataset(write(folder, "file,label\nimg/0.png,é\n", encoding="latin-1"))


def test_a_few_missing_files_are_left_out_and_named(folder: Path) -> None:
    rows = [f"img/{i % 4}.png,{'cat' if i % 2 else 'dog'}" for i in range(40)]
    loaded = load_dataset(write(folder, "\n".join(["file,label", *rows, "img/gone.png,cat"])))
    assert len(loaded.samples) == 40
    assert re.fullmatch(r"Left out: 1 listed file not there, '.*gone\.png \(.* line 42\)'\.", loaded.notes[1])


def test_a_class_that_the_test_split_lacks_is_noted(folder: Path) -> None:
    text = "file,label,split\nimg/0.png,cat,train\nimg/1.png,dog,train\nimg/2.png,cat,test\n"
    assert load_dataset(write(folder, text)).notes[1] == "The test split has no image of 'dog'."


def test_a_parquet_table_is_read(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    content = {
        "path": [f"img/{i}.png" for i in range(4)],
        "label": [1.0, 2.0, 1.0, 2.5],
        "site": ["a", None, "a", "b"],
    }
    parquet.write_table(pyarrow.table(content), folder / "t.parquet")
    samples = load_dataset(folder / "t.parquet").samples
    assert samples.classes == ("1", "2", "2.5")
    assert samples.groups is not None
    assert samples.groups.tolist() == [0, 2, 0, 1]
    parquet.write_table(pyarrow.table(content | {"label": [1.0, None, 1.0, 2.0]}), folder / "t.parquet")
    with pytest.raises(DataError, match=r"t.parquet row 2: the label is missing"):
        load_dataset(folder / "t.parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"broken.parquet cannot be read as Parquet \("):
        load_dataset(folder / "broken.parquet")


def test_a_table_of_one_split_alone_is_not_divided_and_says_so(folder: Path) -> None:
    rows = FOUR.replace("label", "label,split").replace("cat", "cat,test").replace("dog", "dog,test")
    loaded = load_dataset(write(folder, rows))
    assert loaded.samples.splits is None
    assert "Every row is in the test split: the images are taken as not divided." in loaded.notes

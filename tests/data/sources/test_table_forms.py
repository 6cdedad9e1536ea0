"""Tables as they come: columns that look like splits, paths that are not in full, images inside Parquet."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from headstart.data.images.decode import read_image
from headstart.data.sources.load import find_images, load_dataset
from headstart.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "imgs").mkdir()
    for i in range(4):
        Image.new("L", (2, 2), i).save(tmp_path / f"imgs/a{i}.png")
    return tmp_path


def write(folder: Path, heading: str, *cells: str) -> Path:
    """A table of the four images: a heading, and what follows the path in each row."""
    rows = [f"imgs/a{i}.png,{'cat' if i % 2 else 'dog'}{cell}" for i, cell in enumerate(cells or [""] * 4)]
    (folder / "t.csv").write_text("\n".join([heading, *rows]))
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("column", "words", "shown"),
    [
        ("split", ("0", "1", "2", "0"), "'0', '1', '2'"),
        ("subset", ("north", "south", "north", "south"), "'north', 'south'"),
        ("fold", ("1", "2", "1", "2"), "'1', '2'"),
        ("set", ("", "", "", ""), "''"),
    ],
)
def test_a_column_that_only_looks_like_a_split_is_ignored_and_said(
    folder: Path, column: str, words: tuple[str, ...], shown: str
) -> None:
    table = write(folder, f"path,label,{column}", *(f",{word}" for word in words))
    loaded = load_dataset(table)
    assert loaded.samples.splits is None
    assert loaded.notes[1] == f"The column {column!r} is ignored: its words are no splits ({shown})."
    with pytest.raises(DataError, match="'train', 'val' or 'test' was expected"):
        load_dataset(table, split_column=column)


def test_none_takes_no_column_for_the_split_or_the_group(folder: Path) -> None:
    table = write(folder, "path,label,split,site", *(f",{word},s" for word in ("train", "train", "test", "test")))
    loaded = load_dataset(table, split_column="none", group_column="none")
    assert (loaded.samples.splits, loaded.samples.groups) == (None, None)
    mixed = write(folder, "path,label,split", ",train", ",train", ",test", ",odd")
    with pytest.raises(DataError, match=r"line 5 has the split 'odd': .* \(--split-column none ignores the column\)"):
        load_dataset(mixed)


@pytest.mark.parametrize(
    ("column", "words", "splits"),
    [
        ("is_valid", ("False", "False", "True", "True"), ["train", "train", "val", "val"]),
        ("is_test", ("0", "0", "1", "1"), ["train", "train", "test", "test"]),
        ("is_training_image", ("1", "1", "0", "0"), ["train", "train", "test", "test"]),
    ],
)
def test_a_yes_or_no_column_is_a_split(folder: Path, column: str, words: tuple[str, ...], splits: list[str]) -> None:
    samples = load_dataset(write(folder, f"path,label,{column}", *(f",{word}" for word in words))).samples
    assert samples.splits is not None
    assert samples.splits.tolist() == splits


def test_files_are_found_without_ending_and_a_folder_down(folder: Path) -> None:
    for heading, names in (("image,label", "imgs/a{}"), ("id,breed", "a{}"), ("id,label", "a{}.png")):
        rows = [f"{names.format(i)},{'cat' if i % 2 else 'dog'}" for i in range(4)]
        (folder / "t.csv").write_text("\n".join([heading, *rows]))
        loaded = load_dataset(folder / "t.csv")
        assert loaded.samples.items == tuple(folder / f"imgs/a{i}.png" for i in range(4))
        assert loaded.notes[1] == f"4 files looked up by name: {names.format(0)!r} is imgs/a0.png, say."


def test_two_files_of_a_name_are_not_chosen_between(folder: Path) -> None:
    (folder / "more").mkdir()
    Image.new("L", (2, 2), 9).save(folder / "more/a0.png")
    (folder / "t.csv").write_text("id,label\na0,cat\na1,dog\n")
    with pytest.raises(DataError, match=r"line 2: 'a0' may be any of 'imgs/a0.png', 'more/a0.png': write the folder"):
        load_dataset(folder / "t.csv")


def test_a_file_in_another_folder_than_the_one_written_is_not_taken(folder: Path) -> None:
    (folder / "t.csv").write_text("path,label\nother/a0.png,cat\nother/a1.png,dog\n")
    with pytest.raises(DataError, match=r"the table's folder .*, which holds imgs/ with 4 images\.$"):
        load_dataset(folder / "t.csv")


def test_columns_without_a_name_are_called_by_their_position(folder: Path) -> None:
    rows = [f"{i},imgs/a{i}.png,{'cat' if i % 2 else 'dog'}," for i in range(4)]
    (folder / "t.csv").write_text("\n".join([",path,label,", *rows]))
    assert load_dataset(folder / "t.csv").samples.classes == ("cat", "dog")
    rows = [f"imgs/a{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(4)]
    (folder / "t.csv").write_text("\n".join([",label", *rows]))
    assert len(load_dataset(folder / "t.csv", path_column="column 1").samples) == 4


def test_a_table_without_a_heading_is_told_to_have_one(folder: Path) -> None:
    (folder / "t.csv").write_text("imgs/a0.png,cat\nimgs/a1.png,dog\n")
    with pytest.raises(DataError, match=r"has no heading: its first line is 'imgs/a0.png', 'cat'; write one above it"):
        load_dataset(folder / "t.csv")


@pytest.mark.parametrize(("path", "words"), [("https://a.org/x.png", "a web address"), ("C:\\\\x.png", "a Windows")])
def test_a_path_that_is_none_here_is_called_what_it_is(folder: Path, path: str, words: str) -> None:
    (folder / "t.csv").write_text(f"path,label\n{path},cat\nimgs/a1.png,dog\n")
    with pytest.raises(DataError, match=rf"t.csv line 2: .*{words}"):
        load_dataset(folder / "t.csv")


def test_missing_labels_in_tables_are_refused_with_their_line(folder: Path) -> None:
    (folder / "t.csv").write_text("path,label\nimgs/a0.png,cat\nimgs/a1.png,nan\n")
    with pytest.raises(DataError, match=r"t\.csv line 3: the label is missing"):
        load_dataset(folder / "t.csv")


def parquet(folder: Path, metadata: dict[bytes, bytes] | None = None) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def encoded(shade: int) -> dict[str, Any]:
        stream = io.BytesIO()
        Image.new("L", (3, 2), shade).save(stream, "PNG")
        return {"bytes": stream.getvalue(), "path": f"{shade}.png"}

    table = pyarrow.table({"image": [encoded(i) for i in range(4)], "label": [0, 1, 0, 1]})
    parquet.write_table(table.replace_schema_metadata(metadata), folder / "t.parquet")
    return folder / "t.parquet"


def test_images_inside_parquet_are_read(folder: Path) -> None:
    samples = load_dataset(parquet(folder)).samples
    assert samples.names == ("0.png", "1.png", "2.png", "3.png")
    assert samples.classes == ("0", "1")
    assert [int(np.asarray(read_image(image)).max()) for image in samples.items] == [0, 1, 2, 3]


def test_class_names_that_parquet_carries_are_taken(folder: Path) -> None:
    feature = b'{"info": {"features": {"label": {"names": ["zebra", "ape"], "_type": "ClassLabel"}}}}'
    samples = load_dataset(parquet(folder, {b"huggingface": feature})).samples
    assert samples.classes == ("ape", "zebra")
    assert samples.labels.tolist() == [1, 0, 1, 0]


def test_a_table_may_be_predicted_every_row_in_order(folder: Path) -> None:
    (folder / "t.csv").write_text("id,label\na2,x\na0,\ngone.png,x\na2,x\n")
    found = find_images([folder / "t.csv", folder / "imgs/a1.png"])
    assert [Path(name).name for name in found.names] == ["a2", "a0", "gone.png", "a2", "a1.png"]
    assert found.images[0] == folder / "imgs/a2.png"
    assert found.labels.tolist() == [-1] * 5
    assert find_images(parquet(folder)).names == ("0.png", "1.png", "2.png", "3.png")
    (folder / "t.csv").write_text("path\nx.png\ny.png\n")
    with pytest.raises(DataError, match=r"2 files of the 2 that .* are not there"):
        find_images(folder / "t.csv")


def test_the_table_of_a_split_names_the_files_of_that_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for i in range(2):
            Image.new("L", (2, 2), i + len(split)).save(tmp_path / split / f"{i}.png")
    (tmp_path / "train.csv").write_text("id,label\n0,cat\n1,dog\n")
    assert load_dataset(tmp_path / "train.csv").samples.items == (tmp_path / "train/0.png", tmp_path / "train/1.png")

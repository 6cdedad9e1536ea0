"""A batch needs no labels: a table without any, a folder, files; every picture once."""

import shutil
from pathlib import Path

import pytest

from headstart.data.sources.load import load_dataset
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.errors import DataError, OptionError


@pytest.fixture
def files(cells: Path) -> list[Path]:
    return sorted((cells / "functional").iterdir())[:4]


def test_a_table_needs_neither_labels_nor_splits(files: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "batch.csv"
    rows = [f"{file},{'' if i else 'cat'},{i // 2},week {i}" for i, file in enumerate(files)]
    table.write_text("\n".join(["path,label,patient,split", *rows]))
    found = load_unlabelled(table)
    assert found.samples.items == tuple(files)
    assert found.samples.labels.tolist() == [-1, -1, -1, -1]
    assert found.samples.classes == ()
    assert found.samples.groups is not None
    assert found.samples.groups.tolist() == [0, 0, 1, 1]
    assert found.samples.splits is None
    assert found.notes == ("Columns used: images from 'path', groups from 'patient'.",)
    assert load_unlabelled([str(table)]).samples.content == found.samples.content


def test_further_copies_of_a_picture_are_left_out_with_a_note(files: list[Path], tmp_path: Path) -> None:
    shutil.copy(files[1], tmp_path / "copy.png")
    found = load_unlabelled([*files, tmp_path])
    assert found.samples.items == tuple(files)
    assert found.notes == ("Left out: 1 exact duplicate of other images.",)


def test_the_labels_of_loaded_data_are_left_aside(cells: Path) -> None:
    found = load_unlabelled(load_dataset(cells))
    assert set(found.samples.labels.tolist()) == {-1}
    assert found.samples.classes == ()


def test_a_table_that_is_not_there_or_has_no_paths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv does not exist"):
        load_unlabelled(tmp_path / "gone.csv")
    (tmp_path / "odd.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="has no column that looks like a path"):
        load_unlabelled(tmp_path / "odd.csv")
    with pytest.raises(OptionError, match="are for a table"):
        load_unlabelled(tmp_path, path_column="x")

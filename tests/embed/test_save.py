import csv
from pathlib import Path

import numpy as np
import pytest

from headstart.embed import save
from headstart.errors import MissingExtra, OptionError

WORDS = {"path": ["a/1.jpg", "b/é,2.jpg"], "label": ["a", "b"]}
MATRICES = {"embedding": np.array([[1.5, -2.25, 1e-7], [3.0, 0.1, 65504.0]], np.float32)}


def test_parquet_holds_lists_of_one_length(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    save.write_embeddings(tmp_path / "e.parquet", WORDS, MATRICES)
    table = parquet.read_table(tmp_path / "e.parquet")
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: float>[3]"
    assert table.column("path").to_pylist() == WORDS["path"]
    assert np.array_equal(np.array(table.column("embedding").to_pylist(), np.float32), MATRICES["embedding"])


def test_npz_needs_no_pickle(tmp_path: Path) -> None:
    save.write_embeddings(tmp_path / "e.npz", WORDS, MATRICES)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as found:
        assert sorted(found) == ["embedding", "label", "path"]
        assert found["path"].tolist() == WORDS["path"]
        assert np.array_equal(found["embedding"], MATRICES["embedding"])


def test_csv_has_a_column_a_number_and_loses_none_of_it(tmp_path: Path) -> None:
    save.write_embeddings(tmp_path / "e.csv", WORDS, MATRICES)
    with (tmp_path / "e.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "label", "embedding_0", "embedding_1", "embedding_2"]
    assert rows[1][:2] == ["b/é,2.jpg", "b"]
    numbers = np.array([[float(x) for x in row[2:]] for row in rows], np.float32)
    assert np.allclose(numbers, MATRICES["embedding"], rtol=1e-7)


def test_another_ending_is_answered_with_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"files ending in '.parquet', '.npz', '.csv'; found '.*e.txt'"):
        save.check_format(tmp_path / "e.txt")


def test_a_folder_that_is_not_there_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="it lies in a folder that does not exist"):
        save.check_format(tmp_path / "no" / "e.npz")
    (tmp_path / "e.npz").mkdir()
    with pytest.raises(OptionError, match="it is a folder"):
        save.check_format(tmp_path / "e.npz")


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'headstart\[parquet\]'"):
        save.check_format(tmp_path / "e.parquet")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save.write_embeddings(tmp_path / "e.npz", WORDS, MATRICES)
    before = (tmp_path / "e.npz").read_bytes()

    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        save.write_embeddings(tmp_path / "e.npz", WORDS, MATRICES)
    assert (tmp_path / "e.npz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["e.npz"]

"""What was committed is there once; what was not is gone."""

from pathlib import Path

import pytest

from headstart.errors import OptionError
from headstart.storage.resumable import open_resumable


def test_bytes_behind_the_last_commit_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with open_resumable(path, "one") as growing:
        growing.commit(b"first\n", {"rows": 1})
    with (tmp_path / ".a.csv.partial").open("ab") as file:
        file.write(b"half a ro")
    with open_resumable(path, "one") as growing:
        assert growing.state == {"rows": 1}
        growing.commit(b"second\n", {"rows": 2})
        growing.finish()
    assert path.read_bytes() == b"first\nsecond\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


def test_other_work_is_not_mixed_in(tmp_path: Path) -> None:
    with open_resumable(tmp_path / "a.csv", "one") as growing:
        growing.commit(b"first\n", {"rows": 1})
    with pytest.raises(OptionError, match="was begun with another list, model or options"):
        open_resumable(tmp_path / "a.csv", "two").__enter__()
    with open_resumable(tmp_path / "a.csv", "two", restart=True) as growing:
        assert growing.state == {}
        growing.commit(b"new\n", {"rows": 1})
        growing.finish()
    assert (tmp_path / "a.csv").read_bytes() == b"new\n"


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with (
        open_resumable(tmp_path / "a.csv", "one"),
        pytest.raises(OptionError, match="is being written by another process"),
    ):
        open_resumable(tmp_path / "a.csv", "one").__enter__()


def test_a_damaged_journal_begins_anew(tmp_path: Path) -> None:
    with open_resumable(tmp_path / "a.csv", "one") as growing:
        growing.commit(b"first\n", {"rows": 1})
    (tmp_path / ".a.csv.journal").write_text("{")
    with open_resumable(tmp_path / "a.csv", "one") as growing:
        assert growing.state == {}
        growing.commit(b"again\n", {"rows": 1})
        growing.finish()
    assert (tmp_path / "a.csv").read_bytes() == b"again\n"

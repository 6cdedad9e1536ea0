"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from headstart.files import put


def test_a_file_is_written_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    put(tmp_path / "new" / "a.bin", b"leaf")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"leaf"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside(tmp_path: Path) -> None:
    put(tmp_path / "a.bin", b"old")
    with pytest.raises(TypeError):
        put(tmp_path / "a.bin", 3)  # type: ignore[arg-type]
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]

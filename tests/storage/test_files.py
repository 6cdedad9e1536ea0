"""A file is written whole or not at all."""

import os
from pathlib import Path

import pytest

from headstart.storage.files import write_atomically


def test_a_file_is_written_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.bin", b"leaf")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"leaf"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.bin", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "a.bin", 3)  # type: ignore[arg-type]
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"leaf")
    assert os.read(reader, 10) == b"leaf"
    os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_the_refusal_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError) as refusal:
        write_atomically(tmp_path / "page.html", b"leaf")
    assert refusal.value.filename == str(tmp_path / "page.html")
    assert str(refusal.value).endswith(f"directory: '{tmp_path / 'page.html'}'")

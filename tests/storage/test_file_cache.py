"""A content comes back whole or not at all, few enough are kept, and trouble with the folder never stops the work."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headstart.storage.file_cache import FileCache

WRITER = """
import itertools, sys
from pathlib import Path
from headstart.storage.file_cache import FileCache
cache = FileCache(Path(sys.argv[1]), limit=100_000_000)
for i in itertools.count():
    cache.put("one", bytes([i % 256]) * 3_000_000)
    print(i, flush=True)
"""


def cache_of(folder: Path, *ages: int, limit: int = 1 << 20, most_files: int | None = None) -> FileCache:
    """A cache with a content of 100 bytes for each age in seconds since 1970, named after it."""
    cache = FileCache(folder, limit=limit, most_files=most_files)
    for age in ages:
        FileCache(folder, limit=1 << 20).put(str(age), bytes(100))
        os.utime(folder / f"{age}.blob", (age, age))
    return cache


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_a_content_comes_back_and_a_later_one_takes_its_place(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "a" / "b", limit=1000)
    for content in (b"first", b"", b"second"):
        cache.put("name", content)
        assert FileCache(tmp_path / "a" / "b", limit=1).get("name") == content
    assert cache.get("other") is None
    cache.remove("name")
    cache.remove("name")
    assert cache.get("name") is None


@pytest.mark.parametrize("damage", ["truncated", "changed", "longer", "empty", "mark", "folder"])
def test_a_damaged_file_is_absent(tmp_path: Path, damage: str) -> None:
    cache = cache_of(tmp_path, 1)
    path = tmp_path / "1.blob"
    whole = path.read_bytes()
    path.unlink()
    damaged = {
        "truncated": whole[:-1],
        "changed": whole[:-1] + b"x",
        "longer": whole + b"x",
        "empty": b"",
        "mark": b"x" + whole[1:],
    }
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(damaged[damage])
    assert cache.get("1") is None
    cache.put("1", b"anew")
    assert cache.get("1") == (None if damage == "folder" else b"anew")


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, 10, 20, 30, limit=3 * 132)
    assert cache.get("10") is not None  # used now
    cache.put("new", bytes(100))
    assert names(tmp_path) == ["10", "30", "new"]


def test_no_more_files_than_allowed_are_kept(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, 10, 20, 30, most_files=2)
    cache.put("new", bytes(100))
    assert names(tmp_path) == ["30", "new"]


def test_what_a_killed_run_left_half_written_goes_too(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, 20, limit=3 * 132)
    (tmp_path / ".10.blob.77.partial").write_bytes(bytes(200))
    os.utime(tmp_path / ".10.blob.77.partial", (10, 10))
    cache.put("new", bytes(100))
    assert names(tmp_path) == ["20", "new"]


def test_the_latest_stays_even_above_the_limit(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, 10, limit=50)
    cache.put("new", bytes(100))
    assert names(tmp_path) == ["new"]


def test_what_is_larger_than_allowed_is_not_kept(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit=1000, largest=100)
    cache.put("large", bytes(101))
    cache.put("small", bytes(100))
    assert names(tmp_path) == ["small"]


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FileCache(tmp_path / "file" / "cache", limit=1000)
    cache.put("name", b"content")
    assert cache.get("name") is None
    cache.remove("name")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FileCache(tmp_path, limit=1000)
    cache.put("name", b"before")

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("headstart.storage.file_cache.write_atomically", full)
    cache.put("name", b"after")
    assert cache.get("name") == b"before"


def test_a_killed_writer_leaves_a_whole_content(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    content = FileCache(tmp_path, limit=1).get("one")
    assert content is not None
    assert content == content[:1] * 3_000_000


def test_several_threads_may_use_one_folder(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit=100 * 132, most_files=10)
    wrong = []

    def work(number: int) -> None:
        for i in range(30):
            cache.put(str(i % 15), bytes([i % 15]) * 100)
            content = cache.get(str((i + number) % 15))
            if content is not None and content != bytes([(i + number) % 15]) * 100:
                wrong.append(content)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 0 < len(names(tmp_path)) <= 15

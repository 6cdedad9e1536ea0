"""What can befall a cache file: a kill, a neighbour, a full disk, damage, a folder that refuses."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from headstart.embed.embedding_cache import row_key
from headstart.storage.row_cache import RowCache

WRITER = """
import sys
import numpy as np
from pathlib import Path
from headstart.storage.row_cache import RowCache; from headstart.embed.embedding_cache import row_key

path, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cache = RowCache(path)
for first in range(start, stop, 16):
    numbers = range(first, min(first + 16, stop))
    cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32)) for i in numbers])
    print(numbers.stop, flush=True)
cache.close()
"""


def writer(path: Path, start: int, stop: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), str(start), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stored(path: Path, numbers: range) -> dict[int, np.ndarray]:
    cache = RowCache(path)
    by_key = {row_key(str(i), "r"): i for i in numbers}
    found = {by_key[k]: row for k, row in cache.find(list(by_key))}
    cache.close()
    return found


def filled(path: Path, count: int) -> None:
    cache = RowCache(path)
    cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32)) for i in range(count)])
    cache.close()


def assert_sound(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_killed_writer_loses_at_most_its_last_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writer(path, 0, 100_000) as process:
        assert process.stdout
        said = [int(process.stdout.readline()) for _ in range(20)][-1]
        process.send_signal(signal.SIGKILL)
    found = stored(path, range(said + 1000))
    assert set(range(said)) <= set(found)
    assert all(np.array_equal(row, np.full(2096, i, np.float32)) for i, row in found.items())
    assert len(found) % 16 == 0
    assert_sound(path)


def test_two_processes_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    processes = [writer(path, 0, 640), writer(path, 320, 960)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == ["", ""]
    found = stored(path, range(960))
    assert set(found) == set(range(960))
    assert all((row == i).all() for i, row in found.items())
    assert_sound(path)


def test_one_cache_serves_several_threads(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")

    def work(start: int) -> None:
        for i in range(start, start + 20):
            cache.store([(row_key(str(i), "r"), np.full(8, i, np.float32))])
            assert len(list(cache.find([row_key(str(i), "r")]))) == 1

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.count() == 60
    cache.close()


def test_a_full_disk_keeps_what_was_there_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.sqlite"
    cache = RowCache(path)
    cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32)) for i in range(10)])
    assert cache._connection
    cache._connection.execute("PRAGMA max_page_count = 60")
    for start in (10, 60):
        cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32)) for i in range(start, start + 50)])
    assert len(list(cache.find([row_key(str(i), "r") for i in range(110)]))) == 10
    cache.close()
    assert [r.getMessage() for r in caplog.records] == [
        f"the cache {path} keeps nothing new: database or disk is full. The work goes on."
    ]
    assert set(stored(path, range(110))) == set(range(10))
    assert_sound(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk_keeps_what_was_there(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = small_disk / "a.sqlite"
    cache = RowCache(path)
    for i in range(200):
        cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32))])
    cache.close()
    assert len(caplog.records) == 1
    assert "The work goes on" in caplog.text
    found = stored(path, range(200))
    assert len(found) > 5
    assert all((row == i).all() for i, row in found.items())


@pytest.mark.parametrize("damage", ["text", "header", "middle", "truncated"])
def test_a_damaged_file_is_set_aside_and_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = tmp_path / "a.sqlite"
    filled(path, 200)
    content = bytearray(path.read_bytes())
    if damage == "text":
        content[:] = b"this is no database\n" * 1000
    elif damage == "header":
        content[:100] = os.urandom(100)
    elif damage == "middle":
        content[4096:40960] = os.urandom(36864)
    else:
        del content[len(content) // 3 :]
    path.write_bytes(content)
    cache = RowCache(path)
    before = dict(cache.find([row_key(str(i), "r") for i in range(200)]))
    cache.store([(row_key(str(i), "r"), np.full(2096, i, np.float32)) for i in range(200)])
    after = dict(cache.find([row_key(str(i), "r") for i in range(200)]))
    cache.close()
    assert len(before) < 200
    assert len(after) == 200
    assert [r.getMessage() for r in caplog.records] == [
        f"the cache {path} was damaged: set aside as a.sqlite.damaged, made anew."
    ]
    assert (tmp_path / "a.sqlite.damaged").is_file()
    assert_sound(path)


def test_a_row_whose_bytes_changed_on_the_disk_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    filled(path, 3)
    content = path.read_bytes()
    mark = np.full(400, 2, np.float32).tobytes()
    assert mark in content
    path.write_bytes(content.replace(mark, np.full(400, 5, np.float32).tobytes(), 1))
    assert set(stored(path, range(3))) == {0, 1}
    filled(path, 3)
    assert set(stored(path, range(3))) == {0, 1, 2}


def test_a_folder_that_cannot_be_written_to_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = RowCache(tmp_path / "file" / "a.sqlite")
    assert list(cache.find([row_key("1", "r")])) == []
    cache.store([(row_key("1", "r"), np.zeros(8, np.float32))])
    assert cache.count() == 0
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text
    assert "The work goes on without." in caplog.text


def test_a_file_removed_while_in_use_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.sqlite"
    cache = RowCache(path)
    cache.store([(row_key("1", "r"), np.ones(8, np.float32))])
    for part in tmp_path.iterdir():
        part.unlink()
    assert list(cache.find([row_key("1", "r")])) == []
    cache.store([(row_key("2", "r"), np.ones(8, np.float32))])
    cache.close()
    assert len(stored(path, range(3))) == 1
    assert caplog.records == []

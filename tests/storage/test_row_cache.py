"""Rows come back bit for bit whatever befalls their file: a kill, a neighbour, a full disk, damage, a locked folder."""

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

from headstart.storage.row_cache import RowCache

WRITER = """
import sys
import numpy as np
from pathlib import Path
from headstart.storage.row_cache import RowCache

path, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cache = RowCache(path)
for first in range(start, stop, 16):
    numbers = range(first, min(first + 16, stop))
    cache.store([(b"%d" % i, np.full(2096, i, np.float32)) for i in numbers])
    print(numbers.stop, flush=True)
cache.close()
"""


def writer(path: Path, start: int, stop: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), str(start), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_all(path: Path, numbers: range) -> dict[int, np.ndarray]:
    cache = RowCache(path)
    by_key = {b"%d" % i: i for i in numbers}
    rows = {by_key[k]: row for k, row in cache.find(list(by_key))}
    cache.close()
    return rows


def fill(path: Path, count: int) -> None:
    cache = RowCache(path)
    cache.store([(b"%d" % i, np.full(2096, i, np.float32)) for i in range(count)])
    cache.close()


def assert_sound(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def row(number: int, width: int = 2096) -> np.ndarray:
    return np.random.default_rng(number).normal(size=width).astype(np.float32)


def rows(numbers: range, width: int = 2096) -> list[tuple[bytes, np.ndarray]]:
    return [(b"%d" % i, row(i, width)) for i in numbers]


def keys(numbers: range) -> list[bytes]:
    return [b"%d" % i for i in numbers]


def test_a_row_comes_back_bit_for_bit(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    special = np.array([np.nan, np.inf, -0.0, 1e-42, 3.4e38], np.float32)
    cache.store([(b"leaf", special)])
    cache.close()
    ((key, back),) = cache.find([b"leaf"])
    assert key == b"leaf"
    assert back.tobytes() == special.tobytes()
    cache.close()


def test_keys_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    cache.store(rows(range(600)))
    by_key = dict(cache.find(keys(range(300, 900))))
    assert set(by_key) == set(keys(range(300, 600)))
    assert np.array_equal(by_key[keys(range(450, 451))[0]], row(450))
    cache.close()


def test_a_row_stored_again_is_replaced(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")
    cache.store(rows(range(3)))
    cache.store([(keys(range(1))[0], row(7))])
    assert cache.count() == 3
    assert np.array_equal(dict(cache.find(keys(range(1))))[keys(range(1))[0]], row(7))
    cache.close()


def test_the_least_recently_used_rows_are_evicted(tmp_path: Path) -> None:
    now = 1_000_000.0
    cache = RowCache(tmp_path / "a.sqlite", limit=1_000_000, clock=lambda: now)
    cache.store(rows(range(50)))
    now += 10_000
    cache.store(rows(range(50, 100)))
    now += 10_000
    list(cache.find(keys(range(25))))  # the oldest half of the first fifty is used again
    cache.store(rows(range(100, 110)))
    now += 10_000
    cache.store(rows(range(110, 120)))
    left = set(dict(cache.find(keys(range(120)))))
    assert set(keys(range(25))) | set(keys(range(100, 120))) <= left
    assert not set(keys(range(25, 40))) & left
    cache.close()


def test_the_file_stays_near_its_limit(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite", limit=1_000_000)
    for start in range(0, 1000, 50):
        cache.store(rows(range(start, start + 50)))
    cache.close()
    assert 500_000 < (tmp_path / "a.sqlite").stat().st_size < 1_500_000
    cache.close()


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite", limit=0)
    cache.store(rows(range(10)))
    assert cache.count() == 0
    cache.close()


def test_rows_of_another_kind_of_number_come_back_as_such(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite", dtype=np.uint8)
    cache.store([(b"leaf", np.arange(7, dtype=np.uint8))])
    ((_, back),) = cache.find([b"leaf"])
    assert back.dtype == np.uint8
    assert back.tolist() == [0, 1, 2, 3, 4, 5, 6]
    cache.close()


def test_a_killed_writer_loses_at_most_its_last_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writer(path, 0, 100_000) as process:
        assert process.stdout
        written = [int(process.stdout.readline()) for _ in range(20)][-1]
        process.send_signal(signal.SIGKILL)
    rows = read_all(path, range(written + 1000))
    assert set(range(written)) <= set(rows)
    assert all(np.array_equal(row, np.full(2096, i, np.float32)) for i, row in rows.items())
    assert len(rows) % 16 == 0
    assert_sound(path)


def test_two_processes_write_the_same_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    processes = [writer(path, 0, 640), writer(path, 320, 960)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == ["", ""]
    rows = read_all(path, range(960))
    assert set(rows) == set(range(960))
    assert all((row == i).all() for i, row in rows.items())
    assert_sound(path)


def test_one_cache_serves_several_threads(tmp_path: Path) -> None:
    cache = RowCache(tmp_path / "a.sqlite")

    def work(start: int) -> None:
        for i in range(start, start + 20):
            cache.store([(b"%d" % i, np.full(8, i, np.float32))])
            assert len(list(cache.find([b"%d" % i]))) == 1

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
    cache.store([(b"%d" % i, np.full(2096, i, np.float32)) for i in range(10)])
    assert cache._connection
    cache._connection.execute("PRAGMA max_page_count = 60")
    for start in (10, 60):
        cache.store([(b"%d" % i, np.full(2096, i, np.float32)) for i in range(start, start + 50)])
    assert len(list(cache.find([b"%d" % i for i in range(110)]))) == 10
    cache.close()
    assert [r.getMessage() for r in caplog.records] == [
        f"the cache {path} keeps nothing new: database or disk is full. The work goes on."
    ]
    assert set(read_all(path, range(110))) == set(range(10))
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
        cache.store([(b"%d" % i, np.full(2096, i, np.float32))])
    cache.close()
    assert len(caplog.records) == 1
    assert "The work goes on" in caplog.text
    rows = read_all(path, range(200))
    assert len(rows) > 5
    assert all((row == i).all() for i, row in rows.items())


@pytest.mark.parametrize("damage", ["text", "header", "middle", "truncated"])
def test_a_damaged_file_is_set_aside_and_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = tmp_path / "a.sqlite"
    fill(path, 200)
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
    before = dict(cache.find([b"%d" % i for i in range(200)]))
    cache.store([(b"%d" % i, np.full(2096, i, np.float32)) for i in range(200)])
    after = dict(cache.find([b"%d" % i for i in range(200)]))
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
    fill(path, 3)
    content = path.read_bytes()
    mark = np.full(400, 2, np.float32).tobytes()
    assert mark in content
    path.write_bytes(content.replace(mark, np.full(400, 5, np.float32).tobytes(), 1))
    assert set(read_all(path, range(3))) == {0, 1}
    fill(path, 3)
    assert set(read_all(path, range(3))) == {0, 1, 2}


def test_a_folder_that_cannot_be_written_to_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = RowCache(tmp_path / "file" / "a.sqlite")
    assert list(cache.find([b"1"])) == []
    cache.store([(b"1", np.zeros(8, np.float32))])
    assert cache.count() == 0
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text
    assert "The work goes on without." in caplog.text


def test_a_file_removed_while_in_use_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.sqlite"
    cache = RowCache(path)
    cache.store([(b"1", np.ones(8, np.float32))])
    for part in tmp_path.iterdir():
        part.unlink()
    assert list(cache.find([b"1"])) == []
    cache.store([(b"2", np.ones(8, np.float32))])
    cache.close()
    assert len(read_all(path, range(3))) == 1
    assert caplog.records == []

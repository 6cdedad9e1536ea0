"""The file of activations: exact rounding, nothing lost by a kill, damage found, no more disk than granted."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headstart.errors import OptionError
from headstart.storage import disk_budget, row_file
from headstart.storage.disk_budget import OverBudget
from headstart.storage.row_file import RowFile, open_row_file, to_bfloat16


def back(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def values(count: int, numbers: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, numbers)).astype(np.float32)


def full_file(key: str, rows: np.ndarray, folder: Path, *, limit: int | None = None) -> RowFile:
    file = open_row_file(key, *rows.shape, limit=limit, folder=folder)
    with file.filling() as absent:
        if len(absent):
            file.fill(absent.tolist(), rows[absent])
    return file


def absent(file: RowFile) -> list[int]:
    with file.filling() as positions:
        return positions.tolist()


def total(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


# Rounding ------------------------------------------------------------------------------------------------------------


@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(-(2.0**120), 2.0**120, width=32)))
@settings(deadline=None)
def test_rounding_is_to_the_nearest_with_ties_to_the_even(numbers: np.ndarray) -> None:
    import torch

    bits = to_bfloat16(numbers)
    assert bits.dtype == np.uint16
    wanted = torch.from_numpy(numbers).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    assert np.array_equal(bits, wanted)
    normal = np.abs(numbers) >= 2.0**-126
    assert (np.abs(back(bits) - numbers) <= 2.0**-8 * np.abs(numbers))[normal].all()


def test_rounding_known_values() -> None:
    numbers = np.array([0.0, -0.0, 1.0, 1.00390625, 1.01171875, np.inf, -np.inf, 3.4028235e38], np.float32)
    rounded = back(to_bfloat16(numbers)).tolist()
    assert rounded == [0.0, -0.0, 1.0, 1.0, 1.015625, np.inf, -np.inf, np.inf]


def test_what_is_not_a_number_stays_so() -> None:
    every = np.array([0x7F800001, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(back(to_bfloat16(every))).all()


# Rows that come and go -----------------------------------------------------------------------------------------------


def test_rows_are_there_for_the_next_one_who_opens_the_file(tmp_path: Path) -> None:
    rows = values(7, 33)
    first = open_row_file("a", 7, 33, folder=tmp_path)
    with first.filling() as missing:
        assert missing.tolist() == list(range(7))
        first.fill([4, 2], rows[[4, 2]])
    first.close()
    second = open_row_file("a", 7, 33, folder=tmp_path)
    assert absent(second) == [0, 1, 3, 5, 6]
    assert np.array_equal(second.rows[[2, 4]], to_bfloat16(rows[[2, 4]]))
    second.close()
    assert np.array_equal(full_file("a", rows, tmp_path).rows, to_bfloat16(rows))


@pytest.mark.parametrize("part", ["rows", "sums"])
def test_damaged_rows_count_as_absent(tmp_path: Path, part: str) -> None:
    rows = values(9, 50)
    full_file("a", rows, tmp_path).close()
    path = tmp_path / f"a.{part}"
    content = bytearray(path.read_bytes())
    content[len(content) * 5 // 9 + 1] ^= 64
    path.write_bytes(content)
    file = open_row_file("a", 9, 50, folder=tmp_path)
    assert absent(file) == [5]
    file.close()
    again = full_file("a", rows, tmp_path)
    assert absent(again) == []
    assert np.array_equal(again.rows, to_bfloat16(rows))


@pytest.mark.parametrize("part", ["rows", "sums"])
@pytest.mark.parametrize("size", [0, 11, 5000])
def test_a_file_of_another_size_is_made_anew(tmp_path: Path, part: str, size: int) -> None:
    rows = values(6, 20)
    full_file("a", rows, tmp_path).close()
    (tmp_path / f"a.{part}").write_bytes(b"x" * size)
    file = open_row_file("a", 6, 20, folder=tmp_path)
    assert absent(file) == [0, 1, 2, 3, 4, 5]
    file.close()
    assert np.array_equal(full_file("a", rows, tmp_path).rows, to_bfloat16(rows))


def test_a_row_whose_checksum_happens_to_be_zero_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_file.zlib, "crc32", lambda row: 0)
    full_file("a", values(3, 5), tmp_path).close()
    file = open_row_file("a", 3, 5, folder=tmp_path)
    assert absent(file) == []


SLOW_BUILD = """
import sys, time
from pathlib import Path
import numpy as np
from headstart.storage.row_file import open_row_file
folder, pause, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
rows = np.random.default_rng(seed).standard_normal((200, 3000)).astype(np.float32)
file = open_row_file("a", 200, 3000, folder=folder)
with file.filling() as absent:
    print(len(absent), flush=True)
    for i in absent.tolist():
        file.fill([i], rows[[i]])
        time.sleep(pause)
print("done", flush=True)
sys.stdin.read()
"""


def build(folder: Path, pause: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SLOW_BUILD, str(folder), str(pause), "0"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_killed_build_goes_on_where_it_stopped(tmp_path: Path) -> None:
    killed = build(tmp_path, 0.01)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "200\n"
    time.sleep(0.3)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    rows = values(200, 3000)
    file = open_row_file("a", 200, 3000, folder=tmp_path)
    with file.filling() as missing:
        assert 0 < len(missing) < 200
        there = np.setdiff1d(np.arange(200), missing)
        assert np.array_equal(file.rows[there], to_bfloat16(rows[there]))
        file.fill(missing.tolist(), rows[missing])
    assert absent(file) == []
    assert np.array_equal(file.rows, to_bfloat16(rows))


def test_two_processes_that_fill_one_file_both_find_every_row(tmp_path: Path) -> None:
    both = [build(tmp_path, 0.001) for _ in range(2)]
    output = sorted(process.communicate("", timeout=60)[0].split() for process in both)
    assert output == [["0", "done"], ["200", "done"]]  # the second waits and has nothing left to do
    file = open_row_file("a", 200, 3000, folder=tmp_path)
    assert absent(file) == []
    assert np.array_equal(file.rows, to_bfloat16(values(200, 3000)))


# Room ----------------------------------------------------------------------------------------------------------------


Request = st.tuples(st.sampled_from("abcdef"), st.integers(1, 12), st.integers(0, 4000), st.booleans())


@given(st.lists(Request, min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_files_together_keep_to_the_limit_and_files_in_use_stay(
    tmp_path: Path, requests: list[tuple[str, int, int, bool]]
) -> None:
    """Some files stay open. What is on the disk never outgrows the limit, or else what is open."""
    folder = tmp_path / "activations"
    shutil.rmtree(folder, ignore_errors=True)
    used: dict[str, RowFile] = {}
    for key, count, limit, stays in requests:
        if key in used:
            continue
        name = f"{key}{count}"
        if count * 204 + sum(size_with_checksums(file) for file in used.values()) > limit:
            with pytest.raises(OverBudget, match="the activations would take "):
                open_row_file(name, count, 100, limit=limit, folder=folder)
        else:
            file = open_row_file(name, count, 100, limit=limit, folder=folder)
            assert (folder / f"{name}.rows").stat().st_size == count * 200
            if stays:
                used[key] = file
            else:
                file.close()
        assert total(folder) <= max(limit, sum(size_with_checksums(file) for file in used.values()))
        assert all(file.path.exists() for file in used.values())
    for file in used.values():
        file.close()


def size_with_checksums(file: RowFile) -> int:
    return file.path.stat().st_size + disk_budget.checksum_path(file.path).stat().st_size


def test_the_file_used_longest_ago_goes_first(tmp_path: Path) -> None:
    for age, key in ((300, "a"), (200, "b"), (100, "c")):
        full_file(key, values(10, 50), tmp_path, limit=10_000).close()
        os.utime(tmp_path / f"{key}.rows", (time.time() - age,) * 2)
    full_file("a", values(10, 50), tmp_path, limit=10_000).close()  # used again
    full_file("d", values(10, 50), tmp_path, limit=3_200).close()
    assert sorted(path.name for path in tmp_path.glob("*.rows")) == ["a.rows", "c.rows", "d.rows"]
    assert sorted(path.name for path in tmp_path.glob("*.sums")) == ["a.sums", "c.sums", "d.sums"]


def test_a_file_in_use_by_another_process_is_not_removed(tmp_path: Path) -> None:
    other = build(tmp_path, 0.0)
    assert other.stdout is not None
    assert [other.stdout.readline() for _ in range(2)] == ["200\n", "done\n"]
    with pytest.raises(
        OverBudget, match=r"the activations would take 0.000608 MB, and 1.2 MB, of which 1.2 MB are in use, are the"
    ):
        open_row_file("b", 2, 150, limit=1_200_900, folder=tmp_path)
    # what is in use may stay above the limit; what is not may not
    assert (tmp_path / "a.rows").exists()
    other.communicate("")
    open_row_file("b", 2, 150, limit=1_200_900, folder=tmp_path).close()
    assert not (tmp_path / "a.rows").exists()


def test_no_more_than_half_of_the_free_disk_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_budget.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10_000, 0, 3_000))
    with pytest.raises(
        OverBudget, match=r"the activations would take 0.00163 MB, and 0.0015 MB are half of the free disk"
    ):
        open_row_file("a", 8, 100, folder=tmp_path)
    open_row_file("a", 7, 100, folder=tmp_path).close()


def test_a_full_disk_is_told_before_the_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(row_file.os, "posix_fallocate", full, raising=False)
    with pytest.raises(OverBudget, match=r"cannot hold the activations \(No space left on device\)"):
        open_row_file("a", 7, 100, folder=tmp_path)
    assert not list(tmp_path.glob("a.*"))


def test_without_a_call_that_reserves_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(row_file.os, "posix_fallocate", raising=False)
    monkeypatch.setattr(row_file, "_CHUNK", 1000)
    rows = values(7, 333)
    assert np.array_equal(full_file("a", rows, tmp_path).rows, to_bfloat16(rows))


def test_without_locks_files_are_shared_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.storage import locks

    monkeypatch.setattr(locks, "fcntl", None)
    rows = values(7, 33)
    first = full_file("a", rows, tmp_path)
    second = full_file("a", rows, tmp_path)
    assert np.array_equal(first.rows, second.rows)


def test_a_folder_that_cannot_be_written_to_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OverBudget, match="cannot hold the activations"):
        open_row_file("a", 7, 100, folder=tmp_path / "file" / "activations")


def test_the_limit_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADSTART_ACTIVATIONS_GB", raising=False)
    assert disk_budget.default_limit() == 8_000_000_000
    monkeypatch.setenv("HEADSTART_ACTIVATIONS_GB", "0.5")
    assert disk_budget.default_limit() == 500_000_000
    monkeypatch.setenv("HEADSTART_ACTIVATIONS_GB", "-1")
    with pytest.raises(OptionError, match="HEADSTART_ACTIVATIONS_GB must be a number of gigabytes; found '-1'"):
        disk_budget.default_limit()

"""A file of activations: rows of one size as bfloat16, filled once and read by memory mapping.

`open_row_file` makes or opens the file of a key, within the disk that all such files may take. Beside each file of
rows lies one of checksums, a number a row, 0 where the row is not there yet: a killed run's rows are used again, and a
damaged row counts as absent. The disk space is taken before the first row, so that a full disk is an error here
and not a crash later. Several processes may use a file at once; one fills it, the others wait for its rows.

What a row means, and its key, is the caller's matter.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from headstart.device import threads
from headstart.records.arrays import Floats, Ints
from headstart.storage import disk_budget, locks

Bits = NDArray[np.uint16]
"""bfloat16 numbers: the upper half of float32's bits."""

_ROW_TYPE = np.dtype("<u2")
_SUM_TYPE = np.dtype("<u4")
_CHUNK = 1 << 24
"""Bytes handled at a time."""

_log = logging.getLogger("headstart")
_NO_SUCH_CALL = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a disk says that cannot reserve space."""


def to_bfloat16(values: Floats) -> Bits:
    """float32 → the nearest bfloat16, ties to the even one; infinities and NaN stay what they are.

    The relative error of a normal number is at most 2^-8 (half a unit in the last of eight binary digits, twice over).

    >>> to_bfloat16(np.array([1.0, -2.0], np.float32)).tolist() == [0x3F80, 0xC000]
    True
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    # (bits + 0x7FFF + (lowest bit that stays)) >> 16: adds just under half a unit, or half where the kept part is odd
    rounded = bits >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += np.uint32(0x7FFF)
    rounded += bits
    rounded >>= np.uint32(16)
    if (nan := np.isnan(values)).any():  # rounding could carry a NaN's bits over into infinity or zero
        rounded[nan] = bits[nan] >> np.uint32(16) | np.uint32(0x40)
    return rounded.astype(np.uint16)


class RowFile:
    """An open file of rows of bfloat16, all of one size; made by `open_row_file`.

    rows: (count, numbers) uint16, mapped into memory, to be read. A file that is open is not removed for room.
    """

    def __init__(self, path: Path, rows: IO[bytes], sums: IO[bytes], count: int, numbers: int) -> None:
        self.path = path
        self._rows, self._sums = rows, sums
        self._closing = weakref.finalize(self, _close, rows, sums)
        self.rows: Bits = np.asarray(np.memmap(rows, _ROW_TYPE, "r", shape=(count, numbers)))

    @contextlib.contextmanager
    def filling(self) -> Iterator[Ints]:
        """The positions of the rows that are absent or damaged, which no other process fills meanwhile."""
        if not locks.try_exclusively(self._sums):
            _log.warning("another process is computing the same activations: waiting for it.")
            locks.lock_exclusively(self._sums)
        try:
            yield self._absent()
        finally:
            locks.release(self._sums)

    def _absent(self) -> Ints:
        self._sums.seek(0)
        checksums = np.frombuffer(self._sums.read(), _SUM_TYPE)
        step = max(1, _CHUNK // self.rows[:1].nbytes)
        with ThreadPoolExecutor(threads()) as pool:
            parts = pool.map(lambda i: self._damaged(checksums[i : i + step], i), range(0, len(checksums), step))
            return np.concatenate([*parts, np.zeros(0, np.int64)])

    def _damaged(self, checksums: NDArray[np.uint32], start: int) -> Ints:
        positions = [i for i, sum_ in enumerate(checksums, start) if sum_ == 0 or sum_ != _checksum(self.rows[i].data)]
        return np.array(positions, np.int64)

    def fill(self, positions: Sequence[int], values: Floats) -> None:
        """Write rows (len(positions), numbers), each before its checksum. Raises `OverBudget` for a full disk."""
        try:
            self._fill(positions, values)
        except OSError as error:
            raise _full_disk(self.path.parent, error) from error

    def _fill(self, positions: Sequence[int], values: Floats) -> None:
        for position, row in zip(positions, to_bfloat16(values).astype(_ROW_TYPE, copy=False), strict=True):
            _put(self._rows, position * row.nbytes, row.data.cast("B"))
            _put(self._sums, position * _SUM_TYPE.itemsize, _checksum(row.data).to_bytes(_SUM_TYPE.itemsize, "little"))

    def close(self) -> None:
        """Let go of the file; `rows` is empty from now on."""
        self.rows = np.zeros((0, 0), np.uint16)
        self._closing()


def _close(rows: IO[bytes], sums: IO[bytes]) -> None:
    locks.release(rows)  # a map that is still alive somewhere would keep it
    rows.close()
    sums.close()


def _put(file: IO[bytes], offset: int, content: bytes | memoryview) -> None:
    file.seek(offset)
    if file.write(content) != len(content):  # what a full disk does first
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _checksum(row: memoryview) -> int:
    return zlib.crc32(row) or 1  # 0 says that there is no row


def open_row_file(
    key: str, count: int, numbers: int, *, limit: int | None = None, folder: Path | None = None
) -> RowFile:
    """The file of a key, with the rows that earlier runs left.

    key: names all that the rows depend on. count: how many rows. numbers: in each. limit: bytes that all files of
    activations may take together, `disk_budget.default_limit()` by default; the least recently used files are removed
    for it. folder: `disk_budget.default_folder()` by default. Raises `OverBudget` when there is no room for the file
    or the disk is full.
    """
    folder = folder or disk_budget.default_folder()
    path = folder / f"{key}{disk_budget.ROWS}"
    sizes = {path: count * numbers * _ROW_TYPE.itemsize, disk_budget.checksum_path(path): count * _SUM_TYPE.itemsize}
    try:
        with disk_budget.lock_folder(folder):
            disk_budget.make_room(path, sum(sizes.values()), disk_budget.default_limit() if limit is None else limit)
            try:
                return _open(path, sizes, count, numbers)
            except OSError:
                disk_budget.remove_file(path)
                raise
    except OSError as error:
        raise _full_disk(folder, error) from error


def _full_disk(folder: Path, error: OSError) -> disk_budget.OverBudget:
    return disk_budget.OverBudget(f"{folder} cannot hold the activations ({error.strerror or error})")


def _open(path: Path, sizes: dict[Path, int], count: int, numbers: int) -> RowFile:
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_file(part)) for part in sizes]
        locks.lock_shared(files[0])
        if any(os.fstat(file.fileno()).st_size != size for file, size in zip(files, sizes.values(), strict=True)):
            for file, size in zip(files, sizes.values(), strict=True):
                file.truncate(0)
                _reserve(file, size)
        os.utime(path)
        row_file = RowFile(path, files[0], files[1], count, numbers)
        stack.pop_all()
    return row_file


def _file(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644), "r+b", buffering=0)


def _reserve(file: IO[bytes], size: int) -> None:
    """Take disk space for `size` zero bytes now. Raises `OSError` when there is not enough."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
            return
        except OSError as error:
            if error.errno not in _NO_SUCH_CALL:
                raise
    zeros = bytes(min(size, _CHUNK))
    for start in range(0, size, _CHUNK):
        _put(file, start, zeros[: size - start])

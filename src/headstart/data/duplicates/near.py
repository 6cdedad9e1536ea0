"""Finds near duplicates: one image turned, mirrored, re-encoded, resized, cropped or brightened a little.

`near_groups` gives each row of samples a group number that near duplicates share; `search_samples` returns the groups
of samples, `find_near_duplicates` those of thumbnails, with the likeness of each member to its group's first.
Candidates come from the low frequencies of the thumbnails in all eight orientations, block by block;
`data.duplicates.alignment` confirms them. Every member of a group was compared with the group's leading image itself,
so that chains of look-alikes do not swallow a class. Images that are alike by nature (solar cells, charts) must stand
out from the other look-alikes to count as duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.data.duplicates.alignment import ORIENTATIONS, SIDE, likeness, rotate
from headstart.data.duplicates.thumbnails import Thumbnails, make_thumbnails
from headstart.device import threads
from headstart.progress import bar
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples
from headstart.storage.file_cache import FileCache
from headstart.storage.folders import DUPLICATES, cache_folder

ALIKE = 0.9
"""From this likeness on two images are near duplicates, if they stand out (docs/audit.md says how it was chosen)."""
SURE = 0.993
"""From this likeness on they are, whatever else looks like them."""
SIBLINGS = 0.85
"""From this likeness on two images may be photographs of one thing (benchmarks/series.py)."""
STANDS_OUT = 0.4
"""Where a crowd is alike, a duplicate's distance (1 - likeness) is at most this part of the crowd's."""
_CROWD, _CROWDED = 4, 0.2
"""A crowd: so many candidates within this distance."""
MOST_COMPARED = 100_000
"""Images among which near duplicates are searched: the time grows with their square; so many take minutes."""
_CANDIDATES = 6
_LOW = 8
_SIMILAR = 0.85
_PROMISING = 0.85
_SECOND_CHOICE = 0.03
_BLOCK = 512
_FLAT = 2.0
"""Standard deviation in grey levels under which a thumbnail shows nothing that could be compared."""
_PAIRS_A_PIECE = 256
_RESULTS_VERSION = 2
"""Raise when the same images would give other groups."""
_RESULTS_LIMIT, _MOST_RESULTS = 64 << 20, 200


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Groups of near duplicates.

    groups: rows of each group, its leading image first. likeness: of each row to its group's leading one (1 for
    itself), in the same order. pairs: of rows that look alike, whether or not they stand out among others that do: in a
    series of photographs of one thing the siblings are the crowd (`data.series`).
    """

    groups: tuple[tuple[int, ...], ...]
    likeness: tuple[tuple[float, ...], ...]
    pairs: tuple[tuple[int, int], ...] = ()


def near_groups(samples: Samples, *, cache: bool = True) -> Ints:
    """A group number for each row, which near duplicates and rows of one existing group share: (n,).

    Joined with `samples.groups`, where there are any: a group of the user's is never split. Images that cannot be read
    are alone. cache: read thumbnails and the groups from the cache folder where they are there, and keep them.
    """
    return merge_groups(samples, search_samples(samples, cache=cache).groups)


def search_samples(samples: Samples, *, cache: bool = True, thumbnails: Thumbnails | None = None) -> NearDuplicates:
    """The near duplicates among samples, by row. thumbnails: of all the samples, where they are made already."""
    if cache and (result := _read_result(samples.content)) is not None:
        return result
    thumbnails = thumbnails or make_thumbnails(samples, cache=cache)
    among_readable = find_near_duplicates(thumbnails.grey)
    groups = tuple(tuple(int(thumbnails.rows[row]) for row in group) for group in among_readable.groups)
    pairs = tuple((int(thumbnails.rows[one]), int(thumbnails.rows[other])) for one, other in among_readable.pairs)
    result = NearDuplicates(groups, among_readable.likeness, pairs)
    if cache:
        body = json.dumps({"groups": groups, "likeness": result.likeness, "pairs": pairs}).encode()
        _results().put(_result_name(samples.content), body)
    return result


def _results() -> FileCache:
    """The results of earlier searches: the same images in the same order are not compared twice."""
    return FileCache(cache_folder(DUPLICATES), limit=_RESULTS_LIMIT, most_files=_MOST_RESULTS)


def _result_name(content: Sequence[str]) -> str:
    return fingerprint.hash_parts(_RESULTS_VERSION, list(content))


def _read_result(content: Sequence[str]) -> NearDuplicates | None:
    """What an earlier search among images of this content gave, where it is there and may be of them."""
    body = _results().get(_result_name(content))
    if body is None:
        return None
    result = json.loads(body)
    groups = tuple(tuple(group) for group in result["groups"])
    likeness = tuple(tuple(values) for values in result["likeness"])
    pairs = tuple((int(one), int(other)) for one, other in result.get("pairs", ()))
    inside = all(0 <= row < len(content) for rows in (*groups, *pairs) for row in rows)
    return NearDuplicates(groups, likeness, pairs) if inside else None


def merge_groups(samples: Samples, groups: tuple[tuple[int, ...], ...]) -> Ints:
    """Group numbers in which the rows of each group, and of each group of the samples, are together: (n,)."""
    return join_groups(np.arange(len(samples)) if samples.groups is None else samples.groups, groups)


def join_groups(numbers: Ints, groups: tuple[tuple[int, ...], ...]) -> Ints:
    """Group numbers, (n,), in which the rows of each of `groups` are together as well: (n,), from 0.

    >>> join_groups(np.array([7, 7, 8, 9]), ((1, 3),)).tolist()
    [0, 0, 1, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, existing = len(numbers), np.unique(numbers, return_inverse=True)[1]
    pairs = [(existing[group[0]], existing[row]) for group in groups for row in group[1:]]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    _, component = connected_components(links, directed=False)
    return np.unique(component[existing], return_inverse=True)[1].astype(np.int64)


def find_near_duplicates(grey: NDArray[np.uint8]) -> NearDuplicates:
    """The groups of near duplicates among thumbnails, (n, 64, 64) uint8."""
    if len(grey) < 2:
        return NearDuplicates((), ())
    low = _low_frequencies(grey)
    pairs, orientation = _candidates(grey, low)
    pairs, likely = _best_orientation(pairs, _compare(grey, pairs, orientation))
    confirmed = pairs[_stand_out(len(grey), pairs, likely)]
    groups, likenesses = [], []
    for members in _components(len(grey), confirmed):
        for group, values in _stars(grey, low, members, confirmed):
            groups.append(group)
            likenesses.append(tuple(min(round(value, 4), 1.0) for value in values))
    order = sorted(range(len(groups)), key=lambda i: min(groups[i]))
    alike = tuple((int(one), int(other)) for one, other in pairs[likely >= SIBLINGS])
    return NearDuplicates(tuple(groups[i] for i in order), tuple(likenesses[i] for i in order), alike)


def _low_frequencies(grey: NDArray[np.generic]) -> Floats:
    """The low frequencies of each thumbnail as a unit vector; zeros for one that shows nothing."""
    step = SIDE // _LOW
    small = grey.reshape(len(grey), _LOW, step, _LOW, step).mean(axis=(2, 4), dtype=np.float32)
    flat = small.reshape(len(grey), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)  # brightness does not count
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    shows = length > _FLAT * _LOW
    return np.where(shows, flat / np.maximum(length, 1e-6), 0).astype(np.float32)


def _orient(low: Floats, orientation: int) -> Floats:
    square = rotate(low.reshape(-1, _LOW, _LOW), orientation)
    return np.ascontiguousarray(square).reshape(len(low), -1).astype(np.float32)


def _candidates(grey: NDArray[np.uint8], low: Floats) -> tuple[Ints, Ints]:
    """Pairs of rows (first, second), first < second, and the orientations of the second worth comparing."""
    oriented = [_orient(low, orientation) for orientation in range(ORIENTATIONS)]
    parts = []
    with bar("comparing", len(low)) as advance:
        for start in range(0, len(low), _BLOCK):
            block = low[start : start + _BLOCK]
            best = block @ oriented[0].T
            for other in oriented[1:]:
                np.maximum(best, block @ other.T, out=best)
            best[np.arange(len(block)), np.arange(start, start + len(block))] = -1
            parts.append(_nearest(best, start))
            advance(len(block))
    pairs = np.unique(np.sort(np.concatenate(parts), axis=1), axis=0) if parts else np.zeros((0, 2), np.int64)
    return _with_orientations(low, oriented, pairs)


def _nearest(similar: Floats, start: int) -> Ints:
    """The most similar rows of each row of a block that are similar enough."""
    count = min(_CANDIDATES, similar.shape[1] - 1)
    if count < 1:
        return np.zeros((0, 2), np.int64)
    places = np.argpartition(similar, -count, axis=1)[:, -count:]
    row, column = np.nonzero(np.take_along_axis(similar, places, axis=1) > _SIMILAR)
    return np.stack([start + row, places[row, column]], axis=1).astype(np.int64)


def _with_orientations(low: Floats, oriented: list[Floats], pairs: Ints) -> tuple[Ints, Ints]:
    """Each pair with its best orientation, and with any that is nearly as good."""
    first, second = pairs.T
    similar = np.stack([np.einsum("ij,ij->i", low[first], other[second]) for other in oriented], axis=1)
    worth = similar >= np.maximum(similar.max(axis=1, keepdims=True) - _SECOND_CHOICE, _SIMILAR)
    ranked = np.argsort(-similar, axis=1, kind="stable")
    worth &= np.argsort(ranked, axis=1, kind="stable") < 2
    pair, orientation = np.nonzero(worth)
    return pairs[pair], orientation.astype(np.int64)


def _compare(grey: NDArray[np.uint8], pairs: Ints, orientation: Ints) -> Floats:
    """The likeness of each pair in its orientation."""
    pieces = [slice(i, i + _PAIRS_A_PIECE) for i in range(0, len(pairs), _PAIRS_A_PIECE)]

    def compare(piece: slice) -> Floats:
        """The likeness of each pair of a piece: (p,)."""
        second = np.stack([rotate(grey[j], o) for j, o in zip(pairs[piece, 1], orientation[piece], strict=True)])
        return likeness(grey[pairs[piece, 0]], second.astype(np.uint8), promising=_PROMISING)

    parts = []
    with bar("confirming", len(pairs), unit="pairs") as advance, ThreadPoolExecutor(threads()) as pool:
        for part in pool.map(compare, pieces):
            parts.append(part)
            advance(len(part))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _best_orientation(pairs: Ints, likely: Floats) -> tuple[Ints, Floats]:
    """Each pair once, with the likeness in its best orientation."""
    distinct, place = np.unique(pairs, axis=0, return_inverse=True)
    best = np.full(len(distinct), -2, np.float32)
    np.maximum.at(best, place.ravel(), likely)
    return distinct, best


def _stand_out(n: int, pairs: Ints, likely: Floats) -> NDArray[np.bool_]:
    """Which pairs are near duplicates: alike, and where many resemble either image, much closer than those."""
    distance = 1 - likely
    unsure = likely < SURE
    crowd = _crowd(n, pairs[unsure], distance[unsure])
    around = np.minimum(crowd[pairs[:, 0]], crowd[pairs[:, 1]])
    apart = (around > _CROWDED) | (distance <= STANDS_OUT * around)
    result: NDArray[np.bool_] = (likely >= SURE) | ((likely >= ALIKE) & apart)
    return result


def _crowd(n: int, pairs: Ints, distance: Floats) -> Floats:
    """The distance of each row's unsure candidate that is `_CROWD`-th in closeness; infinite where there are fewer."""
    ends, values = pairs.ravel(), np.repeat(distance, 2)
    order = np.lexsort((values, ends))
    ends, values = ends[order], values[order]
    starts = np.searchsorted(ends, np.arange(n))
    crowded = np.bincount(ends, minlength=n) >= _CROWD
    crowd = np.full(n, np.inf, np.float32)
    crowd[crowded] = values[starts[crowded] + _CROWD - 1]
    return crowd


def _components(n: int, pairs: Ints) -> Iterator[list[int]]:
    """The rows of each set that confirmed pairs connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    for number in np.flatnonzero(np.bincount(component) > 1):
        yield np.flatnonzero(component == number).tolist()


def _stars(
    grey: NDArray[np.uint8], low: Floats, members: list[int], pairs: Ints
) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
    """A component as groups around leading images, each member compared with its leading image itself."""
    linked = np.bincount(pairs.ravel(), minlength=len(grey))
    rest = sorted(members, key=lambda row: (-linked[row], row))
    while len(rest) > 1:
        leader, followers = rest[0], rest[1:]
        values = _against(grey, low, leader, followers)
        near = [(row, value) for row, value in zip(followers, values, strict=True) if value >= ALIKE]
        rest = [row for row, value in zip(followers, values, strict=True) if value < ALIKE]
        if near:
            yield (leader, *(row for row, _ in near)), (1.0, *(value for _, value in near))


def _against(grey: NDArray[np.uint8], low: Floats, leader: int, followers: list[int]) -> list[float]:
    """The likeness of each row to one row, in its best orientation."""
    pairs = np.stack([np.full(len(followers), leader), np.array(followers)], axis=1).astype(np.int64)
    pairs, orientation = _with_orientations(low, [_orient(low, o) for o in range(ORIENTATIONS)], pairs)
    likely = _compare(grey, pairs, orientation)
    best = dict.fromkeys(followers, -1.0)
    for row, value in zip(pairs[:, 1].tolist(), likely.tolist(), strict=True):
        best[row] = max(best[row], value)
    return [best[row] for row in followers]

"""Finds images that come in series: a part, plant, patient or scene photographed several times.

`find_series` takes embeddings, labels, names and the pairs of images that look alike, and returns `Series`: which
images are of one thing, and by what sign; None where nothing speaks for series. The signs, the surest first: names,
folders or times that the embeddings agree with; thumbnails that look alike and are near each other in the embedding
too; images that lie in tight little knots within their class, far tighter than independent images of that spread. What
is done about them is for `pipeline.series` to say. benchmarks/series.py measures it; docs/series.md explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.data.duplicates.near import join_groups
from headstart.data.series.clusters import cluster_rows
from headstart.data.series.keys import candidate_keys
from headstart.data.series.neighbours import chance_likeness, excess_closeness, spread_out
from headstart.metrics.auroc import auroc
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import ImageSource

MOST_IMAGES = 10_000
"""Images among which series are looked for."""
_FEWEST_IMAGES = 20
_SHARE = 0.08
"""The share of images with a sibling by pixels and embedding from which on there are series: independent ones had up to
0.04, series 0.1 to 0.9."""
_EXCESS = 0.5
"""The excess of closeness that speaks for series by itself: independent images had up to 0.44, series of six 0.6 and
more."""
_EXCESS_OF_LOOKALIKES = 0.6
"""The same where look-alikes are the nature of the images: solar cells had 0.49."""
_MOST_MIXED = 0.05
_LARGEST = 0.2
_CONFIRMED = 0.7
"""Images alike by nature (solar cells) look alike across classes too, or all of them hang together: no sign then."""
_ENOUGH_PAIRS = 10
NO_PAIRS = np.zeros((0, 2), np.int64)
_COVERED, _AGREES = 0.3, 0.65
"""Keys hold so many images with another one together, and in so many cases a pair of one key is the nearer one."""
_LARGEST_KEY = 0.2
_MOST_PAIRS = 3000


@dataclass(frozen=True, eq=False)
class Series:
    """Which images are of one thing.

    groups: (n,) images of one thing share a number. sign: what says so, in words.
    """

    groups: Ints
    sign: str

    @property
    def images(self) -> int:
        """How many images have a sibling."""
        sizes = np.bincount(self.groups)
        return int(sizes[sizes > 1].sum())

    @property
    def count(self) -> int:
        """How many series of two or more there are."""
        return int((np.bincount(self.groups) > 1).sum())


def find_series(
    X: Floats, last: Floats, labels: Ints, names: Sequence[str], items: Sequence[ImageSource], pairs: Ints
) -> Series | None:
    """The series among images; None where nothing speaks for them, or where the images are too few or too many.

    Parameters
    ----------
    X, last : (n, d) signed square roots of several layers, and the last layer alone
    labels : (n,) classes as numbers from 0
    names, items : of the n images
    pairs : (m, 2) rows whose thumbnails look alike, within a class or not
    """
    if not _FEWEST_IMAGES <= len(labels) <= MOST_IMAGES:
        return None
    F, values = spread_out(X, labels)
    chance = chance_likeness(values, labels)
    alike = _siblings(F, labels, pairs, chance)
    natural = _alike_by_nature(labels, pairs, len(alike))
    alike = NO_PAIRS if natural else alike
    for sign, keys in candidate_keys(names, items):
        if (numbers := _numbers(keys, labels)) is not None and _agree(F, labels, numbers):
            return Series(_joined(numbers, alike), sign)
    enough = len(alike) >= _ENOUGH_PAIRS
    by_pixels = enough and len(np.unique(alike)) >= _SHARE * len(labels)
    if not by_pixels and excess_closeness(last, labels) < (_EXCESS_OF_LOOKALIKES if natural else _EXCESS):
        return None
    # Half-way between chance and the least alike of the siblings that pixels know: these are the most alike ones.
    cut = (chance + max(chance, _least(F, alike))) / 2 if enough else chance
    sign = "many look alike, seen a little differently" if by_pixels else "they lie in tight little groups"
    return Series(_joined(cluster_rows(F, labels, cut, alike), alike), sign)


def _siblings(F: Floats, labels: Ints, pairs: Ints, chance: float) -> Ints:
    """The pairs within a class that the embedding confirms."""
    pairs = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
    return pairs[_cosines(F, pairs) > chance]


def _alike_by_nature(labels: Ints, pairs: Ints, confirmed: int) -> bool:
    """Whether look-alikes lie across classes too, or all hang together, or the embedding confirms few of them."""
    if not len(pairs):
        return False
    together = join_groups(np.arange(len(labels)), tuple(map(tuple, pairs.tolist())))
    mixed = float((labels[pairs[:, 0]] != labels[pairs[:, 1]]).mean())
    largest = int(np.bincount(together).max())
    return largest > _LARGEST * len(labels) or mixed > _MOST_MIXED or confirmed < _CONFIRMED * len(pairs)


def _least(F: Floats, pairs: Ints) -> float:
    return float(np.quantile(_cosines(F, pairs), 0.05))


def _cosines(F: Floats, pairs: Ints) -> Floats:
    cosines: Floats = np.einsum("ij,ij->i", F[pairs[:, 0]], F[pairs[:, 1]])
    return cosines


def _joined(numbers: Ints, pairs: Ints) -> Ints:
    return join_groups(numbers, tuple(map(tuple, pairs.tolist())))


def _numbers(keys: Sequence[str], labels: Ints) -> Ints | None:
    """The key and class of each image as a number; None where keys hold too few images together, or too many."""
    words = np.array([key or f"\0{row}" for row, key in enumerate(keys)])
    numbers = np.unique(words, return_inverse=True)[1] * (int(labels.max()) + 1) + labels
    numbers = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    sizes = np.bincount(numbers)
    few_in_a_class = min(len(np.unique(numbers[labels == label])) for label in np.unique(labels)) < 2
    covered = float((sizes[numbers] > 1).mean())
    too_large = sizes.max() > _LARGEST_KEY * len(labels)
    return None if covered < _COVERED or too_large or few_in_a_class else numbers


def _agree(F: Floats, labels: Ints, numbers: Ints) -> bool:
    """Whether two images of one key are nearer than two of other keys of that class, in most cases."""
    random = np.random.default_rng(0)
    one, other = random.integers(len(labels), size=(2, 20 * _MOST_PAIRS))
    apart = (labels[one] == labels[other]) & (numbers[one] != numbers[other])
    within = _pairs_within(numbers)
    if len(within) < _ENOUGH_PAIRS or apart.sum() < _ENOUGH_PAIRS:
        return False
    strangers = np.stack([one[apart], other[apart]], axis=1)[:_MOST_PAIRS]
    return auroc(_cosines(F, strangers), _cosines(F, within)) >= _AGREES


def _pairs_within(numbers: Ints) -> Ints:
    """Neighbouring rows of each number, at most so many: (p, 2)."""
    order = np.argsort(numbers, kind="stable")
    together = numbers[order[:-1]] == numbers[order[1:]]
    return np.stack([order[:-1][together], order[1:][together]], axis=1)[:_MOST_PAIRS].astype(np.int64)

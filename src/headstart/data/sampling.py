"""Random subsets of rows, repeatable by a seed: plain, one of each group, of every class, or of whole groups.

Every function returns row numbers in ascending order.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from headstart.records.arrays import Ints

Seed: TypeAlias = int | np.random.Generator


def random_rows(count: int, most: int, seed: Seed = 0) -> Ints:
    """At most `most` of `count` rows.

    >>> random_rows(4, 9).tolist(), len(random_rows(9, 4))
    ([0, 1, 2, 3], 4)
    """
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def one_per_group(groups: Ints, *, seed: int = 0) -> Ints:
    """One row of each group: independent images where those of one group are duplicates.

    >>> one_per_group(np.array([7, 8, 7, 8, 8])).tolist()
    [2, 4]
    """
    order = np.random.default_rng(seed).permutation(len(groups))
    return np.sort(order[np.unique(np.asarray(groups)[order], return_index=True)[1]])


def one_per_small_group(groups: Ints, least: int, seed: int = 0) -> Ints | None:
    """One row of each group; None where the groups have more than three rows in the mean, or are fewer than `least`.

    Small groups are mostly duplicates, and nothing is lost; then a test may permute images one by one. Large groups are
    for the test itself to keep whole.
    """
    rows = one_per_group(groups, seed=seed)
    return rows if len(rows) >= max(least, len(groups) / 3) else None


def stratified_subsample(labels: Ints, most: int, seed: int = 0) -> Ints:
    """At most `most` rows, of every class its share."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return np.sort(order[np.linspace(0, len(labels) - 1, most).astype(np.int64)])


def random_rows_of_every_class(labels: Ints, classes: int, most: int, *, least: int, seed: int = 0) -> Ints:
    """About `most` rows, among them `least` of each class (all of a smaller class)."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    least_rows = np.concatenate([order[labels[order] == number][:least] for number in range(classes)])
    rest = order[~np.isin(order, least_rows)]
    return np.sort(np.concatenate([least_rows, rest[: max(0, most - len(least_rows))]]))


def random_groups(groups: Ints, most: int, seed: int = 0) -> Ints:
    """At most `most` rows of random whole groups (the last one may be cut). groups: (n,) numbers from 0."""
    place = np.random.default_rng(seed).permutation(int(groups.max()) + 1)[groups]
    return np.sort(np.argsort(place, kind="stable")[:most])

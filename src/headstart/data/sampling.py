"""Subsampling of rows: one per group, or spread over the classes."""

from __future__ import annotations

import numpy as np

from headstart.records.arrays import Ints


def one_row_per_group(groups: Ints, least: int, seed: int) -> Ints | None:
    """One random row of each group, where groups are small (three rows or fewer in the mean) and at least `least`.

    Small groups are mostly copies, and nothing is lost; then images need not be permuted by groups, and the test
    within classes can be made. None where the groups are large: they are for the test itself to keep whole.
    """
    order = np.random.default_rng(seed).permutation(len(groups))
    first = np.sort(order[np.unique(groups[order], return_index=True)[1]])
    return first if len(first) >= max(least, len(groups) / 3) else None


def one_per_group(groups: Ints, *, seed: int = 0) -> Ints:
    """Rows, one of each group, drawn at random: independent images where those of one group are copies."""
    order = np.random.default_rng(seed).permutation(len(groups))
    return np.sort(order[np.unique(np.asarray(groups)[order], return_index=True)[1]])


def stratified_subsample(labels: Ints, most: int, seed: int = 0) -> Ints:
    """At most `most` row numbers, in order, every class with its share of them."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return np.sort(order[np.linspace(0, len(labels) - 1, most).astype(np.int64)])

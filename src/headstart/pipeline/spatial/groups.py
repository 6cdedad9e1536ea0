"""Which images with boxes or masks stay in one fold: frames of a drive, or what --group-by says, in a sentence too.

Folds alone go by these groups: a split that the user made stays as it is, and what crosses it is named.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.checks import quantity
from headstart.data.duplicates.near import join_groups
from headstart.data.duplicates.thumbnails import make_thumbnails
from headstart.data.series.drives import find_drives
from headstart.data.series.keys import AUTO, NONE, check_rule, keys_by
from headstart.pipeline.series import rows_of_groups
from headstart.records.arrays import Ints
from headstart.records.samples import Samples


def groups_by_rule(samples: Samples, rule: str, *, cache: bool = True) -> Ints | None:
    """(n,) numbers of what belongs together by a rule of --group-by; None where nothing does.

    Raises `DataError` where a rule of the user's tells nothing of any image, `OptionError` for what is no rule.
    """
    check_rule(rule)
    if rule == NONE:
        return None
    if rule != AUTO:
        words = keys_by(rule, samples.names, samples.items)
        return np.unique([word or f"\0{row}" for row, word in enumerate(words)], return_inverse=True)[1]
    thumbnails = make_thumbnails(samples, cache=cache)
    drives = find_drives([samples.names[row] for row in thumbnails.rows.tolist()], thumbnails.grey)
    if drives is None:
        return None
    numbers = np.arange(len(samples)) + len(samples)  # unreadable ones are alone
    numbers[thumbnails.rows] = drives
    return np.unique(numbers, return_inverse=True)[1]


def hold_groups(samples: Samples, rule: str, *, cache: bool = True) -> tuple[Samples, tuple[str, ...]]:
    """The samples with such groups joined to their own, and a sentence on them."""
    numbers = groups_by_rule(samples, rule, cache=cache)
    if numbers is None:
        return samples, ()
    known = np.arange(len(samples)) if samples.groups is None else samples.groups
    groups = join_groups(known, rows_of_groups(numbers.astype(np.int64)))
    return replace(samples, groups=groups), (_sentence(numbers, rule), *crossing_note(samples, numbers))


def _sentence(numbers: Ints, rule: str) -> str:
    count = quantity(len(np.unique(numbers)), "group")
    if rule != AUTO:
        return f"{quantity(len(numbers), 'image')} are {count} by {rule}; each stays in one fold."
    return (
        f"The images look like frames of {count} (drives, films, scans) by their names; each stays in one fold, so "
        "that the comparison is for new ones. Where that is wrong: --group-by none."
    )


def crossing_note(samples: Samples, numbers: Ints) -> tuple[str, ...]:
    """A sentence where a group lies in more than one split."""
    if samples.splits is None:
        return ()
    held = samples.splits == ("test" if "test" in samples.splits else "val")
    shared = np.intersect1d(numbers[held], numbers[~held])
    if not len(shared):
        return ()
    images = int(np.isin(numbers, shared)[held].sum())
    example = samples.names[int(np.flatnonzero(held & np.isin(numbers, shared))[0])]
    lie = "lies" if len(shared) == 1 else "lie"
    return (
        f"{quantity(len(shared), 'group')} of images {lie} on both sides of the split: {images:,} of "
        f"{int(held.sum()):,} images kept apart, {example} for one; what is measured on them is flattered by that.",
    )

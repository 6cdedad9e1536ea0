"""Holds the images of one series together before anything is measured, and says so.

`hold_series` takes prepared data and returns them with series joined to their groups, so that folds and held-out parts
never separate two photographs of one thing. Where the user's data name groups, or --group-by says what belongs
together, nothing is guessed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.duplicates.near import join_groups
from headstart.data.modality import modality_of
from headstart.data.series.find import MOST_IMAGES, Series, find_series
from headstart.data.series.keys import AUTO, NONE, keys_by
from headstart.data.splits import assign_folds, held_out_rows
from headstart.errors import DataError
from headstart.pipeline.candidates import LAYERS
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import UNLABELLED, Samples

if TYPE_CHECKING:
    from headstart.data.sources.dataset import Dataset
    from headstart.pipeline.prepare import Prepared

_NEWS = 0.05
"""Of the images: where fewer than these have a sibling that was not known as their duplicate, nothing is said."""
_BACKBONES = 2


def group_by(dataset: Dataset, rule: str) -> Dataset:
    """The dataset with groups by the rule that the user named; as it is for 'auto' and 'none'.

    Raises `DataError` where the rule tells nothing of any image.
    """
    if rule in (AUTO, NONE):
        return dataset
    samples = dataset.samples
    words = keys_by(rule, samples.names, samples.items)
    numbers = np.unique([word or f"\0{row}" for row, word in enumerate(words)], return_inverse=True)[1]
    groups = numbers if samples.groups is None else join_groups(samples.groups, rows_of_groups(numbers))
    note = (
        f"{quantity(len(samples), 'image')} are {quantity(len(np.unique(numbers)), 'group')} by {rule}; folds hold "
        "each together."
    )
    return replace(dataset, samples=replace(samples, groups=groups), notes=(*dataset.notes, note))


def hold_series(prepared: Prepared, rule: str) -> Prepared:
    """The prepared data with each series in one group and a note on it; as they are where there is none."""
    if rule != AUTO or prepared.duplicates.data_groups is not None:
        return prepared
    if not modality_of(prepared.samples).squares or UNLABELLED in prepared.samples.labels:  # texts have no siblings
        return prepared
    samples, duplicates = prepared.samples, prepared.duplicates.groups
    if len(samples) > MOST_IMAGES:
        return _with_note(prepared, samples, _unsearched())
    series = find_series(*_views(prepared), samples.labels, samples.names, samples.items, prepared.alike)
    if series is None:
        return prepared
    groups = join_duplicates(series, duplicates)
    if groups is None:
        return prepared
    before = np.arange(len(samples)) if samples.groups is None else samples.groups
    whole, lone = _divisible(samples, before, join_groups(before, rows_of_groups(groups)))
    series = replace(series, groups=groups)
    note = series_note(series, len(samples))
    if whole is None:
        return _with_note(
            prepared,
            samples,
            f"{note} They could not be kept together, because too few series are left "
            "for each class: the accuracy is for more photographs of these, not for new ones.",
        )
    if lone:
        note += f" Of {join_words(lone)} all images seem to be of one thing: there they were not kept together."
    crossing = _crossing(samples, groups)
    return _with_note(prepared, replace(samples, groups=whole), note + crossing, series.count)


def join_duplicates(series: Series, duplicates: Ints) -> Ints | None:
    """Series and duplicates in one numbering (n,); None where the duplicates alone say nearly as much."""
    groups = join_groups(series.groups, rows_of_groups(duplicates))
    known, joined = np.bincount(duplicates), np.bincount(groups)
    return groups if (joined[groups] > known[duplicates]).mean() >= _NEWS else None


def rows_of_groups(numbers: Ints) -> tuple[tuple[int, ...], ...]:
    """The rows of each number that several rows have."""
    order = np.argsort(numbers, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return tuple(tuple(part.tolist()) for part in parts if len(part) > 1)


def series_note(series: Series, images: int) -> str:
    """What was found, what was done, and how to say otherwise."""
    size = series.images / max(series.count, 1)
    return (
        f"{series.images:,} of {quantity(images, 'image')} look like {quantity(series.count, 'series', 'series')} of "
        f"about {size:.0f}, one thing photographed several times: {series.sign}. Each series was kept together, so the "
        "accuracy is for new things and not for more photographs of these. Where that is wrong: --group-by none; where "
        r"you know better: a group column, --group-by folder, or a part of the name: --group-by 'name:^part\d+'."
    )


def _unsearched() -> str:
    return (
        f"Series were not looked for among more than {MOST_IMAGES:,} images: where several show one thing, name it in "
        "a group column or with --group-by."
    )


def _with_note(prepared: Prepared, samples: Samples, note: str, count: int = 0) -> Prepared:
    return replace(prepared, samples=samples, notes=(note, *prepared.notes), series=count)


def _views(prepared: Prepared) -> tuple[Floats, Floats]:
    """Several layers of the first backbones, signed square roots; and the last layer of the first."""
    pairs = list(zip(prepared.backbones, prepared.embedded, strict=True))[:_BACKBONES]
    X = np.concatenate([e.joined([tap.name for tap in b.taps[-LAYERS:]]) for b, e in pairs], axis=1)
    return np.sign(X) * np.sqrt(np.abs(X)), prepared.embedded[0].last


def _divisible(samples: Samples, before: Ints, groups: Ints) -> tuple[Ints | None, list[str]]:
    """The groups such that every class can be cross-validated, and the classes that are left as they were for it.

    None where not even then folds can be made.
    """
    fit = ~held_out_rows(samples)[0]
    lone = [
        label for label in range(len(samples.classes)) if len(np.unique(groups[fit & (samples.labels == label)])) < 2
    ]
    groups = np.where(np.isin(samples.labels, lone), before + groups.max() + 1, groups)
    groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    try:
        assign_folds(samples.labels[fit], groups[fit], classes=samples.classes)
    except DataError:
        return None, []
    return groups, [samples.classes[label] for label in lone]


def _crossing(samples: Samples, groups: Ints) -> str:
    """A sentence where a series lies in more than one split."""
    if samples.splits is None:
        return ""
    parts = len(np.unique([f"{g} {s}" for g, s in zip(groups.tolist(), samples.splits.tolist(), strict=True)]))
    crossing = parts - len(np.unique(groups))
    if not crossing:
        return ""
    return (
        f" {quantity(crossing, 'series', 'series')} lie in more than one split: what is measured on the held-out "
        "images is flattered by that."
    )

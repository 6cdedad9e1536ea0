"""Labelled images of several domains as one dataset, and which image comes from which.

`join_domains` takes datasets by the name of their domain. Every domain has the same classes, enough images for a mean
and a deviation of its own, and no image of another. Nothing is decoded here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.sources.dataset import Dataset
from headstart.errors import DataError
from headstart.records.arrays import Ints
from headstart.records.samples import Samples
from headstart.records.targets import Classes

LEAST = 30
"""Images of a domain below which its mean and deviation say too little."""


def join_domains(datasets: Mapping[str, Dataset]) -> tuple[Dataset, dict[str, str]]:
    """The images of all domains, and the content of each image → its domain.

    datasets: name of the domain → its labelled images. Raises `DataError` for a domain of fewer than 30 images, for
    domains that differ in their classes, and for an image that stands in two of them.
    """
    parts = {name: dataset.samples for name, dataset in datasets.items()}
    _check(parts)
    ignored: Counter[str] = Counter()
    for dataset in datasets.values():
        ignored.update(dataset.ignored)
    notes = tuple(dict.fromkeys(note for dataset in datasets.values() for note in dataset.notes))
    origins = {content: name for name, samples in parts.items() for content in samples.content}
    return Dataset(_join(parts), dict(ignored), notes), origins


def _check(parts: Mapping[str, Samples]) -> None:
    for name, samples in parts.items():
        if len(samples) < LEAST:
            raise DataError(
                f"a source domain needs at least {LEAST} labelled images; {name} holds {len(samples)}: add some, or "
                "leave the domain out."
            )
    for (one, first), (other, second) in combinations(parts.items(), 2):
        if different := sorted(set(first.classes) ^ set(second.classes)):
            raise DataError(
                f"the source domains {one} and {other} differ in their classes ({join_words(different)}): give every "
                "domain the same class folders."
            )
        if same := len(set(first.content) & set(second.content)):
            raise DataError(
                f"{quantity(same, 'image')} of {one} {'is' if same == 1 else 'are'} in {other} too: keep an image in "
                "one domain alone."
            )


def _join(parts: Mapping[str, Samples]) -> Samples:
    all_of = list(parts.values())
    labels = np.concatenate([samples.labels for samples in all_of])
    splits = [np.full(len(s), "train") if s.splits is None else s.splits for s in all_of]
    return Samples(
        items=tuple(item for samples in all_of for item in samples.items),
        names=tuple(f"{name}/{image}" for name, samples in parts.items() for image in samples.names),
        content=tuple(content for samples in all_of for content in samples.content),
        target=Classes(labels, all_of[0].classes),
        groups=_groups(all_of),
        splits=None if all(s.splits is None for s in all_of) else np.concatenate(splits),
    )


def _groups(parts: list[Samples]) -> Ints | None:
    """Group numbers that no two domains share."""
    if all(samples.groups is None for samples in parts):
        return None
    numbers, start = [], 0
    for samples in parts:
        groups = np.arange(len(samples)) if samples.groups is None else np.asarray(samples.groups)
        numbers.append(groups + start)
        start = int(numbers[-1].max()) + 1
    return np.concatenate(numbers).astype(np.int64)

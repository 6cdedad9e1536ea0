"""The images of the target, checked and embedded as the model's head looks at them; a few of them with labels.

`embed_target` refuses what cannot be adapted to: too few images, images that the model was trained on, labels of
classes that the model does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import join_words, quantity
from headstart.data.sources.load import load_dataset
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.embed.features import embed_parts
from headstart.errors import DataError
from headstart.pipeline.prepare import check_share
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Failure, Samples

if TYPE_CHECKING:
    from headstart.records.run import Run
    from headstart.verbs.adapt.origin import Origin

LEAST = 30
"""Images below which a mean and a deviation of the target say too little."""
MOST = 3000
"""Of a larger target so many are drawn: the graph of neighbours is quadratic."""


@dataclass(frozen=True, eq=False)
class Target:
    """The target's images. X: (m, d) what the head looks at. rows: which of them have labels, labels: their numbers."""

    samples: Samples
    X: Floats
    rows: Ints
    labels: Ints
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def embed_target(images: Any, labelled: Any, origin: Origin, run: Run, *, allow_missing: bool = False) -> Target:
    """The target. labelled: images of it with labels, or None. Raises `DataError` for what cannot be adapted to."""
    dataset = load_unlabelled(images)
    known = _labels(labelled, origin, allow_missing=allow_missing)
    notes = list(dataset.notes)
    _refuse_training_images([*dataset.samples.content, *known], origin)
    plain = dataset.samples
    if len(plain) > MOST:
        drawn = np.sort(np.random.default_rng(run.seed).permutation(len(plain))[:MOST])
        notes.append(f"Of {len(plain):,} images of the target {MOST:,} were drawn at random and looked at.")
        plain = plain.take(drawn)
    samples, number_of = _together(plain, labelled, known)
    _check_size(len(samples))
    embedded = embed_parts(samples, origin.predictor.parts, run)
    check_share(embedded.failures, len(samples), run.max_unreadable)
    _check_size(len(embedded.samples))
    rows = np.flatnonzero([content in number_of for content in embedded.samples.content]).astype(np.int64)
    labels = np.array([number_of[embedded.samples.content[row]] for row in rows], np.int64)
    if len(labels) and len(np.unique(labels)) < 2:
        raise DataError(
            f"the labelled target images are all {origin.predictor.classes[int(labels[0])]!r}: a target of one class "
            "cannot be told from a shift; label images of other classes too, or give no target labels."
        )
    return Target(embedded.samples, embedded.X, rows, labels, embedded.failures, tuple(notes))


def _labels(labelled: Any, origin: Origin, *, allow_missing: bool) -> dict[str, int]:
    """Content → class number of the model, of the labelled target images."""
    if labelled is None:
        return {}
    samples, classes = load_dataset(labelled).samples, origin.predictor.classes
    if unknown := sorted(set(samples.classes) - set(classes)):
        raise DataError(
            f"the target's labels name {join_words(unknown)}, which the model does not know (it knows "
            f"{join_words(classes)}): add the classes with 'headstart extend', or leave their images out."
        )
    missing = sorted(set(classes) - set(samples.classes))
    if missing and not allow_missing:
        raise DataError(
            f"the target's labels lack {join_words(missing)}: label images of every class, or say --allow-missing "
            "(from Python, allow_missing=True) where the target has none of them or too few."
        )
    numbers = [classes.index(samples.classes[label]) for label in samples.labels.tolist()]
    return dict(zip(samples.content, numbers, strict=True))


def _together(plain: Samples, labelled: Any, known: dict[str, int]) -> tuple[Samples, dict[str, int]]:
    """The unlabelled images, and those labelled ones that are not among them."""
    if not known:
        return plain, {}
    further = load_unlabelled(load_dataset(labelled)).samples
    further = further.take(np.array([content not in set(plain.content) for content in further.content], bool))
    both = replace(
        plain,
        items=plain.items + further.items,
        names=plain.names + further.names,
        content=plain.content + further.content,
        target=replace(plain.target, labels=np.full(len(plain) + len(further), -1, np.int64)),  # type: ignore[type-var]
        groups=None,
        splits=None,
    )
    return both, known


def _refuse_training_images(content: list[str], origin: Origin) -> None:
    trained_on = set(origin.rows.content)
    if same := sum(mark in trained_on for mark in content):
        raise DataError(
            f"{quantity(same, 'image')} of the target {'is an image' if same == 1 else 'are images'} that "
            f"{origin.name} was trained on: give images of the other domain alone."
        )


def _check_size(number: int) -> None:
    if number < LEAST:
        raise DataError(
            f"adapting needs at least {LEAST} different images of the target; found {number}: collect more (no labels "
            "needed)."
        )

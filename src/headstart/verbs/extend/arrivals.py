"""Labelled images on their way into a trained model: embedded as its head looks at them.

`embed_new_rows` takes new data, `rows_from_images` the old training images of a model that does not hold their
embeddings. Neither fits anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import join_words, quantity
from headstart.data.duplicates.known import known_duplicates
from headstart.data.duplicates.resolve import resolve_duplicates
from headstart.data.splits import divide, held_out_rows
from headstart.device import Device
from headstart.embed.features import embed_parts
from headstart.errors import BundleError, DataError
from headstart.model.rows import weight_fingerprints
from headstart.pipeline.prepare import check_share, find_duplicates
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.records.run import Run
from headstart.records.samples import UNLABELLED, Failure, Samples

if TYPE_CHECKING:
    from headstart.data.sources.dataset import Dataset
    from headstart.embed.features import Part
    from headstart.model.predictor import Predictor


@dataclass(frozen=True, eq=False)
class NewRows:
    """New rows. X: (n, d) what the head looks at. labels: (n,) numbers of `classes`. content: images' fingerprints.

    groups: (n,) or None. held_rows, held_labels: kept apart for a score at the end. contradicted: images
    that the model was trained on under another class. cached: rows that came from the cache. copy_of: for each row the
    fingerprint of an image that the model was trained on and that it nearly repeats, '' for none.
    """

    X: Floats
    labels: Ints
    content: tuple[str, ...]
    classes: tuple[str, ...]
    groups: Ints | None
    held_rows: Floats
    held_labels: Ints
    contradicted: tuple[str, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    cached: int
    copy_of: tuple[str, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """The classes that have rows."""
        return tuple(self.classes[k] for k in np.unique(self.labels))

    def numbered(self, classes: Sequence[str]) -> Ints:
        """The labels as numbers of other classes."""
        return self._as(self.labels, classes)

    def held_numbered(self, classes: Sequence[str]) -> Ints:
        """The labels of the rows kept apart, as numbers of other classes."""
        return self._as(self.held_labels, classes)

    def _as(self, labels: Ints, classes: Sequence[str]) -> Ints:
        return np.array([classes.index(self.classes[k]) for k in labels.tolist()], dtype=np.int64)


def embed_new_rows(
    new: Dataset, rows: Rows, parts: Sequence[Part], *, device: str | Device, cache: bool, max_unreadable: float
) -> NewRows:
    """Embed the new images that the model was not trained on. Raises `DataError` where there are none."""
    if (new.samples.labels == UNLABELLED).any():
        raise DataError("some of the new images have no label: give each a class.")
    samples, exact = resolve_duplicates(new.samples)
    samples, contradicted, repeat_notes = _unknown(samples, rows)
    notes = [*new.notes, *exact.other_notes, *repeat_notes]
    if not len(samples):
        raise DataError(
            f"there is nothing to add: of {quantity(len(new.samples), 'image')} none is new. {' '.join(notes)}"
        )
    run = Run(device=device, cache=cache, max_unreadable=max_unreadable)
    search = find_duplicates(samples, run)
    samples, duplicates = search.resolve()
    notes += [*duplicates.notes, *search.notes]
    arrivals = embed_parts(samples, parts, run)
    check_share(arrivals.failures, len(samples), max_unreadable)
    if arrivals.failures:
        first = arrivals.failures[0]
        notes.append(
            f"{quantity(len(arrivals.failures), 'image')} cannot be read and took no part "
            f"(the saved model lists them in unreadable.csv; the first: {first.name}: {first.reason})."
        )
    held, split_notes = held_out_rows(arrivals.samples)
    copy_of = known_duplicates(arrivals.samples, rows.content) if cache else np.full(len(held), "")
    leaking, notes = held & (copy_of != ""), [*notes, *_copied(copy_of, held)]
    fit, held_rows = arrivals.samples.take(~held), np.flatnonzero(held & ~leaking)
    if not len(fit):
        raise DataError("there is nothing to add: no new image can be read that is not in a test split.")
    result = NewRows(
        arrivals.X[~held],
        fit.labels,
        fit.content,
        fit.classes,
        fit.groups,
        arrivals.X[held_rows],
        arrivals.samples.labels[held_rows],
        contradicted,
        arrivals.failures,
        (*notes, *split_notes),
        arrivals.cached,
        tuple(copy_of[~held].tolist()),
    )
    return _checked(result, rows)


def _copied(copy_of: NDArray[np.str_], held: NDArray[np.bool_]) -> list[str]:
    """Notes on new images that nearly repeat old ones."""
    notes = []
    if count := int(((copy_of != "") & ~held).sum()):
        notes.append(
            f"Duplicates: {quantity(count, 'new image')} nearly {'repeats' if count == 1 else 'repeat'} what the model "
            "was trained on (turned, mirrored, cropped or saved anew); each stays in the fold of what it repeats."
        )
    if count := int(((copy_of != "") & held).sum()):
        notes.append(
            f"Left out: {quantity(count, 'image')} kept apart for a score that nearly "
            f"{'repeats' if count == 1 else 'repeat'} what the model was trained on."
        )
    return notes


def _unknown(samples: Samples, rows: Rows) -> tuple[Samples, tuple[str, ...], list[str]]:
    """The samples that the model was not trained on, images that it knows under another class, and notes."""
    class_of = {content: rows.classes[k] for content, k in zip(rows.content, rows.labels.tolist(), strict=True)}
    repeats = np.array([content in class_of for content in samples.content], bool)
    other = [
        i for i in np.flatnonzero(repeats) if class_of[samples.content[i]] != samples.classes[int(samples.labels[i])]
    ]
    notes = []
    if same := int(repeats.sum()) - len(other):
        notes.append(f"Left out: {quantity(same, 'image')} that the model was trained on already.")
    if other:
        name = samples.names[other[0]]
        was = class_of[samples.content[other[0]]]
        notes.append(
            f"Left out, old and new: {quantity(len(other), 'image')} that the model was trained on under another class "
            f"({name} was {was!r}): which of the two is right cannot be known."
        )
    return samples.take(~repeats), tuple({samples.content[i] for i in other}), notes


def _checked(arrivals: NewRows, rows: Rows) -> NewRows:
    """With a note for a class whose name differs from an old one's only in case or spaces; refuses strange tests."""
    held = {arrivals.classes[k] for k in arrivals.held_labels.tolist()}
    if strange := sorted(held - set(arrivals.used) - set(rows.classes)):
        raise DataError(f"the test split has the classes {join_words(strange)}, which no image is there to train on.")
    alike = {_plain(name): name for name in rows.classes}
    notes = [
        f"The new class {name!r} is nearly the model's class {alike[_plain(name)]!r} by name, and is taken for another "
        "class: if they are the same, rename it and extend the old model again."
        for name in arrivals.used
        if name not in rows.classes and _plain(name) in alike
    ]
    return replace(arrivals, notes=(*arrivals.notes, *notes))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def rows_from_images(
    old: Dataset, predictor: Predictor, manifest: Mapping[str, Any], *, device: str | Device, cache: bool
) -> tuple[Rows, tuple[str, ...]]:
    """The training rows of a model from its training images, divided as in training; and notes."""
    if set(old.samples.classes) != set(predictor.classes):
        raise DataError(
            f"the old data have the classes {join_words(old.samples.classes)} and the model knows "
            f"{join_words(predictor.classes)}: --old-data must be what the model was trained on."
        )
    run = Run(device=device, cache=cache)
    samples, _ = find_duplicates(old.samples, run).resolve()
    arrivals = embed_parts(samples, predictor.parts, run)
    try:
        training, expected = manifest["training"], manifest["data"]["fingerprint"]
        count, repeats, seed = training["folds"], training["repeats"], int(training["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the manifest is damaged ({type(error).__name__}: {error}): train the model again."
        ) from error
    division = divide(arrivals.samples, count=count, repeats=repeats, seed=seed)
    notes = division.notes
    if arrivals.samples.fingerprint() != expected:
        notes += ("The old data are not exactly the images that the model was trained on.",)
    fit, weights = arrivals.samples.take(division.fit), weight_fingerprints(predictor.parts)
    return Rows(fit.target, division.folds, division.groups, fit.content, arrivals.X[division.fit], weights), notes

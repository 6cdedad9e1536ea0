"""Whether a batch of new images comes from elsewhere than the images that a model was trained on.

`drift` takes a saved model and unlabelled images, embeds at most 1,000 of them and compares them with the training
rows in the bundle, or with images given; it returns a `BatchDrift`: the test, the answers, the pictures in order of how
foreign they are, and what to do. Nothing is trained, drawn or changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import at_least, between, quantity
from headstart.data.duplicates.near import near_groups
from headstart.data.sampling import one_per_small_group, random_rows
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.embed.features import embed_parts
from headstart.errors import DataError
from headstart.model import bundle
from headstart.model.load import load_model
from headstart.pipeline.options import MOST_SEED
from headstart.records.arrays import Floats, Ints
from headstart.records.predictions import Predictions
from headstart.records.samples import Failure, Samples
from headstart.trust.shift.batch_test import LEAST_BATCH, BatchTest
from headstart.trust.shift.batch_test import run_batch_test as compare
from headstart.verbs.drift.reference import Comparison, from_images, kept_rows

if TYPE_CHECKING:
    from headstart.embed.features import EmbeddedParts

MOST_EMBEDDED = 1000
"""More of a batch are not embedded: the test draws as many from a larger one."""
_LEAST_LEVEL = 0.001
"""The smallest p-value of 999 permutations."""


@dataclass(frozen=True)
class ClassShare:
    """A class's share of the answers, 0 to 1: among the images compared with, and in the batch."""

    name: str
    reference: float
    batch: float


@dataclass(frozen=True, eq=False)
class BatchDrift:
    """What a batch is, compared with what a model was trained on.

    found: the test; its `foreign` are row numbers of `batch`, its `typical` of `compared.pictures`. batch: the images
    that were read and compared. answers: the model's, row for row. compared: with what. failures: images that could not
    be read. images: how many new ones there were in all. model: where it lies. notes: for the user.
    """

    found: BatchTest
    batch: Samples
    answers: Predictions
    compared: Comparison
    failures: tuple[Failure, ...]
    images: int
    model: Path
    notes: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether the batch comes from elsewhere, or holds the classes in other shares."""
        return self.found.drifted

    @property
    def scores(self) -> Floats:
        """How foreign each image of the batch is to a classifier that was not trained on it: (m,), higher = more."""
        return self.found.test.foreign[self.found.compared :]

    @property
    def reference_scores(self) -> Floats:
        """The same of the images compared with: (n,)."""
        return self.found.test.foreign[: self.found.compared]

    @property
    def most_foreign(self) -> tuple[int, ...]:
        """Rows of the batch that are least like the training images, the most foreign first."""
        return tuple(self.found.foreign.tolist())

    @property
    def most_usual(self) -> tuple[int, ...]:
        """Rows of the batch that are most like the training images."""
        return tuple(np.argsort(self.scores, kind="stable")[: len(self.found.foreign)].tolist())

    def beyond(self, row: int) -> float:
        """The share of the images compared with that are less foreign than this one of the batch."""
        return float((self.reference_scores < self.scores[row]).mean())

    @property
    def shares(self) -> tuple[ClassShare, ...]:
        """How often each class is answered on either side; empty where the reference has no honest answers."""
        if self.compared.predicted is None:
            return ()
        number = len(self.answers.classes)
        sides = (self.compared.predicted, self.answers.probabilities.argmax(axis=1))
        before, now = (np.bincount(each, minlength=number) / len(each) for each in sides)
        return tuple(
            ClassShare(name, float(was), float(is_))
            for name, was, is_ in zip(self.answers.classes, before, now, strict=True)
        )

    def sentence(self) -> str:
        """What was found, for a user."""
        return self.found.sentence()

    def advice(self) -> tuple[str, ...]:
        """What to do, in sentences; what the model promised comes first."""
        if not self.found.drifted:
            return (
                "Nothing was found against using the model on this batch. A few foreign images among many are not seen "
                f"by this test, but come first on its page (here {self.batch.names[self.most_foreign[0]]}).",
            )
        void = (
            "Void for this batch: what 'headstart predict --max-error' promises of answers accepted automatically, and "
            "the score that 'headstart info' tells to expect. Send its images to review."
        )
        if self.found.mixture_only:
            return (
                void,
                "No difference was found within the classes: label a random part of the batch, and 'headstart "
                "evaluate' shows how the model does in these shares; train again on images in these shares if they are "
                "to stay.",
            )
        first = self.batch.names[self.most_foreign[0]]
        return (
            void,
            f"Label some of the most foreign images (such as {first}) and some at random, then 'headstart extend' (the "
            "head alone, in seconds) or 'headstart train' on old and new images together.",
        )

    def to_dict(self) -> dict[str, Any]:
        """What was found, as JSON-able values."""
        mixture = None if self.found.p_within is None else self.found.mixture_only
        told = {k: v for k, v in self.found.to_dict().items() if not k.startswith("most_")}
        return {
            **told,
            "only_the_shares_of_the_classes_differ": mixture,
            "auroc": self.found.test.auroc,
            "level": self.found.alarm,
            "compared_with": self.compared.words,
            "images": self.images,
            "most_foreign": [self._record(row) for row in self.most_foreign],
            "most_like_training": [self._record(row) for row in self.most_usual],
            "shares_of_answers": {
                each.name: {"reference": each.reference, "batch": each.batch} for each in self.shares
            },
            "void": ["max-error"] if self.drifted else [],
            "advice": list(self.advice()),
            "unreadable": [{"image": each.name, "reason": each.reason} for each in self.failures],
            "notes": list(self.notes),
        }

    def _record(self, row: int) -> dict[str, Any]:
        return {
            "image": self.batch.names[row],
            "class": self.answers.labels[row],
            "confidence": round(float(self.answers.confidences[row]), 6),
            "more_foreign_than": round(self.beyond(row), 6),
        }


def drift(
    model: Path | str,
    images: Any,
    *,
    reference: Any = None,
    level: float = 0.05,
    shown: int = 12,
    seed: int = 0,
    device: str = "auto",
    cache: bool = True,
) -> BatchDrift:
    """Compare a batch of new images with the images that a saved model was trained on.

    images: files, folders, globs, a table, pictures in memory, or a `Loaded`; labels are not looked at. reference:
    images to compare with instead of the training rows in the bundle (needed where it holds none, or is fine-tuned):
    what `train` takes, or images without labels. level: the p-value at or below which it is drift, the share of false
    alarms among batches that do not differ. shown: pictures named on each side. seed: of draws and permutations.
    Raises `DataError` for fewer than 10 readable images, `OptionError` where a reference is needed, `BundleError` for
    what is no model.
    """
    between("level", level, _LEAST_LEVEL, 0.5)
    at_least("shown", shown, 1)
    between("seed", seed, 0, MOST_SEED)
    predictor, saved = load_model(model), bundle.read_bundle(model)
    given = load_unlabelled(images)
    _check_size(len(given.samples), len(given.samples))
    if reference is None:
        compared = kept_rows(saved, predictor, seed=seed, cache=cache)
    else:
        compared = from_images(reference, saved, predictor, seed=seed, device=device, cache=cache)
    new, known = _new(given.samples, compared)
    batch, drawn = _drawn(new, seed)
    batch = replace(batch, groups=near_groups(batch, cache=cache))
    read = embed_parts(batch, predictor.parts, device=device, cache=cache)
    _check_size(len(read.samples), len(batch), read.failures)
    read, grouped = _ungrouped(read, seed)
    answers = Predictions(read.samples.names, predictor.classes, predictor.probabilities(read.X))
    found = _tested(compared, read, answers, level, shown, seed)
    notes = (*given.notes, *known, *drawn, *compared.notes, *grouped, *_unsaid(found, compared))
    return BatchDrift(found, read.samples, answers, compared, read.failures, len(new), Path(model), notes)


def _new(samples: Samples, compared: Comparison) -> tuple[Samples, tuple[str, ...]]:
    """The images that are not among those compared with: a picture cannot be unlike itself."""
    rows = np.array([content not in compared.content for content in samples.content], bool)
    same = len(samples) - int(rows.sum())
    if not same:
        return samples, ()
    whose = "the model was trained on" if compared.trained_on else "are in the reference"
    if rows.sum() < LEAST_BATCH:
        raise DataError(
            f"drift needs at least {LEAST_BATCH} new images in the batch; {same:,} of these {len(samples):,} {whose}: "
            "give images that came later."
        )
    return samples.take(rows), (f"Left out of the batch: {quantity(same, 'image')} that {whose}.",)


def _drawn(samples: Samples, seed: int) -> tuple[Samples, tuple[str, ...]]:
    """At most 1,000 images at random."""
    if len(samples) <= MOST_EMBEDDED:
        return samples, ()
    rows = random_rows(len(samples), MOST_EMBEDDED, seed)
    return samples.take(rows), (f"Of {len(samples):,} images {MOST_EMBEDDED:,} were drawn at random and looked at.",)


def _check_size(number: int, of: int, failures: Sequence[Failure] = ()) -> None:
    if number >= LEAST_BATCH:
        return
    found = f"{number} of {of:,} can be read ({failures[0].name}: {failures[0].reason})" if failures else f"{number}"
    raise DataError(
        f"drift needs at least {LEAST_BATCH} different images in the batch; found {found}: collect more images, and "
        "compare them together."
    )


def _ungrouped(read: EmbeddedParts, seed: int) -> tuple[EmbeddedParts, tuple[str, ...]]:
    """One image of each group where groups are small; large groups stay for the test to keep whole."""
    groups = read.samples.groups
    if groups is None:
        return read, ()
    rows: Ints | None = one_per_small_group(groups, LEAST_BATCH, seed)
    if rows is None:
        return read, ()
    left = len(groups) - len(rows)
    samples = replace(read.samples.take(rows), groups=None)
    note = (
        f"Of near copies, and of small groups, one image each is looked at; {quantity(left, 'other')} took no part.",
    )
    return replace(read, samples=samples, X=read.X[rows]), note if left else ()


def _tested(
    compared: Comparison, read: EmbeddedParts, answers: Predictions, level: float, shown: int, seed: int
) -> BatchTest:
    answered = answers.probabilities.argmax(axis=1).astype(np.int64)
    classes = None if compared.predicted is None else (compared.predicted, answered)
    groups = read.samples.groups
    return compare(compared.against, read.X, groups=groups, classes=classes, alarm=level, shown=shown, seed=seed)


def _unsaid(found: BatchTest, compared: Comparison) -> tuple[str, ...]:
    if found.p_within is not None or compared.predicted is None:
        return ()
    return ("There are large groups of images: whether only the shares of the classes differ is not tested.",)

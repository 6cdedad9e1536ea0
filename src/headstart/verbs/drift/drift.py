"""Whether a batch of new images comes from elsewhere than the images that a model was trained on.

`drift` takes a saved model and unlabelled images, embeds at most 1,000 of them and compares them with the training
rows in the bundle, or with reference images; it returns a `BatchDrift`. Nothing is trained, drawn or changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import at_least, between, quantity
from headstart.data.sampling import one_per_small_group, random_rows
from headstart.data.sources.unlabelled import load_unlabelled
from headstart.device import Device
from headstart.embed.features import EmbeddedParts, embed_parts
from headstart.errors import DataError
from headstart.model.load import load_with_bundle
from headstart.pipeline.prepare import find_duplicates
from headstart.records.predictions import Predictions
from headstart.records.run import Run
from headstart.records.samples import Failure, Samples
from headstart.trust.shift.batch_test import LEAST_BATCH, run_batch_test
from headstart.verbs.drift.reference import Comparison, compare_with_images, compare_with_training
from headstart.verbs.drift.result import BatchDrift

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

MOST_EMBEDDED = 1000
"""More of a batch are not embedded: the test draws as many from a larger one."""
_LEAST_LEVEL = 0.001
"""The smallest p-value of 999 permutations."""


def drift(
    model: Path | str | Predictor,
    images: Any,
    *,
    reference: Any = None,
    level: float = 0.05,
    shown: int = 12,
    seed: int = 0,
    device: str | Device = "auto",
    cache: bool = True,
) -> BatchDrift:
    """Compare a batch of new images with the images that a saved model was trained on.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or what `load` made of it.
    images : path, sequence of images, or dataset
        At least 10: files, folders, globs, a table, images in memory, or a `Dataset`; labels are not looked at.
    reference : path, sequence of images, or dataset, optional
        Images to compare with instead of the training rows in the bundle: what `train` takes, or images without labels.
        Needed where the bundle holds no rows, and where the model is fine-tuned.
    level : float
        The p-value, 0.001 to 0.5, at or below which it is drift: the share of false alarms among batches that do not
        differ.
    shown : int
        How many images are named on each side.
    seed : int
        Of subsamples and permutations, 0 to 2**32 - 1.
    device : str
        'auto', 'cpu', 'cuda' or 'mps'.
    cache : bool
        Keep thumbnails, embeddings and scores for the next run.

    Returns
    -------
    BatchDrift
        The test (a domain classifier's balanced accuracy with a permutation p-value), the most foreign images, the
        predicted classes' shares on either side, and what to do.

    Raises
    ------
    DataError
        For fewer than 10 readable images.
    OptionError
        Where a reference is needed, or for an option out of its range.
    BundleError
        For what is no model.

    References
    ----------
    Classifier two-sample tests: Lopez-Paz and Oquab 2017 (https://arxiv.org/abs/1610.06545).

    Examples
    --------
    ::

        result = drift("model/", "new/")
        result.drifted, result.test.p
    """
    between("level", level, _LEAST_LEVEL, 0.5)
    at_least("shown", shown, 1)
    run = Run(seed=seed, device=device, cache=cache)
    predictor, bundle = load_with_bundle(model)
    dataset = load_unlabelled(images)
    _check_size(len(dataset.samples), len(dataset.samples))
    if reference is None:
        comparison = compare_with_training(predictor, bundle, run)
    else:
        comparison = compare_with_images(reference, predictor, bundle, run)
    new, known_notes = _without_known(dataset.samples, comparison)
    batch, subsample_notes = _subsample(new, run)
    batch = replace(batch, groups=find_duplicates(batch, run).groups())
    embedded = embed_parts(batch, predictor.parts, run)
    _check_size(len(embedded.samples), len(batch), embedded.failures)
    embedded, group_notes = _one_per_group(embedded, run)
    samples = embedded.samples
    predictions = Predictions(samples.names, predictor.classes, predictor.probabilities(embedded.X))
    predicted = predictions.probabilities.argmax(axis=1).astype(np.int64)
    test = run_batch_test(
        comparison.rows,
        embedded.X,
        groups=samples.groups,
        classes=None if comparison.predicted is None else (comparison.predicted, predicted),
        level=level,
        shown=shown,
        seed=seed,
    )
    notes = (*dataset.notes, *known_notes, *subsample_notes, *comparison.notes, *group_notes)
    if test.p_within_classes is None and comparison.predicted is not None:
        notes += ("There are large groups of images: whether only the shares of the classes differ is not tested.",)
    return BatchDrift(
        test=test,
        batch=samples,
        predictions=predictions,
        comparison=comparison,
        failures=embedded.failures,
        images=len(new),
        model=bundle.folder,
        notes=notes,
    )


def _without_known(samples: Samples, comparison: Comparison) -> tuple[Samples, tuple[str, ...]]:
    """The images that are not among those compared with: an image cannot be unlike itself."""
    new = np.array([content not in comparison.content for content in samples.content], bool)
    same = len(samples) - int(new.sum())
    if not same:
        return samples, ()
    whose = "the model was trained on" if comparison.trained_on else "are in the reference"
    if new.sum() < LEAST_BATCH:
        raise DataError(
            f"drift needs at least {LEAST_BATCH} new images in the batch; {same:,} of these {len(samples):,} {whose}: "
            "give images that came later."
        )
    return samples.take(new), (f"Left out of the batch: {quantity(same, 'image')} that {whose}.",)


def _subsample(samples: Samples, run: Run) -> tuple[Samples, tuple[str, ...]]:
    """At most 1,000 images at random."""
    if len(samples) <= MOST_EMBEDDED:
        return samples, ()
    rows = random_rows(len(samples), MOST_EMBEDDED, run.seed)
    return samples.take(rows), (f"Of {len(samples):,} images {MOST_EMBEDDED:,} were drawn at random and looked at.",)


def _check_size(number: int, total: int, failures: Sequence[Failure] = ()) -> None:
    if number >= LEAST_BATCH:
        return
    images_words = (
        f"{number} of {total:,} can be read ({failures[0].name}: {failures[0].reason})" if failures else f"{number}"
    )
    raise DataError(
        f"drift needs at least {LEAST_BATCH} different images in the batch; found {images_words}: collect more images, "
        "and compare them together."
    )


def _one_per_group(embedded: EmbeddedParts, run: Run) -> tuple[EmbeddedParts, tuple[str, ...]]:
    """One image of each group where groups are small; large groups stay for the test to keep whole."""
    groups = embedded.samples.groups
    rows = None if groups is None else one_per_small_group(groups, LEAST_BATCH, run.seed)
    if rows is None:
        return embedded, ()
    further = len(embedded.samples) - len(rows)
    samples = replace(embedded.samples.take(rows), groups=None)
    note = (
        "Of near duplicates, and of small groups, one image each is looked at; "
        f"{quantity(further, 'other')} took no part."
    )
    return replace(embedded, samples=samples, X=embedded.X[rows]), (note,) if further else ()

"""How a saved model does on labelled images as a bad day would have made them: rain, night, fog, blur, noise and JPEG.

`robustness` takes a model and labelled images that it was not trained on, corrupts each in every kind and severity, and
scores the answers. Nothing is trained, and the images themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.checks import between, join_words, one_of, quantity
from headstart.data.images.decode import read_image
from headstart.data.sampling import stratified_subsample
from headstart.data.sources.load import load_dataset
from headstart.demo.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from headstart.errors import DataError, UnreadableImage
from headstart.metrics.intervals import Estimate, wilson
from headstart.metrics.probability import calibration_error
from headstart.model.load import load_with_bundle
from headstart.model.rows import training_content
from headstart.progress import bar
from headstart.records.samples import Failure

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.records.arrays import Floats, Ints
    from headstart.records.samples import Samples

CLEAN = "clean"
MOST = 200
"""Images that are drawn by default: each is embedded once a kind and severity."""
_LEAST = 10


@dataclass(frozen=True)
class Condition:
    """A corruption at a severity, and how the model does under it.

    kind: 'clean' or a name of `CORRUPTIONS`. severity: 0 for clean, else 1 to 5. accuracy: with its 95 % interval.
    calibration_error: 0 to 1. accepted: the share that the model's guarantee accepts without a person; None without
    one.
    """

    kind: str
    severity: int
    accuracy: Estimate
    calibration_error: float
    accepted: float | None


@dataclass(frozen=True, eq=False)
class Robustness:
    """All conditions, the clean images first. failures: images that could not be read. notes: for the user."""

    conditions: tuple[Condition, ...]
    images: int
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    @property
    def clean(self) -> Condition:
        """The images as they are."""
        return self.conditions[0]

    @property
    def worst(self) -> Condition:
        """The condition with the lowest accuracy."""
        return min(self.conditions, key=lambda condition: condition.accuracy.value)

    def mean(self, kind: str) -> float:
        """The mean accuracy over a kind's severities."""
        return float(np.mean([c.accuracy.value for c in self.conditions if c.kind == kind]))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "images": self.images,
            "conditions": [asdict(condition) for condition in self.conditions],
            "unreadable": [asdict(failure) for failure in self.failures],
            "notes": list(self.notes),
        }


def robustness(
    model: Any,
    data: Any,
    *,
    kinds: Sequence[str] = tuple(CORRUPTIONS),
    severities: Sequence[int] = SEVERITIES,
    most: int = MOST,
    seed: int = 0,
) -> Robustness:
    """Score a saved model on labelled images under drawn corruptions.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or what `load` made of it.
    data : path or dataset
        Labelled images that took no part in training; those that did are left out.
    kinds : sequence of str
        Of rain, night, fog, blur, noise, jpeg.
    severities : sequence of int
        Of 1 to 5.
    most : int
        How many images are drawn, every class in its share.
    seed : int
        Of what is drawn.

    Returns
    -------
    Robustness
        Accuracy, calibration error and the share accepted, a line a condition.

    Raises
    ------
    DataError
        Fewer than 10 new images, or classes that the model does not know.

    References
    ----------
    Hendrycks and Dietterich 2019 (https://arxiv.org/abs/1903.12261), with simpler corruptions.

    Examples
    --------
    ::

        headstart.robustness("model/", "test/").worst.kind
    """
    for kind in kinds:
        one_of("corruption", kind, list(CORRUPTIONS))
    for severity in severities:
        between("severity", severity, SEVERITIES[0], SEVERITIES[-1])
    between("most", most, _LEAST, 100_000)
    predictor, saved = load_with_bundle(model)
    samples, notes = _new_images(data, predictor, training_content(saved, predictor), most, seed)
    wanted = [(CLEAN, 0), *((kind, severity) for kind in kinds for severity in severities)]
    images, rows, failures = _pictures(samples)
    _check_size(len(images), len(samples) - len(images))
    numbers = np.array([predictor.classes.index(name) for name in samples.classes], np.int64)
    labels = numbers[samples.labels[rows]]
    conditions = []
    with bar("corrupting", len(wanted)) as advance:
        for kind, severity in wanted:
            conditions.append(_score(predictor, images, labels, kind, severity, seed))
            advance(1)
    return Robustness(tuple(conditions), len(labels), failures, notes)


def _new_images(
    data: Any, predictor: Predictor, trained_on: frozenset[str], most: int, seed: int
) -> tuple[Samples, tuple[str, ...]]:
    """At most so many labelled images that the model was not trained on."""
    samples = load_dataset(data).samples
    if unknown := sorted(set(samples.classes) - set(predictor.classes)):
        raise DataError(
            f"the images have the classes {join_words(unknown)}, which the model does not know (it knows "
            f"{join_words(predictor.classes)}): leave them out, or add them with 'headstart extend'."
        )
    new = np.flatnonzero([content not in trained_on for content in samples.content])
    known = len(samples) - len(new)
    _check_size(len(new), known)
    samples = samples.take(new)
    samples = samples.take(stratified_subsample(samples.labels, most, seed))
    notes = (f"Left out: {quantity(known, 'image')} that the model was trained on.",) if known else ()
    return samples, notes


def _check_size(number: int, others: int) -> None:
    if number < _LEAST:
        raise DataError(
            f"at least {_LEAST} readable labelled images are needed that the model was not trained on; found {number} "
            f"(and {others:,} that are unreadable or that it was trained on): give a test folder."
        )


def _pictures(samples: Samples) -> tuple[list[Any], Ints, tuple[Failure, ...]]:
    """The images in memory, which of the samples they are, and those that cannot be read."""
    images, rows, failures = [], [], []
    for row, item in enumerate(samples.items):
        try:
            images.append(read_image(item))
        except UnreadableImage as error:
            failures.append(Failure(row, samples.names[row], str(error)))
            continue
        rows.append(row)
    return images, np.array(rows, np.int64), tuple(failures)


def _score(predictor: Predictor, images: list[Any], labels: Ints, kind: str, severity: int, seed: int) -> Condition:
    drawn = images if kind == CLEAN else [corrupt(im, kind, severity, seed=seed + i) for i, im in enumerate(images)]
    predictions = predictor.predict(drawn)
    table: Floats = predictions.probabilities
    hits = int((table.argmax(axis=1) == labels).sum())
    low, high = wilson(hits, len(labels))
    estimate = Estimate(hits / len(labels), float(low), float(high), "accuracy", method="Wilson")
    accepted = None
    if predictor.trust is not None and predictor.trust.default_guarantee is not None:
        accepted = float(predictor.decide(predictions).accepted.mean())
    return Condition(kind, severity, estimate, calibration_error(labels, table), accepted)

"""What a saved model keeps to make promises from: labelled images with its answers to them, and its novelty score.

`TrustRecord` is arrays in and out (`to_arrays`, `from_arrays`, which trusts nothing) and three questions: `triage`,
`sets`, and the `reference` that a batch's answers are compared with. Which labelled images answer them is decided here
by their number alone, never by how well they do: held-out ones where there are enough, else out-of-fold ones. It fits
nothing and embeds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import between
from headstart.data.sampling import one_per_group
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, array_error, check_arrays
from headstart.trust.conformal import ConformalSets, conformal_sets, samples_needed
from headstart.trust.novelty import score as novelties
from headstart.trust.novelty.score import Novelty
from headstart.trust.shift import batch_test
from headstart.trust.shift.label_shift import ReferenceCounts
from headstart.trust.triage.fixed_sequence import Flags, accepted_needed, check_guarantee
from headstart.trust.triage.records import HELD_OUT, OUT_OF_FOLD, Triage
from headstart.trust.triage.thresholds import LEAST_COVERAGE, top_predictions, triage

MOST_ROWS = 20_000
MOST_BYTES = 32 << 20
"""Of the stored probabilities of out-of-fold or of held-out images."""
_ENOUGH_FOR_SETS = 5
_WHAT = "record for triage"
_SUM = 1e-3
_PARTS = ("out_of_fold", "held_out", "novelty", "watched")


@dataclass(frozen=True)
class GuaranteeRequest:
    """A promise to be made: at most `max_error` (a share) of the accepted answers wrong, with this confidence.

    per_class: for each answered class with a threshold of its own, not only for all together.
    """

    max_error: float
    confidence: float = 0.95
    per_class: bool = False

    def __post_init__(self) -> None:
        check_guarantee(self.max_error, self.confidence)
        between("confidence", self.confidence, 0.8, 0.9999)


@dataclass(frozen=True, eq=False)
class JudgedPredictions:
    """Labelled images that the model which answered had not seen.

    probabilities: (n, K), calibrated. labels: (n,) class numbers. groups: (n,) near-copies and what else belongs
    together share a number; None where all are alone. novel: (n,) which were flagged; None where novelty is not
    watched.
    """

    probabilities: Floats
    labels: Ints
    groups: Ints | None = None
    novel: Flags | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[Any]) -> JudgedPredictions:
        """The images at these positions."""
        groups = None if self.groups is None else self.groups[rows]
        novel = None if self.novel is None else self.novel[rows]
        return JudgedPredictions(self.probabilities[rows], self.labels[rows], groups, novel)

    def alone(self) -> JudgedPredictions:
        """One image of each group."""
        return self if self.groups is None else replace(self.take(one_per_group(self.groups)), groups=None)

    def to_arrays(self) -> Arrays:
        """The fields that are there, by name."""
        arrays: Arrays = {"probabilities": self.probabilities, "labels": self.labels}
        if self.groups is not None:
            arrays["groups"] = self.groups
        if self.novel is not None:
            arrays["novel"] = self.novel.astype(np.uint8)
        return arrays


@dataclass(frozen=True, eq=False)
class TrustRecord:
    """What promises are made from.

    out_of_fold: images that were trained on, answered by models that had not seen them. held_out: images that took no
    part in training, answered by the model itself; None where there are none. novelty: the score of the
    model's first backbone, None where it is not watched. asked: the promise that is made where no other is named.
    watched: embeddings that a batch of new images is compared with, None where batches are not watched.
    """

    out_of_fold: JudgedPredictions
    held_out: JudgedPredictions | None = None
    novelty: Novelty | None = None
    asked: GuaranteeRequest | None = None
    watched: batch_test.ReferenceSample | None = None

    def triage(self, asked: GuaranteeRequest, classes: Sequence[str]) -> Triage:
        """The thresholds of a promise, or the refusal of it."""
        rows, basis = self._for_triage(asked)
        predicted, confidence = top_predictions(rows.probabilities)
        found = triage(
            confidence,
            predicted,
            rows.labels,
            classes=classes,
            max_error=asked.max_error,
            confidence_level=asked.confidence,
            scope="class" if asked.per_class else "all",
            reviewed=rows.novel,
        )
        return replace(found, basis=basis)

    def sets(self, level: float, classes: Sequence[str], *, by_class: bool = False) -> ConformalSets:
        """Prediction sets that hold the true class so often. Raises `DataError` where there are too few images."""
        between("sets", level, 0.5, 0.9999)
        wanted = samples_needed(level) * (1 if by_class else _ENOUGH_FOR_SETS)
        held = None if self.held_out is None else self.held_out.alone()
        enough = held is not None and _least(held.labels, len(classes) if by_class else None) >= wanted
        rows = held if held is not None and enough else self.out_of_fold.alone()
        return conformal_sets(rows.probabilities, rows.labels, classes=classes, level=level, by_class=by_class)

    def reference(self) -> ReferenceCounts:
        """What the classes' shares were among known images, each group counted once: for the out-of-fold ones."""
        rows = self.out_of_fold.alone()
        rows = rows if rows.novel is None else rows.take(~rows.novel)
        return ReferenceCounts.of(rows.labels, rows.probabilities.argmax(axis=1), rows.probabilities.shape[1])

    def _for_triage(self, asked: GuaranteeRequest) -> tuple[JudgedPredictions, str]:
        """The labelled images that judge a promise: held out where even a third of them could carry it without an
        error (for each class: where all of a class's images could), else out of fold."""
        if self.held_out is None:
            return self.out_of_fold.alone(), OUT_OF_FOLD
        held = self.held_out.alone()
        classes = held.probabilities.shape[1]
        doubt = (1 - asked.confidence) / (classes if asked.per_class else 1)
        needed = accepted_needed(asked.max_error, 1 - doubt)
        there = _least(held.labels, classes) if asked.per_class else LEAST_COVERAGE * len(held)
        return (held, HELD_OUT) if there >= needed else (self.out_of_fold.alone(), OUT_OF_FOLD)

    def to_arrays(self) -> Arrays:
        """The arrays that `from_arrays` takes back; what is asked for, and the kind of novelty, are not among them."""
        parts = {
            "out_of_fold": self.out_of_fold,
            "held_out": self.held_out,
            "novelty": self.novelty,
            "watched": self.watched,
        }
        return {
            f"{part}.{name}": array
            for part, found in parts.items()
            if found is not None
            for name, array in found.to_arrays().items()
        }


def _least(labels: Ints, classes: int | None) -> int:
    """Images of the rarest class, or of all."""
    return len(labels) if classes is None else int(np.bincount(labels, minlength=classes).min())


def most_rows(classes: int) -> int:
    """How many labelled images are kept at most.

    >>> most_rows(2), most_rows(1000)
    (20000, 8388)
    """
    return max(1, min(MOST_ROWS, MOST_BYTES // (4 * classes)))


def evidence_from_arrays(
    arrays: Mapping[str, Any],
    *,
    classes: int,
    kind: str | None,
    taps: Mapping[str, int],
    joined: int | None = None,
    asked: GuaranteeRequest | None = None,
) -> TrustRecord:
    """A record from its saved arrays; `BundleError` where they are not what it needs.

    classes: of the model. kind: of the novelty score, None for none. taps: the layers that novelty looks at, in order,
    with their widths. joined: width of all that the head looks at, which batches are compared by; that of `taps` by
    default.
    """
    parts: dict[str, dict[str, Any]] = {name: {} for name in _PARTS}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise array_error(_WHAT, f"it holds {name!r}")
        parts[part][rest] = array
    novelty = None if kind is None else novelties.novelty_from_arrays(kind, parts["novelty"])
    if kind is None and parts["novelty"]:
        raise array_error(_WHAT, "it holds a novelty score of which the manifest says nothing")
    width = sum(taps.values())
    if novelty is not None and novelty.form.width != width:
        raise array_error("novelty score", f"it looks at {novelty.form.width} numbers, and its layers give {width}")
    novelty = None if novelty is None else replace(novelty, taps=tuple(taps))
    held_out = _answered(parts["held_out"], classes, kind) if parts["held_out"] else None
    watched = batch_test.reference_from_arrays(parts["watched"]) if parts["watched"] else None
    if watched is not None and watched.rows.shape[1] != (joined or width):
        raise array_error(
            "drift reference", f"its rows have {watched.rows.shape[1]} numbers, and the head looks at {joined}"
        )
    return TrustRecord(_answered(parts["out_of_fold"], classes, kind), held_out, novelty, asked, watched)


def _answered(arrays: Mapping[str, Any], classes: int, kind: str | None) -> JudgedPredictions:
    layout = {"probabilities": ("f4", "nK"), "labels": ("i8", "n")}
    layout |= {"groups": ("i8", "n")} if "groups" in arrays else {}
    layout |= {"novel": ("u1", "n")} if kind is not None else {}
    found = check_arrays(_WHAT, arrays, layout)
    likely, labels = found["probabilities"], found["labels"]
    if likely.shape[1] != classes or labels.min() < 0 or labels.max() >= classes:
        raise array_error(_WHAT, f"its answers are not about the model's {classes} classes")
    if likely.min() < 0 or np.abs(likely.sum(axis=1, dtype=np.float64) - 1).max() > _SUM:
        raise array_error(_WHAT, "its probabilities do not sum to 1")
    novel = found["novel"].astype(bool) if "novel" in found else None
    return JudgedPredictions(likely, labels, found.get("groups"), novel)

"""The evidence for guarantees in a saved model: predictions of labelled images by models that had not seen them.

`TrustEvidence` holds it beside the novelty score and the reference sample for shift tests; it gives `triage`,
prediction `sets`, and the `reference_counts` that a batch's class prior is compared with. Which labelled images these
rest on is decided by their number alone, never by how well they do: held-out ones where there are enough, else
out-of-fold ones. It is saved by `to_arrays` and read by `evidence_from_arrays`, which trusts nothing. Nothing is fitted
or embedded here.
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
_WHAT = "evidence for guarantees"
_SUM = 1e-3
_PARTS = {"out_of_fold": "out_of_fold", "held_out": "held_out", "novelty": "novelty", "reference_sample": "watched"}
"""Field → what its arrays' names begin with in the file."""


@dataclass(frozen=True)
class GuaranteeRequest:
    """A guarantee to be given: selective risk at most `max_error` (a share), with this confidence.

    per_class: for each predicted class with a threshold of its own, not only for all together.
    """

    max_error: float
    confidence: float = 0.95
    per_class: bool = False

    def __post_init__(self) -> None:
        check_guarantee(self.max_error, self.confidence)
        between("confidence", self.confidence, 0.8, 0.9999)


@dataclass(frozen=True, eq=False)
class JudgedPredictions:
    """Predictions of labelled images by models that had not seen them.

    probabilities: (n, K), calibrated. labels: (n,) class numbers. groups: (n,) near-duplicates and what else belongs
    together share a number; None where every image is its own group. novel: (n,) which were flagged; None where there
    is no novelty score.
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

    def one_per_group(self) -> JudgedPredictions:
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
class TrustEvidence:
    """What guarantees rest on.

    out_of_fold: training images, predicted by models that had not seen them. held_out: images that took no part in
    training, predicted by the model itself; None where there are none. novelty: the score on layers of the model's
    first backbone, None where there is none. default_guarantee: what is guaranteed where nothing else is asked for.
    reference_sample: embeddings that a batch of new images is compared with, None where batches are not tested.
    """

    out_of_fold: JudgedPredictions
    held_out: JudgedPredictions | None = None
    novelty: Novelty | None = None
    default_guarantee: GuaranteeRequest | None = None
    reference_sample: batch_test.ReferenceSample | None = None

    def triage(self, request: GuaranteeRequest, classes: Sequence[str]) -> Triage:
        """The thresholds of a guarantee, or why it is not feasible."""
        judged, basis = self._for_triage(request)
        predicted, confidence = top_predictions(judged.probabilities)
        result = triage(
            confidence,
            predicted,
            judged.labels,
            classes=classes,
            max_error=request.max_error,
            confidence_level=request.confidence,
            scope="class" if request.per_class else "all",
            reviewed=judged.novel,
        )
        return replace(result, basis=basis)

    def sets(self, level: float, classes: Sequence[str], *, by_class: bool = False) -> ConformalSets:
        """Prediction sets that hold the true class so often. Raises `DataError` where there are too few images."""
        between("sets", level, 0.5, 0.9999)
        needed = samples_needed(level) * (1 if by_class else _ENOUGH_FOR_SETS)
        held = None if self.held_out is None else self.held_out.one_per_group()
        enough = held is not None and _least(held.labels, len(classes) if by_class else None) >= needed
        judged = held if held is not None and enough else self.out_of_fold.one_per_group()
        return conformal_sets(judged.probabilities, judged.labels, classes=classes, level=level, by_class=by_class)

    def reference_counts(self) -> ReferenceCounts:
        """True and predicted classes of the out-of-fold images that are not novel, each group counted once."""
        judged = self.out_of_fold.one_per_group()
        judged = judged if judged.novel is None else judged.take(~judged.novel)
        return ReferenceCounts.of(judged.labels, judged.probabilities.argmax(axis=1), judged.probabilities.shape[1])

    def _for_triage(self, request: GuaranteeRequest) -> tuple[JudgedPredictions, str]:
        """The labelled images that a guarantee is tested on: held out where even a third of them could carry it without
        an error (for each class: where all of a class's images could), else out of fold."""
        if self.held_out is None:
            return self.out_of_fold.one_per_group(), OUT_OF_FOLD
        held = self.held_out.one_per_group()
        classes = held.probabilities.shape[1]
        alpha = (1 - request.confidence) / (classes if request.per_class else 1)  # Bonferroni
        needed = accepted_needed(request.max_error, 1 - alpha)
        available = _least(held.labels, classes) if request.per_class else LEAST_COVERAGE * len(held)
        return (held, HELD_OUT) if available >= needed else (self.out_of_fold.one_per_group(), OUT_OF_FOLD)

    def to_arrays(self) -> Arrays:
        """The arrays that `evidence_from_arrays` takes back; the default guarantee and the kind of novelty are not
        among them."""
        parts = {prefix: getattr(self, field) for field, prefix in _PARTS.items()}
        return {
            f"{prefix}.{name}": array
            for prefix, part in parts.items()
            if part is not None
            for name, array in part.to_arrays().items()
        }


def _least(labels: Ints, classes: int | None) -> int:
    """Images of the rarest class, or of all."""
    return len(labels) if classes is None else int(np.bincount(labels, minlength=classes).min())


def most_rows(classes: int) -> int:
    """How many labelled images are stored at most.

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
    default_guarantee: GuaranteeRequest | None = None,
) -> TrustEvidence:
    """The evidence from its saved arrays; `BundleError` where they are not what it needs.

    classes: of the model. kind: of the novelty score, None for none. taps: the layers that the novelty score takes, in
    order, with their widths. joined: width of all that the head takes, which batches are compared by; that of `taps` by
    default.
    """
    prefixes: dict[str, dict[str, Any]] = {prefix: {} for prefix in _PARTS.values()}
    for name, array in arrays.items():
        prefix, _, rest = name.partition(".")
        if prefix not in prefixes:
            raise array_error(_WHAT, f"it holds {name!r}")
        prefixes[prefix][rest] = array
    parts = {field: prefixes[prefix] for field, prefix in _PARTS.items()}
    novelty = None if kind is None else novelties.novelty_from_arrays(kind, parts["novelty"])
    if kind is None and parts["novelty"]:
        raise array_error(_WHAT, "it holds a novelty score of which the manifest says nothing")
    width = sum(taps.values())
    if novelty is not None and novelty.form.width != width:
        raise array_error("novelty score", f"it looks at {novelty.form.width} numbers, and its layers give {width}")
    novelty = None if novelty is None else replace(novelty, taps=tuple(taps))
    held_out = _predictions(parts["held_out"], classes, kind) if parts["held_out"] else None
    stored = parts["reference_sample"]
    reference = batch_test.reference_from_arrays(stored) if stored else None
    if reference is not None and reference.rows.shape[1] != (joined or width):
        raise array_error(
            "drift reference", f"its rows have {reference.rows.shape[1]} numbers, and the head looks at {joined}"
        )
    out_of_fold = _predictions(parts["out_of_fold"], classes, kind)
    return TrustEvidence(out_of_fold, held_out, novelty, default_guarantee, reference)


def _predictions(arrays: Mapping[str, Any], classes: int, kind: str | None) -> JudgedPredictions:
    layout = {"probabilities": ("f4", "nK"), "labels": ("i8", "n")}
    layout |= {"groups": ("i8", "n")} if "groups" in arrays else {}
    layout |= {"novel": ("u1", "n")} if kind is not None else {}
    fields = check_arrays(_WHAT, arrays, layout)
    probabilities, labels = fields["probabilities"], fields["labels"]
    if probabilities.shape[1] != classes or labels.min() < 0 or labels.max() >= classes:
        raise array_error(_WHAT, f"its predictions are not about the model's {classes} classes")
    if probabilities.min() < 0 or np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max() > _SUM:
        raise array_error(_WHAT, "its probabilities do not sum to 1")
    novel = fields["novel"].astype(bool) if "novel" in fields else None
    return JudgedPredictions(probabilities, labels, fields.get("groups"), novel)

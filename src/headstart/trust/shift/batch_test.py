"""Two-sample test of a batch of images against the training images: covariate shift and label shift.

`draw_reference` picks what a bundle must keep (a few hundred embeddings); `run_batch_test` compares a batch with it and
returns a `BatchTest`: a p-value, the balanced accuracy of a domain classifier (C2ST), and which images show the
difference best, as row numbers. It reads no images and changes no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import at_least, between, quantity
from headstart.data.sampling import random_rows
from headstart.errors import DataError
from headstart.metrics.classes import estimate_score
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Floats, Ints
from headstart.storage.arrays import Arrays, array_error, check_arrays
from headstart.trust.inputs import numbers, rows
from headstart.trust.shift.two_sample import TwoSample, two_sample

MOST_ROWS = 500
LEAST_REFERENCE = 30
LEAST_BATCH = 10
_MOST_TESTED = 1000
_LAYOUT = {"rows": ("f2", "nd"), "unit": ("f4", ""), "positions": ("i8", "n"), "groups": ("i8", "n")}


@dataclass(frozen=True, eq=False)
class ReferenceSample:
    """What a batch is compared with: a random subset of the training embeddings.

    rows: (n, d) float16, in multiples of `unit`. positions: (n,), which training rows they are. groups: (n,), equal
    numbers belong together (all different where every row is alone).
    """

    rows: NDArray[np.float16]
    unit: float
    positions: Ints
    groups: Ints

    def to_arrays(self) -> Arrays:
        """The arrays that `reference_from_arrays` takes back, by name."""
        arrays: Arrays = {"rows": self.rows, "positions": self.positions, "groups": self.groups}
        return {**arrays, "unit": np.array(self.unit, np.float32)}

    def rounded(self, X: Floats) -> Floats:
        """`X` (n, d) rounded as the reference rows are: or else a test could find the rounding."""
        most = np.float32(np.finfo(np.float16).max)
        scaled = np.clip(X / np.float32(self.unit), -most, most)
        return scaled.astype(np.float16).astype(np.float32)  # type: ignore[no-any-return]


def draw_reference(X: Any, *, groups: Ints | None = None, most: int = MOST_ROWS, seed: int = 0) -> ReferenceSample:
    """Draw a random subset of training embeddings X (n, d): at most `most` rows, whatever their class.

    Where the bundle stores all training rows, call this on them when a batch comes, and store nothing. The rows must be
    embedded as a new image would be: a network that was fine-tuned on these very images embeds them otherwise than
    new ones, and every batch would differ; use held-out rows then. Raises `DataError` below 30 rows.
    """
    at_least("most", most, LEAST_REFERENCE)
    X = rows(X, what="reference embeddings")
    if len(X) < LEAST_REFERENCE:
        raise DataError(
            f"drift needs at least {LEAST_REFERENCE} reference images to compare with; found {len(X)}: give more."
        )
    groups = np.arange(len(X)) if groups is None else numbers(groups, len(X), "groups")
    positions = random_rows(len(X), most, seed)
    # In units of the mean size, which float16 resolves best; the largest must stay below its end, 65,504.
    unit = np.float32(max(float(np.abs(X).mean()), float(np.abs(X).max()) / 60_000, 1e-30))
    return ReferenceSample((X[positions] / unit).astype(np.float16), float(unit), positions, groups[positions])


def reference_from_arrays(arrays: Mapping[str, Any]) -> ReferenceSample:
    """The reference from its saved arrays; `BundleError` where they are not what is needed."""
    fields = check_arrays("drift reference", arrays, _LAYOUT)
    sample, unit = fields["rows"], float(fields["unit"])
    if not LEAST_REFERENCE <= len(sample) <= _MOST_TESTED or not unit > 0:
        raise array_error("drift reference", f"it holds {len(sample)} rows and the unit {unit:g}")
    if len(np.unique(fields["groups"])) < 2:
        raise array_error("drift reference", "all its rows are of one group")
    return ReferenceSample(sample, unit, fields["positions"], fields["groups"])


@dataclass(frozen=True, eq=False)
class BatchTest:
    """How a batch compares with the reference.

    p: how often a batch from the same source would look this different, or more. balanced_accuracy: of the domain
    classifier, out of fold, 50 % where nothing differs. test: the two statistics behind p. batch_extremes: batch rows,
    the highest domain-classifier score first: least like the reference. reference_extremes: training rows (their
    numbers), the lowest score first: what is missing from the batch. p_within_classes: the same test within classes,
    where classes were given. level: the p-value that counts as drift. batch_size, reference_size: how many images of
    each side were compared.
    """

    p: float
    balanced_accuracy: Estimate
    test: TwoSample
    batch_extremes: Ints
    reference_extremes: Ints
    p_within_classes: float | None
    level: float
    batch_size: int
    reference_size: int

    @property
    def drifted(self) -> bool:
        """Whether the batch counts as drawn from another distribution."""
        return self.p <= self.level

    @property
    def label_shift_only(self) -> bool:
        """Whether the batch differs, but not within its classes: the class prior alone has changed."""
        return self.drifted and self.p_within_classes is not None and self.p_within_classes > self.level

    def sentence(self) -> str:
        """The result, for a user."""
        pair = f"{quantity(self.batch_size, 'image')} against {self.reference_size:,} from training"
        accuracy = f"a domain classifier reaches a balanced accuracy of {self.balanced_accuracy}, where 50 % is chance"
        if not self.drifted:
            return f"No drift found ({pair}; p = {self.p:.3f}): {accuracy}. A small batch shows large differences only."
        if self.label_shift_only:
            return (
                f"Label shift: the class prior of the batch differs from that of the training data ({pair}; "
                f"p = {self.p:.3f}); within the classes no difference was found (p = {self.p_within_classes:.3f})."
            )
        kind = "The batch" if self.p_within_classes is None else "Covariate shift: the batch"
        return f"{kind} differs from the training data ({pair}; p = {self.p:.3f}): {accuracy}."

    def to_dict(self) -> dict[str, Any]:
        """The result, JSON-able."""
        test = {"classifier": self.test.p_classifier, "mmd": self.test.p_mmd}
        return {
            "drifted": self.drifted,
            "p": self.p,
            "p_of_each_test": test,
            "p_within_classes": self.p_within_classes,
            "balanced_accuracy": self.balanced_accuracy.to_dict(),
            "mmd_squared": self.test.mmd,
            "batch": self.batch_size,
            "reference": self.reference_size,
            "batch_extremes": self.batch_extremes.tolist(),
            "reference_extremes": self.reference_extremes.tolist(),
            "sentence": self.sentence(),
        }


def run_batch_test(
    reference: ReferenceSample,
    X: Any,
    *,
    groups: Ints | None = None,
    classes: tuple[Ints, Ints] | None = None,
    level: float = 0.05,
    permutations: int = 999,
    shown: int = 12,
    seed: int = 0,
) -> BatchTest:
    """Compare a batch of embeddings X (n, d) with the reference.

    groups: (n,), batch images that belong together (one camera burst, one patient): they then count as one. classes:
    predicted class numbers of the reference rows (in the order of `reference.positions`) and of the batch; the
    reference's must be out-of-fold predictions, since a model knows its training images too well. They tell label shift
    from covariate shift; not used where there are groups. level: the p-value at or below which it is drift: the
    false-positive rate over batches that do not differ. shown: row numbers returned of each side. From large sides
    1,000 rows are drawn. Raises `DataError` for fewer than 10 images or 2 groups of them.
    """
    between("level", level, 0.0, 1.0)
    at_least("permutations", permutations, 19)
    at_least("shown", shown, 1)
    batch = rows(X, what="batch embeddings", width=reference.rows.shape[1])
    _check_size(len(batch))
    groups = np.arange(len(batch)) if groups is None else numbers(groups, len(batch), "groups")
    pool = _pool(reference, batch, groups, seed)
    _check_groups(pool)
    test = two_sample(pool.rows, pool.second, groups=pool.groups, permutations=permutations, seed=seed)
    strata = _strata(reference, len(batch), pool, classes)
    p_within_classes = None
    if strata is not None:
        p_within_classes = two_sample(
            pool.rows, pool.second, groups=pool.groups, strata=strata, permutations=permutations, seed=seed
        ).p
    batch_extremes, reference_extremes = _extremes(test.domain_scores, pool, shown)
    return BatchTest(
        p=test.p,
        balanced_accuracy=_balanced_accuracy(test, pool),
        test=test,
        batch_extremes=batch_extremes,
        reference_extremes=reference_extremes,
        p_within_classes=p_within_classes,
        level=level,
        batch_size=int(pool.second.sum()),
        reference_size=int((~pool.second).sum()),
    )


@dataclass(frozen=True, eq=False)
class _Pool:
    """Both sides under one another. origin: (n,) the row in its own side; groups: numbered over both."""

    rows: Floats
    second: NDArray[np.bool_]
    groups: Ints
    origin: Ints
    positions: Ints

    @property
    def ungrouped(self) -> bool:
        return len(np.unique(self.groups)) == len(self.groups)


def _pool(reference: ReferenceSample, batch: Floats, groups: Ints, seed: int) -> _Pool:
    random = np.random.default_rng(seed)
    first = random_rows(len(reference.rows), _MOST_TESTED, random)
    second = random_rows(len(batch), _MOST_TESTED, random)
    sides = [reference.rows[first].astype(np.float32), reference.rounded(batch[second])]
    first_groups = np.unique(reference.groups[first], return_inverse=True)[1]
    second_groups = np.unique(groups[second], return_inverse=True)[1] + first_groups.max() + 1
    return _Pool(
        rows=np.concatenate(sides),
        second=np.repeat([False, True], [len(first), len(second)]),
        groups=np.concatenate([first_groups, second_groups]).astype(np.int64),
        origin=np.concatenate([first, second]),
        positions=reference.positions,
    )


def _check_size(images: int) -> None:
    if images < LEAST_BATCH:
        raise DataError(
            f"drift needs at least {LEAST_BATCH} images in the batch; found {images}: collect more, or look at the "
            "novelty of each."
        )


def _check_groups(pool: _Pool) -> None:
    for side, name in ((pool.second, "the batch"), (~pool.second, "the reference")):
        if len(np.unique(pool.groups[side])) < 2:
            raise DataError(
                f"drift needs at least 2 groups on each side; {name} is one group: nothing can be measured."
            )


def _strata(reference: ReferenceSample, n: int, pool: _Pool, classes: tuple[Ints, Ints] | None) -> Ints | None:
    """The predicted class of each row of the pool."""
    if classes is None:
        return None
    first = numbers(classes[0], len(reference.rows), "the reference's predicted classes")
    batch = numbers(classes[1], n, "the batch's predicted classes")
    if not pool.ungrouped:
        return None
    both = np.concatenate([first[pool.origin[~pool.second]], batch[pool.origin[pool.second]]])
    return np.unique(both, return_inverse=True)[1].astype(np.int64)


def _balanced_accuracy(test: TwoSample, pool: _Pool) -> Estimate:
    """Of the domain classifier, out of fold: each fold is cut half-way between both sides' means in the other folds."""
    predicted = np.zeros(len(pool.second), np.int64)
    scores, second = test.domain_scores, pool.second
    for fold in np.unique(test.folds):
        held = test.folds == fold
        low, high = (float(scores[~held & side].mean()) for side in (~second, second))
        predicted[held] = scores[held] > (low + high) / 2
    groups = None if pool.ungrouped else pool.groups
    return estimate_score("balanced-accuracy", second.astype(np.int64), predicted, 2, groups=groups)


def _extremes(domain_scores: Floats, pool: _Pool, shown: int) -> tuple[Ints, Ints]:
    """Batch rows of the highest scores, and training rows of the lowest."""
    order = np.argsort(-domain_scores, kind="stable")
    batch = pool.origin[order[pool.second[order]]]
    first = pool.positions[pool.origin[order[~pool.second[order]]]][::-1]
    return batch[:shown].astype(np.int64), first[:shown].astype(np.int64)

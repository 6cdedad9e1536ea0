"""Does a batch of pictures come from elsewhere than the training pictures, and what is different about it?

`reference` picks what a bundle must keep (a few hundred embeddings); `drift` compares a batch with it and returns a
p-value, how well the two can be told apart, and which pictures show it best, as row numbers. It reads no pictures,
draws nothing and changes no threshold.
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
from headstart.trust.inputs import Arrays, check_layout, layout_error, numbers, rows
from headstart.trust.shift.two_sample import TwoSample, two_sample

MOST_KEPT = 500
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
        """`X` (n, d) rounded as the kept rows are: or else a test could find the rounding."""
        most = np.float32(np.finfo(np.float16).max)
        scaled = np.clip(X / np.float32(self.unit), -most, most)
        return scaled.astype(np.float16).astype(np.float32)  # type: ignore[no-any-return]


def draw_reference(X: Any, *, groups: Ints | None = None, most: int = MOST_KEPT, seed: int = 0) -> ReferenceSample:
    """Keep a random subset of training embeddings X (n, d): at most `most` rows, whatever their class.

    Where the bundle keeps all training rows, call this on them when a batch comes, and store nothing. The rows must be
    embedded as a new picture would be: a network that was fine-tuned on these very pictures sees them otherwise than
    new ones, and every batch would differ; keep held-out rows then. Raises `DataError` below 30 rows.
    """
    at_least("most", most, LEAST_REFERENCE)
    X = rows(X, what="reference embeddings")
    if len(X) < LEAST_REFERENCE:
        raise DataError(
            f"drift needs at least {LEAST_REFERENCE} reference images to compare with; found {len(X)}: give more."
        )
    groups = np.arange(len(X)) if groups is None else numbers(groups, len(X), "groups")
    kept = random_rows(len(X), most, seed)
    unit = np.float32(max(float(np.abs(X).mean()), float(np.abs(X).max()) / 60_000, 1e-30))
    return ReferenceSample((X[kept] / unit).astype(np.float16), float(unit), kept.astype(np.int64), groups[kept])


def reference_from_arrays(arrays: Mapping[str, Any]) -> ReferenceSample:
    """The reference from its saved arrays; `BundleError` where they are not what is needed."""
    found = check_layout("drift reference", arrays, _LAYOUT)
    if not LEAST_REFERENCE <= len(found["rows"]) <= _MOST_TESTED or not float(found["unit"]) > 0:
        raise layout_error(
            "drift reference", f"it holds {len(found['rows'])} rows and the unit {float(found['unit']):g}"
        )
    if len(np.unique(found["groups"])) < 2:
        raise layout_error("drift reference", "all its rows are of one group")
    return ReferenceSample(found["rows"], float(found["unit"]), found["positions"], found["groups"])


@dataclass(frozen=True, eq=False)
class BatchTest:
    """How a batch compares with the reference.

    p: how often a batch from the same source would look this different, or more. told_apart: balanced accuracy of a
    classifier, out of fold, 50 % where nothing differs. test: the two statistics behind p. foreign: batch rows, most
    unlike the reference first. typical: training rows (their numbers), most unlike the batch first: what is missing
    from it. p_within: the same test within classes, where classes were given. alarm: the p-value that counts as drift.
    batch, compared: how many images of each side were looked at.
    """

    p: float
    told_apart: Estimate
    test: TwoSample
    foreign: Ints
    typical: Ints
    p_within: float | None
    alarm: float
    batch: int
    compared: int

    @property
    def drifted(self) -> bool:
        """Whether the batch counts as coming from elsewhere."""
        return self.p <= self.alarm

    @property
    def mixture_only(self) -> bool:
        """Whether the batch differs, but not within its classes: the same kind of pictures, in other shares."""
        return self.drifted and self.p_within is not None and self.p_within > self.alarm

    def sentence(self) -> str:
        """What was found, for a user."""
        pair = f"{quantity(self.batch, 'image')} against {self.compared:,} from training"
        how = f"a classifier tells them apart in {self.told_apart} of cases, where 50 % is guessing"
        if not self.drifted:
            return f"No drift found ({pair}; p = {self.p:.3f}): {how}. A small batch shows large differences only."
        if self.mixture_only:
            return (
                f"The batch holds other shares of the classes than the training data ({pair}; p = {self.p:.3f}); "
                f"within the classes no difference was found (p = {self.p_within:.3f})."
            )
        return f"The batch differs from the training data ({pair}; p = {self.p:.3f}): {how}."

    def to_dict(self) -> dict[str, Any]:
        """What was found, JSON-able."""
        test = {"classifier": self.test.p_classifier, "mmd": self.test.p_mmd}
        return {
            "drifted": self.drifted,
            "p": self.p,
            "p_of_each_test": test,
            "p_within_classes": self.p_within,
            "told_apart": self.told_apart.to_dict(),
            "mmd_squared": self.test.mmd,
            "batch": self.batch,
            "reference": self.compared,
            "most_foreign": self.foreign.tolist(),
            "most_typical_training_rows": self.typical.tolist(),
            "sentence": self.sentence(),
        }


def run_batch_test(
    against: ReferenceSample,
    X: Any,
    *,
    groups: Ints | None = None,
    classes: tuple[Ints, Ints] | None = None,
    alarm: float = 0.05,
    permutations: int = 999,
    shown: int = 12,
    seed: int = 0,
) -> BatchTest:
    """Compare a batch of embeddings X (n, d) with the reference.

    groups: (n,), batch images that belong together (one camera burst, one patient): they then count as one.
    classes: predicted class numbers of the reference rows (in the order of `against.positions`) and of the batch;
    the reference's must be out-of-fold predictions, since a model knows its training images too well. They allow
    a changed mixture to be told from changed pictures; not used where there are groups. alarm: the p-value at or below
    which it is drift: the share of false alarms among batches that do not differ. shown: row numbers returned of each
    side. From large sides 1,000 rows are drawn. Raises `DataError` for fewer than 10 images or 2 groups of them.
    """
    between("alarm", alarm, 0.0, 1.0)
    at_least("permutations", permutations, 19)
    at_least("shown", shown, 1)
    batch = rows(X, what="batch embeddings", width=against.rows.shape[1])
    _check_size(len(batch))
    groups = np.arange(len(batch)) if groups is None else numbers(groups, len(batch), "groups")
    pool = _pool(against, batch, groups, seed)
    _check_groups(pool)
    test = two_sample(pool.rows, pool.second, groups=pool.groups, permutations=permutations, seed=seed)
    strata = _strata(against, len(batch), pool, classes)
    within = None
    if strata is not None:
        within = two_sample(
            pool.rows, pool.second, groups=pool.groups, strata=strata, permutations=permutations, seed=seed
        ).p
    ends = _ends(test.foreign, pool, shown)
    sizes = int(pool.second.sum()), int((~pool.second).sum())
    return BatchTest(test.p, _told_apart(test, pool), test, ends[0], ends[1], within, alarm, *sizes)


@dataclass(frozen=True, eq=False)
class _Pool:
    """Both sides under one another. origin: (n,) the row in its own side; groups: numbered over both."""

    rows: Floats
    second: NDArray[np.bool_]
    groups: Ints
    origin: Ints
    positions: Ints

    @property
    def alone(self) -> bool:
        return len(np.unique(self.groups)) == len(self.groups)


def _pool(against: ReferenceSample, batch: Floats, groups: Ints, seed: int) -> _Pool:
    random = np.random.default_rng(seed)
    first = random_rows(len(against.rows), _MOST_TESTED, random)
    taken = random_rows(len(batch), _MOST_TESTED, random)
    sides = [against.rows[first].astype(np.float32), against.rounded(batch[taken])]
    own = np.unique(against.groups[first], return_inverse=True)[1]
    new = np.unique(groups[taken], return_inverse=True)[1] + own.max() + 1
    second = np.repeat([False, True], [len(first), len(taken)])
    members = np.concatenate([own, new]).astype(np.int64)
    return _Pool(np.concatenate(sides), second, members, np.concatenate([first, taken]), against.positions)


def _check_size(found: int) -> None:
    if found < LEAST_BATCH:
        raise DataError(
            f"drift needs at least {LEAST_BATCH} images in the batch; found {found}: collect more, or look at the "
            "novelty of each."
        )


def _check_groups(pool: _Pool) -> None:
    for side, name in ((pool.second, "the batch"), (~pool.second, "the reference")):
        if len(np.unique(pool.groups[side])) < 2:
            raise DataError(f"drift needs at least 2 groups on each side; {name} is one group: nothing can be told.")


def _strata(against: ReferenceSample, n: int, pool: _Pool, classes: tuple[Ints, Ints] | None) -> Ints | None:
    """The predicted class of each row of the pool."""
    if classes is None:
        return None
    first = numbers(classes[0], len(against.rows), "the reference's predicted classes")
    batch = numbers(classes[1], n, "the batch's predicted classes")
    if not pool.alone:
        return None
    both = np.concatenate([first[pool.origin[~pool.second]], batch[pool.origin[pool.second]]])
    return np.unique(both, return_inverse=True)[1].astype(np.int64)


def _told_apart(test: TwoSample, pool: _Pool) -> Estimate:
    """Balanced accuracy out of fold, each fold cut half-way between the two sides' means in the other folds."""
    answer = np.zeros(len(pool.second), np.int64)
    for fold in np.unique(test.folds):
        held, second = test.folds == fold, pool.second
        low, high = (float(test.foreign[~held & side].mean()) for side in (~second, second))
        answer[held] = test.foreign[held] > (low + high) / 2
    groups = None if pool.alone else pool.groups
    return estimate_score("balanced-accuracy", pool.second.astype(np.int64), answer, 2, groups=groups)


def _ends(foreign: Floats, pool: _Pool, shown: int) -> tuple[Ints, Ints]:
    order = np.argsort(-foreign, kind="stable")
    batch = pool.origin[order[pool.second[order]]]
    first = pool.positions[pool.origin[order[~pool.second[order]]]][::-1]
    return batch[:shown].astype(np.int64), first[:shown].astype(np.int64)

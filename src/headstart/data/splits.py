"""Folds for cross-validation, stratified by class, groups never split, repeatable; and the held-out split.

`divide` sets the held-out rows apart and assigns folds to the rest; `assign_folds` gives each row its fold, for each
repeat; `check_enough` raises with the reason where data cannot be cross-validated. Own arithmetic rather than
scikit-learn's splitters, so that a seed means the same folds under every version of it, and because a row that is alone
in its group (nearly all are) can be assigned by counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from headstart.checks import at_least, join_words, quantity
from headstart.errors import DataError, OptionError
from headstart.records.arrays import Ints
from headstart.records.samples import Samples

FOLDS_OF_FINE_TUNES = 5
"""Folds where fine-tunes are compared and no number was asked for: each fold is a training run."""
_FEW_IMAGES, _SOME_IMAGES = 500, 2000
"""Below these cross-validation is repeated five and three times."""
_SMALL_CLASS = 10
_TRIES = 50
_LEAST = 2
HOLDOUT = (0.01, 0.5)
"""The least and the largest share of the images that may be kept apart."""
_MOST_PARTS = 20


def assign_folds(
    labels: Ints,
    groups: Ints | None = None,
    *,
    count: int = 5,
    repeats: int = 1,
    seed: int = 0,
    classes: Sequence[str] | None = None,
) -> Ints:
    """The fold of each row, numbered from 0: (repeats, n), another assignment for each repeat.

    labels: (n,) classes as numbers from 0.
    groups: (n,) rows with equal numbers stay in one fold; None where every row is alone.
    count: folds wanted, at least 2; there are fewer where even the largest class has fewer images (or groups).
    repeats: how many assignments, at least 1.
    seed: equal seeds give equal folds.
    classes: names, for messages.

    A class with fewer images than folds lies in some of them only, and always in two or more: making fewer folds for
    its sake would train every class on much less than the final model sees. Raises `DataError` when a class is too
    small to be cross-validated.

    >>> assign_folds(np.array([0, 0, 1, 1]), count=2).sum(axis=1)
    array([2])
    """
    at_least("folds", count, _LEAST)
    at_least("repeats", repeats, 1)
    check_enough(labels, classes, groups)
    members = np.unique(np.arange(len(labels)) if groups is None else groups, return_inverse=True)[1]
    count = min(count, int(_groups_per_class(labels, members).max()))
    return np.stack([_valid_assignment(labels, members, count, seed, repeat) for repeat in range(repeats)])


def check_enough(labels: Ints, classes: Sequence[str] | None = None, groups: Ints | None = None) -> None:
    """Raise `DataError` unless there are at least two classes, each with images in at least two groups."""
    if not len(labels) or labels.min() < 0:
        raise DataError("cross-validation needs labelled images; some or all of these have no label.")
    number = max(int(labels.max()) + 1, len(classes or ()))
    names = list(classes) if classes else [f"class {i}" for i in range(number)]
    sizes = np.bincount(labels, minlength=number)
    if number < 2:
        raise DataError(
            f"there is only one class, {names[0]!r} ({quantity(int(sizes[0]), 'image')}): at least two are "
            "needed to tell apart."
        )
    few = [f"{name} ({size})" for name, size in zip(names, sizes, strict=True) if size < _LEAST]
    if few:
        raise DataError(
            f"too few images to measure a model on: {join_words(few)}, where every class needs at least "
            f"{_LEAST}: add images, or take the class out."
        )
    if groups is not None:
        _check_groups(labels, names, groups)


def _check_groups(labels: Ints, names: Sequence[str], groups: Ints) -> None:
    alone = [name for i, name in enumerate(names) if len(np.unique(groups[labels == i])) < _LEAST]
    if alone:
        raise DataError(
            f"every image of {join_words(alone)} belongs to one group (of duplicates, or by the group column), so no "
            "model can be measured on images of it that it was not trained on: add images of another group, "
            "or take the class out."
        )


def _groups_per_class(labels: Ints, members: Ints) -> Ints:
    number = int(labels.max()) + 1
    pairs = np.unique(members * number + labels)
    return np.bincount(pairs % number, minlength=number)


def _valid_assignment(labels: Ints, members: Ints, count: int, seed: int, repeat: int) -> Ints:
    """The fold of each row, such that no fold is empty and no class lies in a single fold."""
    for attempt in range(_TRIES):
        generator = np.random.default_rng([seed, repeat, attempt])
        fold, sizes = _assign_groups(labels, members, count, generator)
        if sizes.sum(axis=1).all() and ((sizes > 0).sum(axis=0) >= _LEAST).all():
            return fold[members]
    raise DataError(
        f"the groups are too large or too mixed to make {quantity(count, 'fold')} in which every class can be "
        "measured: use smaller groups, or fewer folds."
    )


def _assign_groups(labels: Ints, members: Ints, count: int, generator: np.random.Generator) -> tuple[Ints, Ints]:
    """The fold of each group, and how many images of each class are in each fold: (count, classes).

    Groups of several images come first, the largest first, each into the fold where its classes are scarcest; then the
    images that are alone fill the classes up.
    """
    totals = np.bincount(labels)
    sizes = np.bincount(members)
    fold = np.empty(len(sizes), dtype=np.int64)
    shares = np.zeros((count, len(totals)), dtype=np.int64)
    order = generator.permutation(len(sizes))
    large = order[sizes[order] > 1]
    classes_of = _classes_of_large(labels, members, sizes)
    for group in large[np.argsort(-sizes[large], kind="stable")]:
        classes, images = np.unique(classes_of[group], return_counts=True)
        # how full each fold is of the group's classes: sum over classes of share in fold x share of the group
        crowding = shares[:, classes] @ (images / totals[classes] ** 2)
        fold[group] = best = np.lexsort((shares.sum(axis=1), crowding))[0]
        shares[best, classes] += images
    label_of = np.empty(len(sizes), dtype=np.int64)
    label_of[members] = labels
    alone = order[sizes[order] == 1]
    for label in generator.permutation(len(totals)):
        groups = alone[label_of[alone] == label]
        fold[groups] = _fill_evenly(shares, label, len(groups))
        shares[:, label] += np.bincount(fold[groups], minlength=count)
    return fold, shares


def _classes_of_large(labels: Ints, members: Ints, sizes: Ints) -> dict[int, Ints]:
    """The labels in each group of several images."""
    order = np.argsort(members, kind="stable")
    ends = np.cumsum(sizes)
    large = np.flatnonzero(sizes > 1)
    return {group: labels[order[ends[group] - sizes[group] : ends[group]]] for group in large.tolist()}


def _fill_evenly(shares: Ints, label: int, number: int) -> Ints:
    """Folds for `number` more images of a class, so that its counts become as equal as they can.

    Every fold has places 0, 1, 2, …; the lowest free places are taken, on a tie in the fold with fewer images.
    """
    count = len(shares)
    share = shares[:, label]
    places = np.repeat(share, number) + np.tile(np.arange(number), count)
    crowd = np.repeat(shares.sum(axis=1), number)
    owner = np.repeat(np.arange(count), number)
    return owner[np.lexsort((owner, crowd, places))[:number]]


@dataclass(frozen=True, eq=False)
class Division:
    """Which rows are fitted and which are held out.

    fit, held_out: row numbers. folds: (repeats, fit rows) from 0. groups: of the fit rows, None where all are alone.
    notes: sentences for the user.
    """

    fit: Ints
    held_out: Ints
    folds: Ints
    groups: Ints | None
    notes: tuple[str, ...]


def divide(samples: Samples, *, count: int | None, repeats: int | None, seed: int) -> Division:
    """Set the test split apart (or, without one, the validation split), and assign folds to the rest."""
    test_mask, notes = held_out_rows(samples)
    fit = np.flatnonzero(~test_mask)
    groups = None if samples.groups is None else samples.groups[fit]
    folds = assign_folds(
        samples.labels[fit],
        groups,
        count=count or folds_for(len(fit), len(samples.classes)),
        repeats=repeats or repeats_for(len(fit)),
        seed=seed,
        classes=samples.classes,
    )
    return Division(fit, np.flatnonzero(test_mask), folds, groups, notes)


def held_out_rows(samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    """Which rows are kept apart until the end (the test split, or else the val split), and notes of that."""
    none = np.zeros(len(samples), bool)
    if samples.splits is None:
        return none, ()
    if "test" in samples.splits:
        joined = "; the val split is cross-validated together with train" if "val" in samples.splits else ""
        return samples.splits == "test", (f"The test split is kept apart until the end{joined}.",)
    if "val" in samples.splits:
        return samples.splits == "val", ("There is no test split, so the val split is kept apart until the end.",)
    return none, ()


def hold_out(samples: Samples, share: float, *, seed: int) -> tuple[Samples, str]:
    """The samples with a test split of about this share of the images, and a sentence on it.

    Every class is in it in its share, as far as whole groups allow; no group is on both sides. Raises `OptionError`
    where the samples have a split that is kept apart already, `DataError` where too little would be left to train on.
    """
    if held_out_rows(samples)[0].any():
        raise OptionError("the data have a split that is kept apart already: leave --holdout out, or the split.")
    parts = Fraction(share).limit_denominator(_MOST_PARTS)
    if not parts:
        parts = Fraction(1, round(1 / share))
    folds = assign_folds(
        samples.labels,
        samples.groups,
        count=parts.denominator,
        repeats=_TRIES // 10,
        seed=seed,
        classes=samples.classes,
    )
    for fold in folds:
        test_mask = fold < parts.numerator
        if _can_be_fitted(samples.take(~test_mask)):
            splits = np.where(test_mask, "test", "train")
            groups = "" if samples.groups is None else ", no group or duplicate on both sides"
            part = f"{quantity(int(test_mask.sum()), 'image')} ({test_mask.mean():.0%})"
            note = f"{part} were kept apart as a test part{groups}."
            return replace(samples, splits=splits), note
    raise DataError(
        f"{share:.0%} of these images cannot be kept apart, because too few of some class would be left to train on: "
        "hold out less, or add images."
    )


def _can_be_fitted(samples: Samples) -> bool:
    try:
        check_enough(samples.labels, samples.classes, samples.groups)
    except DataError:
        return False
    return True


def folds_for(images: int, classes: int) -> int:
    """How many folds: more where classes are small, so that each model is trained on nearly all that there is.

    >>> folds_for(60, 20), folds_for(400, 4)
    (10, 5)
    """
    return 10 if images < _SMALL_CLASS * classes else 5


def repeats_for(images: int) -> int:
    """How often cross-validation is repeated: the fewer images, the more one assignment of folds matters.

    >>> [repeats_for(n) for n in (60, 800, 20_000)]
    [5, 3, 1]
    """
    return 5 if images <= _FEW_IMAGES else 3 if images <= _SOME_IMAGES else 1

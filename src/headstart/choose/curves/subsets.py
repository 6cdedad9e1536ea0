"""How well a head does with m labels per class: many small training sets are drawn, each is tested on other images.

`ladder` says which sizes, `fits_for` how many heads a size gets, `measure` draws, trains and tests, and returns
`CurvePoint`. It fits no curve and embeds nothing; how far the accuracies may be off is reckoned in
`choose.curves.errors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from headstart.choose.curves.errors import summarise_draws
from headstart.choose.curves.fit import CurvePoint
from headstart.device import threads
from headstart.progress import bar
from headstart.records.arrays import Floats, Ints


class Learner(Protocol):
    """What can be trained here: a head, or whatever behaves like one."""

    classes_: NDArray[Any]
    form_: Any
    """`form_.scores(X)` gives (m, len(classes_))."""

    def fit(self, X: Floats, y: Ints) -> Any:
        """Train."""


_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_APART = 1.1
_MOST_FITS, _LEAST_FITS = 50, 2
_LONGEST_REPEAT = 10
_WHOLE = 0.9
"""A size counts as m labels per class while so much of them can be drawn: smaller classes are then used whole."""


def ladder(most: int) -> tuple[int, ...]:
    """Numbers of labels per class to try, up to `most`, which is the last in place of a step just below it.

    >>> ladder(24), ladder(16)
    ((1, 2, 3, 5, 7, 10, 15, 20, 24), (1, 2, 3, 5, 7, 10, 16))
    """
    decades = (10**power for power in range(len(str(most))))
    steps = [int(step * decade) for decade in decades for step in _STEPS if (step * decade).is_integer()]
    return (*(step for step in steps if step * _APART <= most), most)


def largest(available: Ints) -> int:
    """The most labels per class that can be drawn, where a class that has too few is used whole.

    available: (K,) images of each class that may be drawn. At least nine tenths of the labels must be there.

    >>> largest(np.array([80, 80, 80, 60])), largest(np.array([80, 80, 8, 80]))
    (80, 13)
    """
    sizes = np.arange(1, int(available.max()) + 1)
    labels_drawn = np.minimum(available[:, None], sizes).mean(axis=0)
    return int(sizes[labels_drawn >= _WHOLE * sizes].max(initial=1))


def available(labels: Ints, folds: Ints) -> Ints:
    """(K,) images of each class in the training part that has the fewest of it. folds: (repeats, n)."""
    count = int(labels.max()) + 1
    parts = [(numbers != fold) for numbers in folds for fold in np.unique(numbers)]
    return np.asarray(np.min([np.bincount(labels[part], minlength=count) for part in parts], axis=0), np.int64)


def fits_for(seconds: float, folds: int, *, allowance: float) -> int:
    """How many heads a size gets when one takes so many seconds: whole repeats of the folds, or two heads.

    One repeat may take ten times the allowance, so that every image is tested once.

    >>> [fits_for(each, 5, allowance=2.5) for each in (0.02, 0.1, 1.2, 8.0)]
    [50, 25, 5, 2]
    """
    count = int(min(allowance / seconds, _MOST_FITS))
    if count < folds:
        return folds if folds * seconds <= _LONGEST_REPEAT * allowance else _LEAST_FITS
    return count - count % folds


def queue(labels: Ints, groups: Ints | None, held: NDArray[np.bool_], generator: np.random.Generator) -> Ints:
    """Each row's place (from 0) among those of its class, in random order; rows that are `held` stand behind all.

    The first m of each class are a draw of m labels per class, and part of every larger one. Rows of one group stand
    together, as they would be collected.
    """
    n = len(labels)
    group = np.zeros(n, np.int64) if groups is None else _shuffled(groups, generator)
    order = np.lexsort((generator.permutation(n), group, labels, held))
    place = np.full(n, n)
    free = order[: n - int(held.sum())]
    counts = np.bincount(labels[free], minlength=int(labels.max()) + 1)
    place[free] = np.arange(len(free)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _shuffled(groups: Ints, generator: np.random.Generator) -> Ints:
    _, member = np.unique(groups, return_inverse=True)
    return generator.permutation(int(member.max()) + 1)[member]


def measure(
    X: Floats,
    labels: Ints,
    folds: Ints,
    *,
    head: Callable[[], Learner],
    sizes: Sequence[int],
    fits: Sequence[int],
    groups: Ints | None = None,
    seed: int = 0,
    label: str = "learning from few labels and many",
    workers: int | None = None,
) -> CurvePoint:
    """Accuracy with `sizes` labels per class, each the mean over several draws.

    X: (n, d). labels: (n,) classes from 0. folds: (repeats, n); labels are drawn outside a fold, and what was trained
    on them is tested on the fold. fits: for each size how many folds are used, the first ones; never more at a larger
    size. head: makes an unfitted head. groups: (n,), never parted by the folds.
    workers: heads trained at a time, None for one a processor.
    """
    count, classes = int(folds.max()) + 1, int(labels.max()) + 1
    right = np.zeros((len(sizes), -(-max(fits) // count), len(labels)), np.bool_)
    tested = np.zeros_like(right)

    def one(model: int) -> None:
        """Test the heads of one fold: of every size that uses so many folds."""
        repeat, fold = divmod(model, count)
        held = folds[repeat] == fold
        place = queue(labels, groups, held, np.random.default_rng([seed, repeat, fold]))
        for i in [i for i, most in enumerate(fits) if model < most]:
            training = np.flatnonzero(place < sizes[i])
            right[i, repeat, held] = _predict(head(), X, labels, training, held) == labels[held]
            tested[i, repeat, held] = True
            advance(sizes[i] * classes)

    work = sum(size * classes * most for size, most in zip(sizes, fits, strict=True))
    with _quiet(), bar(label, work, unit="labels") as advance, ThreadPoolExecutor(workers or threads()) as pool:
        list(pool.map(one, range(max(fits))))
    return summarise_draws(np.array(sizes, np.float64), right, tested, labels, folds, groups)


@contextmanager
def _quiet() -> Iterator[None]:
    """One thread a head, and no word from scikit-learn that there are many classes for so few rows."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        yield


def _predict(head: Learner, X: Floats, labels: Ints, training: Ints, held: NDArray[np.bool_]) -> Ints:
    """The classes that a head trained on the drawn rows gives the held-out ones."""
    head.fit(X[training], labels[training])
    return np.asarray(head.classes_[head.form_.scores(X[held]).argmax(axis=1)], np.int64)

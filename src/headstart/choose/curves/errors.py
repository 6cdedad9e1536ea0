"""How far mean accuracies over many draws of labels may be off: because of the test images, and of the draws.

`summarise_draws` takes which rows were predicted rightly by which draw, and returns a `CurvePoint`. It draws nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headstart.choose.curves.fit import CurvePoint
from headstart.metrics.intervals import Reals, effective_size
from headstart.records.arrays import Ints

_MOST_SHARED = 0.9
"""Draws that share more of their images than this say too little of how draws vary."""


def summarise_draws(
    sizes: Reals,
    right: NDArray[np.bool_],
    tested: NDArray[np.bool_],
    labels: Ints,
    folds: Ints,
    groups: Ints | None = None,
) -> CurvePoint:
    """Accuracies with the errors that test images and draws bring.

    right, tested: (S, repeats, n), whether a row was predicted rightly, and whether it was asked at all.

    Two sources are added. Test images: the spread of the rows' shares of right predictions, rows of one group together,
    and never less than exact counting of that many images would have it. Draws: one number, the variance that a single
    label per class would bring, from how far heads differ beyond what their test images explain; at m labels per class
    a head brings its m-th part, and draws that share images average out only as far as they differ.
    """
    tests = tested.sum(axis=1)
    share = right.sum(axis=1) / np.maximum(tests, 1)
    images = (tests > 0).sum(axis=1)
    accuracy = (share * (tests > 0)).sum(axis=1) / images
    worth = np.array(
        [effective_size(s[a > 0], None if groups is None else groups[a > 0]) for s, a in zip(share, tests, strict=True)]
    )
    heads = np.array([_heads(t, folds) for t in tested])
    covariance = _of_images(share, tests, accuracy, groups)
    smooth = (accuracy * worth + 2) / (worth + 4)
    counting = smooth * (1 - smooth) / (worth + 4)
    lacking = np.sqrt(np.maximum(counting - covariance.diagonal(), 0.0))
    covariance = covariance + np.outer(lacking, lacking) + _of_draws(sizes, right, tested, labels, folds, heads)
    spread = np.sqrt(covariance.diagonal())
    trials = np.minimum(smooth * (1 - smooth) / covariance.diagonal(), worth)
    return CurvePoint(sizes, accuracy, trials, covariance / np.outer(spread, spread), heads, images)


def _heads(tested: NDArray[np.bool_], folds: Ints) -> int:
    """How many heads were tested. tested: (repeats, n) of one size."""
    return sum(len(np.unique(folds[r][rows])) for r, rows in enumerate(tested))


def _of_images(share: Reals, tests: NDArray[np.int64], accuracy: Reals, groups: Ints | None) -> Reals:
    """(S, S) covariance of the accuracies because other images might have been tested."""
    off = np.where(tests > 0, share - accuracy[:, None], 0.0) / (tests > 0).sum(axis=1)[:, None]
    if groups is not None:
        _, member = np.unique(groups, return_inverse=True)
        off = np.stack([np.bincount(member, weights=deviation) for deviation in off])
    n = off.shape[1]
    return np.asarray((off @ off.T) * (n / max(n - 1, 1)))


def _of_draws(
    sizes: Reals,
    right: NDArray[np.bool_],
    tested: NDArray[np.bool_],
    labels: Ints,
    folds: Ints,
    heads: NDArray[np.int64],
) -> Reals:
    """(S, S) covariance of the accuracies because other labels might have been drawn.

    With v the variance that one label per class brings, N images per class in all and J draws, the mean of J draws of m
    out of N varies by v / N + (v / m - v / N) / J; draws of m are part of those of more.
    """
    whole = float(np.bincount(labels).mean())
    one = _variance_of_one(np.minimum(sizes, whole), right, tested, folds, whole)
    larger, most = np.maximum.outer(sizes, sizes), np.maximum.outer(heads, heads)
    apart = np.maximum(1 / larger - 1 / whole, 0.0)
    return np.asarray(one * (1 / whole + apart / most))


def _variance_of_one(
    sizes: Reals, right: NDArray[np.bool_], tested: NDArray[np.bool_], folds: Ints, whole: float
) -> float:
    """The variance in accuracy that drawing one label per class brings: pooled over sizes, 0 where none is seen."""
    variance, expected = 0.0, 0.0
    for size, hits, rows_tested in zip(sizes.tolist(), right, tested, strict=True):
        repeats = int(rows_tested.all(axis=1).sum())
        if repeats < 2:
            continue
        variance += _between_heads(hits[:repeats], folds[:repeats]) / max(1 - size / whole, 1 - _MOST_SHARED)
        expected += 1 / size
    return max(variance / expected, 0.0) if expected else 0.0


def _between_heads(hits: NDArray[np.bool_], folds: Ints) -> float:
    """How much the accuracies of heads vary beyond what their test images explain. hits: (repeats, n).

    A head's mean residual from its images' own shares varies by the draw and by the rest, s² over its images; both are
    seen reduced by 1 - 1/repeats, as the shares contain the head itself.
    """
    repeats = len(hits)
    share = hits.mean(axis=0)
    rest = (share * (1 - share)).mean() * repeats / (repeats - 1)
    means, noise = [], []
    for right, numbers in zip(hits - share, folds, strict=True):
        counts = np.bincount(numbers)
        means.append(np.bincount(numbers, weights=right) / counts)
        noise.append(rest / counts)
    off = np.concatenate(means)
    spread = float((off**2).mean()) * repeats / (repeats - 1)
    return spread - float(np.concatenate(noise).mean())

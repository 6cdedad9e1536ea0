"""Average precision from matches: mAP50 and mAP50-95 as COCO has them, and their intervals by resampling images.

A precision-recall curve is made monotone and read at 101 recalls (Lin et al. 2014). mAP is no mean over images, so a
resample recomputes it: the matches are kept and each image's detections count as often as the image was drawn (a
weight), which is cumulative sums alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.boxes.matching import ClassMatches, Matches
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Ints

RECALLS = np.linspace(0, 1, 101)
RESAMPLES = 1000
FEWEST = 20
"""Objects of a class below which its figure is not to be relied on."""
_TINY = np.spacing(1)


@dataclass(frozen=True)
class Precision:
    """map50, map: over classes, at an overlap of 0.5 and over 0.5 to 0.95. per_class: the same pair a class, NaN where
    it has no object."""

    map50: float
    map: float
    per_class: tuple[tuple[float, float], ...]


def average_precision(matches: Matches, weights: NDArray[np.float64] | None = None) -> Precision:
    """mAP50 and mAP50-95. weights: (n,) how often each image counts, once by default."""
    table = np.array([_by_threshold(part, weights) for part in matches.classes]).reshape(len(matches.names), -1)
    pairs = tuple((float(row[0]), float(row.mean())) for row in table)
    known = [pair for pair in pairs if not np.isnan(pair[0])]
    means = np.mean(known, axis=0) if known else (float("nan"), float("nan"))
    return Precision(float(means[0]), float(means[1]), pairs)


def _by_threshold(part: ClassMatches, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """(10,) the average precision of one class at each threshold; NaN where it has no object."""
    counts = np.ones(len(part.objects)) if weights is None else weights
    total = float(counts @ part.objects)
    if total == 0:
        return np.full(len(part.hit), np.nan)
    weight = counts[part.image]
    right = np.cumsum(part.hit * weight, axis=1)
    wrong = np.cumsum(~(part.hit | part.ignored) * weight, axis=1)
    precision = right / (right + wrong + _TINY)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.array([_area(r / total, p) for r, p in zip(right, precision, strict=True)])


def _area(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """The mean of the precision at 101 recalls; 0 at recalls that are never reached."""
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[place].mean())


@dataclass(frozen=True)
class PrecisionEstimates:
    """mAP50 and mAP50-95 with intervals. per_class: the same pair of numbers a class. objects: labelled, a class."""

    map50: Estimate
    map: Estimate
    per_class: tuple[tuple[float, float], ...]
    objects: tuple[int, ...]


def resample_weights(images: int, groups: Ints | None, resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, n) how often each image is drawn; images of a group are drawn together."""
    random = np.random.default_rng(seed)
    members = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(members.max()) + 1 if images else 0
    draws = random.multinomial(count, np.full(count, 1 / count), size=resamples) if count else np.zeros((resamples, 0))
    return np.asarray(draws[:, members], np.float64)


def estimate_precision(
    matches: Matches,
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PrecisionEstimates:
    """mAP50 and mAP50-95 with percentile intervals over resampled images (Efron 1979), the matches kept."""
    value = average_precision(matches)
    weights = resample_weights(matches.images, groups, resamples, seed)
    draws = precision_of_resamples(matches, weights)
    ends = np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    objects = tuple(int(part.objects.sum()) for part in matches.classes)
    method = f"{resamples:,} resamples of the images"
    names = ("mAP50", "mAP50-95")
    estimates = [
        Estimate(v, min(v, low), max(v, high), name, confidence, method)
        for v, low, high, name in zip((value.map50, value.map), *ends.tolist(), names, strict=True)
    ]
    return PrecisionEstimates(estimates[0], estimates[1], value.per_class, objects)


def precision_of_resamples(matches: Matches, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(resamples, 2) mAP50 and mAP50-95 under each row of weights, classes without an object in it left out."""
    sums = np.zeros((len(weights), 2))
    known = np.zeros(len(weights))
    for part in matches.classes:
        for row, weight in enumerate(weights):
            values = _by_threshold(part, weight)
            if not np.isnan(values[0]):
                sums[row] += values[0], values.mean()
                known[row] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / np.where(known, known, np.nan)[:, None])

"""Mean IoU and Dice of class maps, from one table of pixel counts an image; both are `Metric`s.

A row is an image, its prediction a (K, K) table: how many pixels of each true class (rows) were called each class
(columns). Void pixels are in none.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.boxes.average_precision import resample_weights
from headstart.metrics.intervals import Estimate
from headstart.metrics.metric import Metric, PredictionArray
from headstart.records.arrays import Floats, Ints
from headstart.records.masks import ClassMap, Masks

Tables = NDArray[np.int64]


def pixel_table(truth: ClassMap, prediction: ClassMap, classes: int) -> Tables:
    """(K, K) pixels of each true class (rows) that were called each class (columns).

    >>> pixel_table(np.array([[0, 1, -1]], np.int16), np.array([[0, 0, 1]], np.int16), 2).tolist()
    [[1, 0], [1, 0]]
    """
    labelled = truth >= 0
    places = truth[labelled].astype(np.int64) * classes + prediction[labelled]
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def _right(target: Masks, predictions: PredictionArray) -> Floats:
    """(n, configurations) pixels called rightly, over repeats; predictions: (configurations, repeats, n, K, K)."""
    return np.asarray(np.trace(predictions, axis1=-2, axis2=-1).sum(axis=1).T, np.float32)


def _parts(
    target: Masks, predictions: PredictionArray, right: Floats, *, dice: bool
) -> Iterator[tuple[Floats, Floats]]:
    """A share a class: IoU = hits / (true + called - hits); Dice = 2 hits / (true + called)."""
    for k in range(len(target.names)):
        hits = predictions[..., k, k].sum(axis=1).T.astype(np.float64)
        both = (predictions[..., k, :].sum(axis=-1) + predictions[..., :, k].sum(axis=-1)).sum(axis=1).T
        yield (2 * hits, both) if dice else (hits, both - hits)


def _members(target: Masks) -> list[NDArray[np.bool_]]:
    return [target.pixels[:, k] > 0 for k in range(len(target.names))]


MEAN_IOU = Metric("mIoU", _right, partial(_parts, dice=False), _members)
DICE = Metric("dice", _right, partial(_parts, dice=True), _members)


def shares_by_class(tables: Tables, *, dice: bool = False) -> NDArray[np.float64]:
    """(K,) IoU or Dice of each class from tables (n, K, K); NaN where nobody has or says it."""
    total = tables.sum(axis=0)
    hits, both = np.diag(total).astype(np.float64), total.sum(axis=0) + total.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((2 * hits / both) if dice else hits / (both - hits))


def estimate_masks(
    tables: Tables,
    *,
    groups: Ints | None = None,
    dice: bool = False,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Mean IoU (or Dice) with a percentile interval over resampled images, or groups of them."""
    value = float(np.nanmean(shares_by_class(tables, dice=dice)))
    weights = resample_weights(len(tables), groups, resamples, seed)
    totals = np.einsum("rn,nij->rij", weights, tables.astype(np.float64), optimize=True)
    draws = [np.nanmean(shares_by_class(total[None], dice=dice)) for total in totals]
    low, high = np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    what = "images" if groups is None else "groups of images"
    method = f"{resamples:,} resamples of the {what}"
    return Estimate(value, min(value, low), max(value, high), "Dice" if dice else "mIoU", confidence, method)

"""How tightly images lie together within their classes, against what independent images of that spread would do.

`spread_out` takes embeddings and labels and gives directions from the class's mean; `closeness` says how far an image
and its nearest neighbour share their neighbours, as photographs of one thing do; `chance_directions` draws directions
of the same spectrum without any series, with which both are compared. Nothing is decided here.
"""

from __future__ import annotations

import numpy as np

from headstart.records.arrays import Floats, Ints

_COMPONENTS = 256
_COUNTS = (2, 3, 5)
"""Neighbours that are compared: of a series of three, four and six images those are the siblings."""
_DRAWS = 2
_BLOCK = 1024


def spread_out(X: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Unit vectors (n, r) from each image's class mean, in principal components, and the r singular values.

    Without the class means, two images are near each other only for what they share beyond their class. X: (n, d).
    """
    from sklearn.utils.extmath import randomized_svd

    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-6)
    Z = _about_class_means(Z, labels).astype(np.float32)
    count = min(_COMPONENTS, len(Z) - 1, Z.shape[1])
    U, values, _ = randomized_svd(Z, n_components=count, random_state=0)
    present = values > 1e-4 * max(float(values[0]), 1e-9)
    return _unit(U[:, present] * values[present]), values[present]


def chance_directions(values: Floats, labels: Ints, seed: int) -> Floats:
    """Unit vectors (n, r) of random images with these singular values: no two have anything in common."""
    random = np.random.default_rng(seed).standard_normal((len(labels), len(values))).astype(np.float32)
    return _unit(_about_class_means(random, labels) * values)


def nearest(F: Floats, count: int) -> tuple[Ints, Floats]:
    """The `count` nearest rows of each row of unit vectors, nearest first, and their cosines: both (n, count)."""
    rows, cosines = [], []
    for start in range(0, len(F), _BLOCK):
        similar = F[start : start + _BLOCK] @ F.T
        similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = -2
        order = np.argsort(-similar, axis=1, kind="stable")[:, :count]
        rows.append(order)
        cosines.append(np.take_along_axis(similar, order, axis=1))
    return np.concatenate(rows).astype(np.int64), np.concatenate(cosines)


def closeness(F: Floats) -> float:
    """How far a row's neighbours are its nearest neighbour's neighbours too: 1 in perfect series, about 0 elsewhere.

    The mean over 2, 3 and 5 neighbours of (|A ∩ B| - 2) / (k - 1), where A and B are the row and its nearest one, each
    with its k neighbours: two of them are the pair itself.
    """
    rows, _ = nearest(F, max(_COUNTS))
    own = np.arange(len(F))[:, None]
    shares = []
    for count in _COUNTS:
        around = np.concatenate([own, rows[:, :count]], axis=1)
        common = (around[:, :, None] == around[rows[:, 0]][:, None, :]).sum(axis=(1, 2))
        shares.append(float((common - 2).mean()) / (count - 1))
    return float(np.mean(shares))


def excess_closeness(X: Floats, labels: Ints) -> float:
    """How much closer images lie in twos to sixes than independent ones of the same spread: about 0 to 1."""
    F, values = spread_out(X, labels)
    chance = [closeness(chance_directions(values, labels, seed)) for seed in range(_DRAWS)]
    return closeness(F) - float(np.mean(chance))


def chance_likeness(values: Floats, labels: Ints) -> float:
    """The cosine that half of all independent images reach with their nearest one."""
    _, cosines = nearest(chance_directions(values, labels, 0), 1)
    return float(np.median(cosines))


def _about_class_means(Z: Floats, labels: Ints) -> Floats:
    means = np.zeros((int(labels.max()) + 1, Z.shape[1]), Z.dtype)
    np.add.at(means, labels, Z)
    means /= np.maximum(np.bincount(labels, minlength=len(means)), 1)[:, None]
    centred: Floats = Z - means[labels]
    return centred


def _unit(rows: Floats) -> Floats:
    length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    unit: Floats = (rows / length).astype(np.float32)
    return unit

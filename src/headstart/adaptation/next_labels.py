"""Which images of the target to label first: unsure ones, spread over all kinds of images.

Clustering weighted by uncertainty (CLUE, Prabhu et al. 2021, https://arxiv.org/abs/2010.08666): k-means on the target's
rows where an image weighs as much as its answer's entropy, then the image nearest each centre. Seven chosen so were
worth fourteen drawn at random (docs/evidence/adapt.md).
"""

from __future__ import annotations

import numpy as np

from headstart.adaptation.domains import Tables
from headstart.records.arrays import Floats, Ints


def next_labels(rows: Floats, table: Tables, count: int, *, seed: int = 0) -> Ints:
    """At most `count` different rows, those of the heaviest clusters first. rows: (m, r). table: (m, K)."""
    from sklearn.cluster import KMeans

    count = min(count, len(rows))
    entropy = -(table * np.log(np.maximum(table, 1e-12))).sum(axis=1) + 1e-6
    clusters = KMeans(count, n_init=3, random_state=seed).fit(rows, sample_weight=entropy)
    away = np.linalg.norm(rows - clusters.cluster_centers_[clusters.labels_], axis=1)
    order = np.argsort(away, kind="stable")
    _, first = np.unique(clusters.labels_[order], return_index=True)
    chosen = order[first]
    mass = np.bincount(clusters.labels_, weights=entropy, minlength=count)[clusters.labels_[chosen]]
    return chosen[np.argsort(-mass, kind="stable")].astype(np.int64)

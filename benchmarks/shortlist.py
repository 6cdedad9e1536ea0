"""Which cheap score picks backbones best? LogME, H-score and nearest neighbours against the probe's accuracy.

    python benchmarks/shortlist.py [--data FOLDER] [--rows 400] [--sets trashnet,corn_leaf,…]

Without a network there are few backbones to rank, so layers stand in for them: the last five taps of both packaged
networks, and the last layer of the same networks with random weights (which needs headstart[finetune]); 12 in all. For
each set up to `--rows` images are drawn. Prints a Markdown table, the mean over sets: Spearman's correlation of a score
with the out-of-fold accuracy of the probe, and by how many points the best of its first one and first three picks falls
short of the best of all (and the worst set's).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from common import SETS, arguments, heading, row, samples_of, words
from headstart.backbones.opening import open_backbone
from headstart.choose.transferability import h_score, logme
from headstart.data.sampling import random_rows
from headstart.data.splits import assign_folds
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.heads.catalog import make_head
from headstart.metrics.classes import score
from headstart.pipeline.candidates import LAYERS
from headstart.pipeline.shortlist import by_mean_rank
from headstart.records.arrays import Floats, Ints
from headstart.records.samples import Samples

TRAINED = ("efficientnet_lite0", "efficientnet_lite2")
RANDOM = tuple(f"random:{name}" for name in TRAINED)
SCORES = ("LogME", "H-score", "kNN", "LogME and kNN", "all three")
PARTS = {"LogME and kNN": ("LogME", "kNN"), "all three": ("LogME", "H-score", "kNN")}


def layers(samples: Samples) -> list[Floats]:
    """The features that stand in for backbones."""
    features: list[Floats] = []
    for name in (*TRAINED, *RANDOM):
        backbone = open_backbone(name)
        taps = embed(samples.items, backbone, content=samples.content, cache=open_cache(backbone)).taps
        features += list(taps.values())[-LAYERS if name in TRAINED else -1 :]
    return features


def out_of_fold(head: str, X: Floats, y: Ints) -> float:
    """The head's accuracy with its best hyper-parameters."""
    path = make_head(head).path_scores(X, y, assign_folds(y, count=5))
    return max(score("accuracy", y, scores.argmax(axis=-1), int(y.max()) + 1) for scores in path.scores)


def measure(samples: Samples, rows: int) -> dict[str, tuple[float, ...]]:
    """For each score: its correlation with the probe, and what its first one and three picks lack, in points."""
    samples = samples.take(random_rows(len(samples), rows, 1))
    labels = np.unique(samples.labels, return_inverse=True)[1].astype(np.int64)
    pool = layers(samples)
    truth = np.array([out_of_fold("probe", X, labels) for X in pool])
    values = {
        "LogME": np.array([logme(X, labels) for X in pool]),
        "H-score": np.array([h_score(X, labels) for X in pool]),
        "kNN": np.array([out_of_fold("knn", X, labels) for X in pool]),
    }
    results = {}
    for name in SCORES:
        order = by_mean_rank(np.stack([values[part] for part in PARTS.get(name, (name,))]))
        places = np.empty(len(order))
        places[order] = -np.arange(len(order))
        lacks = [100 * (truth.max() - truth[order[:picks]].max()) for picks in (1, 3)]
        results[name] = (float(spearmanr(places, truth)[0]), *map(float, lacks))
    return results


def main() -> None:
    """Measure every set, print the means."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--sets", type=words, default=SETS)
    options = parser.parse_args()
    results = [measure(samples_of(name, options.data), options.rows) for name in options.sets]
    print(heading("score", "correlation", "lacks, first pick", "lacks, first three", "worst set"))
    for name in SCORES:
        table = np.array([each[name] for each in results])
        correlation, one, three = table.mean(axis=0)
        print(row(name, f"{correlation:.2f}", f"{one:.2f}", f"{three:.2f}", f"{table[:, 2].max():.1f}"))


if __name__ == "__main__":
    main()

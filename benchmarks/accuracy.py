"""Accuracy per data set: what Headstart picks from few labels, what it estimates, and what is true.

    python benchmarks/accuracy.py [--data FOLDER] [--shots 20] [--draws 3] [--sets trashnet,corn_leaf,…]
                                  [--ways frozen,auto] [--budget 300]

For each set (a folder of class folders under --data, default HEADSTART_TEST_DATA or ../shared/data; and the solar
cells of elpv-dataset) it draws `--shots` images per class, trains, and tests on up to 60 other images per class, none
of which is a duplicate, exact or near, of a training image. `--ways`: `frozen` (the default here) compares heads alone,
`auto` is the race with fine-tunes within `--budget` seconds. Beside them, on the same draw: the plain way,
scikit-learn's LogisticRegression() on the default backbone's last layer, and the pooled ridge, what a person who knows
the field would always take: ridge with leave-one-out strength on the square-rooted last five layers of both packaged
backbones. Prints a Markdown table: means over draws of all accuracies and of the estimates that Headstart printed, in
how many draws their 95 % intervals held the truth, and the calibration error of the probabilities (15 equal bins).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from common import SETS, arguments, heading, missing, row, samples_of, words
from headstart.backbones.opening import open_backbone
from headstart.data.duplicates.near import near_groups
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.heads.catalog import make_head
from headstart.metrics.probability import calibration_error
from headstart.pipeline.options import Options
from headstart.records.samples import Samples
from headstart.verbs.train.train import train

MOST_TESTED = 60
FROZEN = "frozen"


def draw(samples: Samples, groups: np.ndarray, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on (`shots` a class) and rows to test on, of other groups: (n,) duplicates share a number."""
    generator = np.random.default_rng(seed)
    chosen, rest = [], []
    for label in range(len(samples.classes)):
        rows = generator.permutation(np.flatnonzero(samples.labels == label))
        cut = min(shots, len(rows) // 2)
        chosen += rows[:cut].tolist()
        left = rows[cut:]
        rest += left[~np.isin(groups[left], groups[rows[:cut]])][:MOST_TESTED].tolist()
    return np.array(chosen), np.array(rest)[~np.isin(groups[rest], groups[chosen])]


def plain_accuracy(samples: Samples, chosen: np.ndarray, rest: np.ndarray) -> float:
    """scikit-learn's defaults on the last layer: what a tutorial's feature extraction does."""
    backbone = open_backbone("efficientnet_lite0")
    X = embed(samples.items, backbone, content=samples.content, cache=open_cache(backbone)).last
    scale = StandardScaler().fit(X[chosen])
    head = LogisticRegression(max_iter=1000).fit(scale.transform(X[chosen]), samples.labels[chosen])
    return float(head.score(scale.transform(X[rest]), samples.labels[rest]))


def pooled_ridge_accuracy(samples: Samples, chosen: np.ndarray, rest: np.ndarray) -> float:
    """Ridge on several layers of both backbones, signed square root, its strength by leave-one-out."""
    tables = []
    for backbone in map(open_backbone, ("efficientnet_lite0", "efficientnet_lite2")):
        table = embed(samples.items, backbone, content=samples.content, cache=open_cache(backbone))
        tables.append(table.joined([tap.name for tap in backbone.taps[-5:]]))
    X = np.concatenate(tables, axis=1)
    return float(
        make_head("ridge", signed_sqrt=True).fit(X[chosen], samples.labels[chosen]).score(X[rest], samples.labels[rest])
    )


@dataclass
class Way:
    """What one way of training came to, draw by draw."""

    truth: list[float] = field(default_factory=list)
    estimates: list[float] = field(default_factory=list)
    held: int = 0
    errors: list[float] = field(default_factory=list)
    picks: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """Its part of a line: true accuracy, estimate, intervals that held, what was chosen most often."""
        pick = max(set(self.picks), key=self.picks.count)
        means = f"**{np.mean(self.truth):.3f}**", f"{np.mean(self.estimates):.3f}"
        held, error = f"{self.held} of {len(self.truth)}", f"{np.mean(self.errors):.3f}"
        return (*means, held, error, pick.replace("efficientnet_", "").replace(" layers", ""))


def try_way(part: Samples, tested: Samples, way: Way, training: Options) -> None:
    """Train on one draw, and note how it does."""
    trained = train(list(part.items), [part.classes[i] for i in part.labels], options=training)
    predictions = trained.predictor.predict(tested.items, cache=True)
    right = np.array([a == tested.classes[i] for a, i in zip(predictions.labels, tested.labels, strict=True)])
    truth = float(right.mean())
    way.truth.append(truth)
    way.errors.append(calibration_error(tested.labels, predictions.probabilities))
    way.estimates.append(trained.estimate.value)
    way.held += trained.estimate.low <= truth <= trained.estimate.high
    way.picks.append(trained.chosen)


def measure(name: str, options: argparse.Namespace) -> str:
    """One line of the table."""
    samples = samples_of(name, options.data)
    groups = near_groups(samples)
    plain, pooled, ways = [], [], {word: Way() for word in options.ways}
    for seed in range(options.first, options.first + options.draws):
        chosen, rest = draw(samples, groups, options.shots, seed)
        plain.append(plain_accuracy(samples, chosen, rest))
        pooled.append(pooled_ridge_accuracy(samples, chosen, rest))
        for word, way in ways.items():
            more = {"strategies": ()} if word == FROZEN else {"budget": options.budget}
            try_way(samples.take(chosen), samples.take(rest), way, Options(seed=seed, **more))
    cells = [cell for way in ways.values() for cell in way.cells()]
    return row(name, len(samples.classes), f"{np.mean(plain):.3f}", f"{np.mean(pooled):.3f}", *cells)


def main() -> None:
    """Parse the options and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--ways", type=words, default=[FROZEN], help=f"{FROZEN}, auto or both")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds, for auto")
    parser.add_argument("--sets", type=words, default=SETS)
    options = parser.parse_args()
    print(f"{options.shots} labels per class, {options.draws} draws, at most {MOST_TESTED} test images per class\n")
    titles = [
        f"{way}: {title}"
        for way in options.ways
        for title in ("true", "its estimate", "interval held", "cal. error", "chosen")
    ]
    print(heading("set", "classes", "plain probe", "pooled ridge", *titles))
    for name in options.sets:
        reason = missing(name, options.data)
        print(row(name, f"skipped: {reason}") if reason else measure(name, options), flush=True)


if __name__ == "__main__":
    main()

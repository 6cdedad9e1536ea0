"""Accuracy per data set: what Headstart picks from few labels, what it promises, and what is true.

    python benchmarks/accuracy.py [--data FOLDER] [--shots 20] [--draws 3] [--sets trashnet,corn_leaf,…]

For each set (a folder of class folders under --data, default HEADSTART_TEST_DATA or ../shared/data; and the solar
cells of elpv-dataset) it draws `--shots` images per class, trains with the defaults, and tests on up to 60 other images
per class that share no content with the training images. Beside it, on the same draw: the plain way, scikit-learn's
LogisticRegression() on the default backbone's last layer. Prints a Markdown table: the mean over draws of both
accuracies, of the estimate that Headstart printed, and in how many draws its 95 % interval held the truth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from common import SETS, arguments, heading, missing, row, samples_of, words
from headstart.backbones.graph import open_backbone
from headstart.embed.cache import open_cache
from headstart.embed.extract import embed
from headstart.records import Samples
from headstart.tasks.classify import train
from headstart.tasks.options import Options

MOST_TESTED = 60


def draw(samples: Samples, shots: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on (`shots` a class) and rows to test on, which share no content with them."""
    generator = np.random.default_rng(seed)
    content = np.array(samples.content)
    chosen, rest = [], []
    for label in range(len(samples.classes)):
        rows = generator.permutation(np.flatnonzero(samples.labels == label))
        cut = min(shots, len(rows) // 2)
        chosen += rows[:cut].tolist()
        rest += rows[cut : cut + MOST_TESTED].tolist()
    rest_rows = np.array(rest)
    return np.array(chosen), rest_rows[~np.isin(content[rest_rows], content[chosen])]


def plain_accuracy(samples: Samples, chosen: np.ndarray, rest: np.ndarray) -> float:
    """scikit-learn's defaults on the last layer: what a tutorial's feature extraction does."""
    backbone = open_backbone("efficientnet_lite0")
    X = embed(samples.images, backbone, content=samples.content, cache=open_cache(backbone)).last
    scale = StandardScaler().fit(X[chosen])
    head = LogisticRegression(max_iter=1000).fit(scale.transform(X[chosen]), samples.labels[chosen])
    return float(head.score(scale.transform(X[rest]), samples.labels[rest]))


def measure(name: str, root: Path, shots: int, draws: int) -> str:
    """One line of the table."""
    samples = samples_of(name, root)
    plain, ours, promised, held, picks = [], [], [], 0, []
    for seed in range(draws):
        chosen, rest = draw(samples, shots, seed)
        plain.append(plain_accuracy(samples, chosen, rest))
        part = samples.take(chosen)
        trained = train(list(part.images), [samples.classes[i] for i in part.labels], options=Options(seed=seed))
        tested = samples.take(rest)
        answers = trained.predictor.predict(tested.images, cache=open_cache)
        truth = float(np.mean([a == samples.classes[i] for a, i in zip(answers.labels, tested.labels, strict=True)]))
        ours.append(truth)
        promised.append(trained.estimate.value)
        held += trained.estimate.low <= truth <= trained.estimate.high
        picks.append(trained.chosen)
    means = (f"{np.mean(plain):.3f}", f"**{np.mean(ours):.3f}**", f"{np.mean(promised):.3f}")
    return row(name, len(samples.classes), *means, f"{held} of {draws}", max(set(picks), key=picks.count))


def main() -> None:
    """Parse the options and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sets", type=words, default=SETS)
    given = parser.parse_args()
    print(f"{given.shots} labels per class, {given.draws} draws, at most {MOST_TESTED} test images per class\n")
    titles = ("plain probe", "Headstart", "its estimate", "interval held", "most often chosen")
    print(heading("set", "classes", *titles))
    for name in given.sets:
        reason = missing(name, given.data)
        print(
            row(name, f"skipped: {reason}") if reason else measure(name, given.data, given.shots, given.draws),
            flush=True,
        )


if __name__ == "__main__":
    main()

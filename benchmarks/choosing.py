"""What different rules of choosing among the candidates are worth, in true accuracy.

    python benchmarks/choosing.py [--data FOLDER] [--sets trashnet,corn_leaf,…] [--shots 8,20,50] [--draws 3]

On each draw of a few labels per class every candidate is scored out of fold, fitted and tested on other images. Printed
is the mean test accuracy of what each rule picks: the highest out-of-fold score, the lowest log-loss, Headstart's rule
without and with the prior that decides ties, and (not a rule) the best on the test images. The draws differ from those
of benchmarks/accuracy.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accuracy import draw
from common import arguments, numbers, samples_of, words
from headstart.backbones.opening import open_backbone
from headstart.choose.race import RaceResult, race
from headstart.data.duplicates.near import near_groups
from headstart.data.splits import divide
from headstart.embed.features import embed_backbone, join_parts
from headstart.pipeline.candidates import plan_heads
from headstart.records.rows import Rows
from headstart.records.run import Run
from headstart.records.samples import Samples
from headstart.records.targets import Classes

SETS = ("trashnet", "corn_leaf", "rice_leaf", "pacs/sketch", "pacs/cartoon", "elpv")
HEADS = ("probe", "ridge", "lda", "class-mean", "knn", "svm")
FIRST_SEED = 100


def measure(samples: Samples, shots: int, seed: int) -> dict[str, float]:
    """The test accuracy of each rule's pick on one draw."""
    backbones = [open_backbone(name) for name in ("lite0", "lite2")]
    embedded = [embed_backbone(samples, b, Run()) for b in backbones]
    embeddings_of = {b.name: embeddings for b, embeddings in zip(backbones, embedded, strict=True)}
    chosen, rest = draw(samples, near_groups(samples), shots, seed)
    labels, classes = samples.labels[chosen], samples.classes
    folds = divide(samples.take(chosen), count=None, repeats=None, seed=seed).folds
    plans, _ = plan_heads(backbones, embedded, chosen, classes=len(classes), fits=1, heads=HEADS, seed=seed)
    rows = Rows(Classes(labels, classes), folds)
    built = race(plans, rows, seed=seed)
    bare = race([replace(plan, about=replace(plan.about, prior=0.0)) for plan in plans], rows, seed=seed)
    tested = []
    for plan, line in zip(plans, built.lines, strict=True):
        head = plan.make(line.configuration).fit(plan.X, labels)
        embedded_parts = [embeddings_of[part.backbone.name] for part in plan.parts]
        X = join_parts(embedded_parts, [part.taps for part in plan.parts]).X[rest]
        tested.append(float((head.form_.scores(X).argmax(axis=1) == samples.labels[rest]).mean()))
    return {name: tested[winner] for name, winner in picks(built, bare).items()} | {"best on the test": max(tested)}


def picks(built: RaceResult, bare: RaceResult) -> dict[str, int]:
    """The candidate that each rule takes."""
    entries = range(len(built.lines))
    return {
        "highest score": max(entries, key=lambda i: (built.lines[i].score.value, -built.lines[i].log_loss)),
        "lowest log-loss": min(entries, key=lambda i: built.lines[i].log_loss),
        "built rule, no prior": bare.winner,
        "built rule": built.winner,
    }


def main() -> None:
    """Parse the options and print one line a set and number of labels, then the means."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", type=words, default=SETS)
    parser.add_argument("--shots", type=numbers, default=(8, 20, 50))
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    rows = []
    for name in given.sets:
        samples = samples_of(name, given.data)
        for shots in given.shots:
            draws = [measure(samples, shots, FIRST_SEED + number) for number in range(given.draws)]
            rows.append({rule: float(np.mean([accuracies[rule] for accuracies in draws])) for rule in draws[0]})
            print(
                f"{name:18} {shots:4}  " + "  ".join(f"{rule} {value:.3f}" for rule, value in rows[-1].items()),
                flush=True,
            )
    print("mean                     " + "  ".join(f"{rule} {np.mean([r[rule] for r in rows]):.4f}" for rule in rows[0]))


if __name__ == "__main__":
    main()

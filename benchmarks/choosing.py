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
from headstart.data.splits import divide
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.embed.features import join_parts
from headstart.heads.catalog import make_head
from headstart.pipeline.candidates import plan_heads
from headstart.records.samples import Samples

SETS = ("trashnet", "corn_leaf", "rice_leaf", "pacs/sketch", "pacs/cartoon", "elpv")
HEADS = ("probe", "ridge", "lda", "class-mean", "knn", "svm")
FIRST_SEED = 100


def measure(samples: Samples, shots: int, seed: int) -> dict[str, float]:
    """The test accuracy of each rule's pick on one draw."""
    backbones = [open_backbone(name) for name in ("lite0", "lite2")]
    embedded = [embed(samples.images, b, content=samples.content, cache=open_cache(b)) for b in backbones]
    of = {b.name: each for b, each in zip(backbones, embedded, strict=True)}
    chosen, rest = draw(samples, shots, seed)
    y, classes = samples.labels[chosen], samples.classes
    folds = divide(samples.take(chosen), count=None, repeats=None, seed=seed).folds
    plans, _ = plan_heads(backbones, embedded, chosen, classes=len(classes), fits=1, heads=HEADS, seed=seed)
    built = race([each.candidate for each in plans], y, folds, classes=classes, seed=seed)
    bare = race([replace(each.candidate, prior=0.0) for each in plans], y, folds, classes=classes, seed=seed)
    tested = []
    for each, entry in zip(plans, built.entries, strict=True):
        head = make_head(each.head, signed_sqrt=each.signed_sqrt, seed=seed, configuration=entry.setting).fit(
            each.candidate.X, y
        )
        X = join_parts([of[part.backbone.name] for part in each.parts], [part.taps for part in each.parts]).X[rest]
        tested.append(float((head.form_.scores(X).argmax(axis=1) == samples.labels[rest]).mean()))
    return {name: tested[winner] for name, winner in picks(built, bare).items()} | {"best on the test": max(tested)}


def picks(built: RaceResult, bare: RaceResult) -> dict[str, int]:
    """The candidate that each rule takes."""
    entries = range(len(built.entries))
    return {
        "highest score": max(entries, key=lambda i: (built.entries[i].score.value, -built.entries[i].log_loss)),
        "lowest log-loss": min(entries, key=lambda i: built.entries[i].log_loss),
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
            found = [measure(samples, shots, FIRST_SEED + draw) for draw in range(given.draws)]
            rows.append({rule: float(np.mean([each[rule] for each in found])) for rule in found[0]})
            print(
                f"{name:18} {shots:4}  " + "  ".join(f"{rule} {value:.3f}" for rule, value in rows[-1].items()),
                flush=True,
            )
    print("mean                     " + "  ".join(f"{rule} {np.mean([r[rule] for r in rows]):.4f}" for rule in rows[0]))


if __name__ == "__main__":
    main()

"""Are unknown classes and foreign batches found, and how often is the alarm false?

    python benchmarks/novelty.py [--data FOLDER] [--sets trashnet,…,pacs/sketch] [--taps conv_head,blocks.5,several]
                                 [--folds 2] [--parts novelty,drift] [--repeats 40] [--sizes 20,50,100]

Novelty. Each class of a set in turn is unknown: the other classes' images are dealt into five folds, scores are fitted
without one fold, and the unknown class is ranked against that fold (AUROC; mean over `--folds` of the folds and over
classes, at most ten a set). Scores: Mahalanobis, relative Mahalanobis (Ren et al. 2021; written here, because it
lost), the k-th nearest neighbour, what `fit_novelty` makes of the training classes alone (`picked`), and max-softmax
and energy of a logistic probe trained without that class. Beside it, at a threshold set for 5 %: how many of the
held-out known images are flagged, and how many of the unknown ones. One of each group of copies is kept. Embeddings:
lite0's last layer, an earlier one (blocks.5), or its last five side by side (`several`).

Drift. Share of batches for which the test says p <= 0.05, out of `--repeats` draws of a reference of 300 photographs
and a batch: from the same photographs (the rate of false alarms; five times as many draws), from other domains of
pacs, with a fifth of foreign pictures, and with other shares of the classes (four of seven). *Within classes* takes the
true labels on both sides.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from headstart.backbones.graph import open_backbone
from headstart.embed.cache import open_cache
from headstart.embed.extract import embed
from headstart.heads.arrays import unit
from headstart.heads.catalog import make
from headstart.heads.selection import internal_folds
from headstart.metrics.auroc import auroc
from headstart.metrics.intervals import clopper_pearson
from headstart.records import Floats, Ints
from headstart.trust.confidence_scores import energy, max_softmax
from headstart.trust.drift import drift, reference
from headstart.trust.mahalanobis import fit_mahalanobis, shrunk_covariance
from headstart.trust.nearest import fit_nearest
from headstart.trust.novelty_fit import RATE, fit_novelty
from strategies import samples_of

SETS = (
    "trashnet",
    "corn_leaf",
    "rice_leaf",
    "charts",
    "pacs/photo",
    "pacs/art_painting",
    "pacs/cartoon",
    "pacs/sketch",
)
SCORES = ("mahalanobis", "relative", "nearest", "picked", "max-softmax", "energy")
TAPS = ("conv_head", "blocks.5", "several")
DOMAINS = ("photo", "art_painting", "cartoon", "sketch")
_MOST_CLASSES = 10
_LAYERS = 5
_REFERENCE = 300
_PERMUTATIONS = 199
_NULL = "photo, nothing changed"
_NULL_TIMES = 5


def features(name: str, root: Path, tap: str) -> tuple[Floats, Ints]:
    """Embeddings of one layer, or of the last five side by side, and labels."""
    samples, backbone = samples_of(name, root), open_backbone("lite0")
    found = embed(samples.images, backbone, content=samples.content, cache=open_cache(backbone))
    taps = list(found.taps)[-_LAYERS:] if tap == "several" else [tap]
    return found.joined(taps), samples.labels[found.rows]


def relative(X: Floats, labels: Ints) -> Callable[[Floats], np.ndarray]:
    """Mahalanobis distance to the nearest class less that to one Gaussian for all (squared), each shrunk by itself."""
    form = fit_mahalanobis(X, labels)
    whole = unit(X - form.centre).astype(np.float64)
    middle = whole.mean(axis=0)
    axes, values, level = shrunk_covariance(whole - middle, 256)

    def score(rows: Floats) -> np.ndarray:
        about = unit(rows - form.centre) - middle
        along = about @ axes
        background = ((about**2).sum(axis=1) - (along**2 * (1 - level / values)).sum(axis=1)) / level
        return form.score(rows) ** 2 * form.width - background

    return score


def scored(X: Floats, labels: Ints, rows: Floats) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """Every score of `rows` after fitting to `X`, which of them are alarms by the picked one, and its kind."""
    found = fit_novelty(X, labels)
    by_name = {
        "mahalanobis": fit_mahalanobis(X, labels).score(rows),
        "relative": relative(X, labels)(rows),
        "nearest": fit_nearest(X, labels).score(rows),
        "picked": found.novelty.score(rows),
    }
    if len(np.unique(labels)) > 1:
        scores = make("probe").fit(X, labels).form_.scores(rows)
        by_name |= {"max-softmax": max_softmax(scores), "energy": energy(scores)}
    return by_name, found.novelty.is_novel(rows), found.novelty.kind


def one_class(X: Floats, labels: Ints, unknown: int, count: int) -> tuple[dict[str, float], int, int, int, list[str]]:
    """AUROC of each score, false alarms among known images, known images, unknown ones found (share of 1000), kinds."""
    known = np.flatnonzero(labels != unknown)
    novel = X[labels == unknown]
    folds = internal_folds(labels[known])[0]
    low: dict[str, list[np.ndarray]] = {}
    high: dict[str, list[np.ndarray]] = {}
    alarms, found, kinds = 0, 0, []
    for fold in range(count):
        trained, held = known[folds != fold], known[folds == fold]
        by_name, flagged, kind = scored(X[trained], labels[trained], np.concatenate([X[held], novel]))
        for name, values in by_name.items():
            low.setdefault(name, []).append(values[: len(held)])
            high.setdefault(name, []).append(values[len(held) :])
        alarms += int(flagged[: len(held)].sum())
        found += int(flagged[len(held) :].sum())
        kinds.append(kind)
    areas = {name: float(np.mean([auroc(a, b) for a, b in zip(low[name], high[name], strict=True)])) for name in low}
    return areas, alarms, int((folds < count).sum()), round(1000 * found / (count * len(novel))), kinds


def novelty_of(name: str, root: Path, tap: str, count: int) -> dict[str, float]:
    """Print the line of one set; returns its mean AUROCs."""
    X, labels = features(name, root, tap)
    classes = np.unique(labels)
    classes = classes[np.linspace(0, len(classes) - 1, min(_MOST_CLASSES, len(classes))).round().astype(int)]
    lines = [one_class(X, labels, int(unknown), count) for unknown in classes]
    means = {s: float(np.mean([line[0][s] for line in lines])) if s in lines[0][0] else float("nan") for s in SCORES}
    alarms, known = sum(line[1] for line in lines), sum(line[2] for line in lines)
    kinds = [kind for line in lines for kind in line[4]]
    counts = [str(kinds.count(kind)) for kind in ("both", "mahalanobis", "nearest")]
    share = np.mean([line[3] for line in lines]) / 10
    areas = " | ".join(f"{means[s]:.3f}" for s in SCORES)
    print(
        f"| {name} | {len(np.unique(labels))} | {areas} | {', '.join(counts)} "
        f"| {100 * alarms / known:.1f} % | {share:.0f} % |",
        flush=True,
    )
    return means


def novelty(sets: list[str], root: Path, taps: list[str], count: int) -> None:
    """The novelty tables, one a tap."""
    for tap in taps:
        print(f"\nNovelty, lite0, {tap}: AUROC with each class unknown in turn\n")
        print(
            f"| set | classes | {' | '.join(SCORES)} | both, Mahalanobis, nearest picked "
            f"| false alarms at {RATE:.0%} | unknown found |"
        )
        print("|---" * (len(SCORES) + 5) + "|")
        means = [novelty_of(name, root, tap, count) for name in sets]
        print(f"| mean | | {' | '.join(f'{np.mean([m[s] for m in means]):.3f}' for s in SCORES)} | | | |", flush=True)


Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats, Ints, Ints]]
"""Generator, batch size → reference, batch, and the labels of both."""


def draws(root: Path) -> dict[str, Draw]:
    """What batches are drawn from, by description."""
    domains = {name: features(f"pacs/{name}", root, "conv_head") for name in DOMAINS}
    photo, labels = domains["photo"]

    def same(random: np.random.Generator, size: int) -> tuple[Floats, Floats, Ints, Ints]:
        order = random.permutation(len(photo))
        first, batch = order[:_REFERENCE], order[_REFERENCE : _REFERENCE + size]
        return photo[first], photo[batch], labels[first], labels[batch]

    def other(name: str, share: float) -> Draw:
        def drawn(random: np.random.Generator, size: int) -> tuple[Floats, Floats, Ints, Ints]:
            first, batch, first_labels, batch_labels = same(random, size)
            X, y = domains[name]
            taken, put = random.permutation(len(X))[: round(share * size)], slice(0, round(share * size))
            batch[put], batch_labels[put] = X[taken], y[taken]
            return first, batch, first_labels, batch_labels

        return drawn

    def classes(random: np.random.Generator, size: int) -> tuple[Floats, Floats, Ints, Ints]:
        order = random.permutation(len(photo))
        first, rest = order[:_REFERENCE], order[_REFERENCE:]
        batch = rest[np.isin(labels[rest], random.permutation(7)[:4])][:size]
        return photo[first], photo[batch], labels[first], labels[batch]

    return {
        _NULL: same,
        **{f"photo → {name}": other(name, 1.0) for name in DOMAINS[1:]},
        "photo, a fifth art_painting": other("art_painting", 0.2),
        "photo, four of seven classes": classes,
    }


def drifts(root: Path, repeats: int, sizes: list[int]) -> None:
    """The drift table."""
    print(f"\nDrift, lite0, conv_head: share of draws with p <= 0.05; reference {_REFERENCE} photographs\n")
    print("| batch | size | together | classifier | MMD | within classes | told apart, mean | s a test |")
    print("|---|---|---|---|---|---|---|---|")
    for name, draw in draws(root).items():
        for size in sizes:
            count = repeats if name != _NULL else _NULL_TIMES * repeats
            print(_drift_line(name, draw, size, count), flush=True)


def _drift_line(name: str, draw: Draw, size: int, repeats: int) -> str:
    random = np.random.default_rng(0)
    found, start = [], time.perf_counter()
    for seed in range(repeats):
        first, batch, first_labels, batch_labels = draw(random, size)
        kept = reference(first)
        pair = (first_labels[kept.positions], batch_labels)
        found.append(drift(kept, batch, classes=pair, permutations=_PERMUTATIONS, seed=seed))
    seconds = (time.perf_counter() - start) / repeats
    p = np.array([[d.p, d.test.p_classifier, d.test.p_mmd, d.p_within] for d in found])
    hits = (p <= 0.05).sum(axis=0)
    low, high = clopper_pearson(hits[:1], repeats)
    rates = " | ".join(f"{hit / repeats:.2f}" for hit in hits[1:])
    apart = np.mean([d.told_apart.value for d in found])
    return (
        f"| {name} | {size} | **{hits[0] / repeats:.2f}** ({low[0]:.2f}–{high[0]:.2f}) | {rates} "
        f"| {100 * apart:.0f} % | {seconds:.2f} |"
    )


def main() -> None:
    """Read the options and print the tables."""
    here = Path(os.environ.get("HEADSTART_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=here)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    parser.add_argument("--taps", type=lambda text: text.split(","), default=list(TAPS))
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["novelty", "drift"])
    parser.add_argument("--folds", type=int, default=2, choices=range(1, 6))
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--sizes", type=lambda text: [int(each) for each in text.split(",")], default=[20, 50, 100])
    options = parser.parse_args()
    if "novelty" in options.parts:
        novelty(options.sets, options.data, options.taps, options.folds)
    if "drift" in options.parts:
        drifts(options.data, options.repeats, options.sizes)


if __name__ == "__main__":
    main()

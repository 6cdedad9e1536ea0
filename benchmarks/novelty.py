"""Are unknown classes and shifted batches found, and how often is the alarm false?

    python benchmarks/novelty.py [--data FOLDER] [--sets trashnet,…,pacs/sketch,screens] [--folds 2]
                                 [--parts novelty,drift] [--repeats 40] [--sizes 20,50,100]

Novelty. Each class of a set in turn is unknown (at most ten): the other classes' images are dealt into five folds,
scores are fitted without one fold, thresholds are set for 5 % on five folds of the rest, and the unknown class is
ranked against the held-out fold. Of `screens` the sixth kind is unknown, which belongs to no class (all five folds, two
seeds). One of each group of copies is kept. The first table is of what `fit_novelty` gives for the last three layers of
lite0, beside what was there before; the second of all candidates (`novelty_values.py`), on the sets that the choice was
made on, on the others, and on the screens: AUROC; the share flagged of held-out known images and of unknown ones;
unknown ones above the highest 5 % of the held-out known; and unknown ones that would be accepted: not flagged, and not
among what is less sure (max-softmax of a logistic probe) than four fifths of the known.

Drift. Share of batches for which the test says p <= 0.05, out of `--repeats` draws of a reference of 300 photographs
and a batch: from the same photographs (the rate of false alarms; five times as many draws), from other domains of
pacs, with a fifth of foreign pictures, and under label shift (four of seven classes). *Within classes* takes the
true labels on both sides.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.backbones.opening import open_backbone
from headstart.demo.screens.generate import generate
from headstart.embed.embedding_cache import open_cache
from headstart.embed.extract import embed
from headstart.heads.tuning import internal_folds
from headstart.metrics.auroc import auroc
from headstart.metrics.intervals import clopper_pearson
from headstart.records.arrays import Floats, Ints
from headstart.trust.novelty.fit import RATE, fit_novelty
from headstart.trust.novelty.threshold import threshold_at
from headstart.trust.shift.batch_test import draw_reference, run_batch_test
from novelty_values import BEFORE, CANDIDATES, DOUBT, LAYERS, Candidate, Values, measured, names, out_of_fold, rows_of
from strategies import samples_of

CHOSEN_ON = ("corn_leaf", "charts", "pacs/art_painting", "pacs/sketch")
OTHERS = ("rice_leaf", "trashnet", "pacs/cartoon", "pacs/photo")
SCREENS = "screens"
DOMAINS = ("photo", "art_painting", "cartoon", "sketch")
_BASELINES = tuple(each for each in CANDIDATES if each.name in ("max-softmax", "energy"))
_MOST_CLASSES = 10
_SURE = 0.8
_REFERENCE = 300
_PERMUTATIONS = 199
_NULL = "photo, nothing changed"
_NULL_TIMES = 5

Embedded = dict[str, Floats]
"""'backbone layer' → (n, d)."""


def features(name: str, root: Path, backbones: tuple[str, ...] = ("lite0",)) -> tuple[Embedded, Ints]:
    """Embeddings of a set's images at the layers that are looked at, and labels."""
    samples = samples_of(name, root)
    found: Embedded = {}
    for backbone, layers in names(backbones):
        opened = open_backbone(backbone)
        taps = embed(samples.items, opened, content=samples.content, cache=open_cache(opened)).taps
        found |= {f"{backbone} {layer}": taps[layer] for layer in layers}
    return found, samples.labels


def screens(seed: int) -> tuple[Embedded, Ints]:
    """As `features`, for generated screenshots; the unseen kind has the highest label."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = generate(Path(folder) / "screens", 40, seed)
        files = sorted(drawn.known.glob("*/*")), sorted(drawn.unseen.iterdir())
        kinds = sorted({file.parent.name for file in files[0]})
        labels = [kinds.index(file.parent.name) for file in files[0]] + len(files[1]) * [len(kinds)]
        found: Embedded = {}
        for backbone, layers in names(("lite0", "lite2")):
            taps = embed([*files[0], *files[1]], open_backbone(backbone)).taps
            found |= {f"{backbone} {layer}": taps[layer] for layer in layers}
    return found, np.array(labels)


@dataclass(frozen=True, eq=False)
class Trial:
    """One unknown class and one held-out fold: every value of the known (out of fold), held and unknown rows."""

    known: Values
    held: Values
    unknown: Values
    product: tuple[float, float, float]

    def of(self, candidate: Candidate) -> tuple[float, ...]:
        """AUROC; shares flagged of known and unknown; unknown above 5 % of the known; unknown that are accepted."""
        own, held = candidate.scores(self.known, self.held)
        unknown = candidate.scores(self.known, self.unknown)[1]
        limit = threshold_at(own, RATE).value
        sure = self.unknown[DOUBT] <= np.quantile(self.known[DOUBT], _SURE)
        found = (held > limit).mean(), (unknown > limit).mean(), (unknown > np.quantile(held, 1 - RATE)).mean()
        return auroc(held, unknown), *map(float, found), float((sure & (unknown <= limit)).mean())


def trials(embedded: Embedded, labels: Ints, count: int, *, only_last: bool = False) -> Iterator[Trial]:
    """Every class (or the last one alone) unknown in turn, with `count` of five folds held out."""
    classes = np.unique(labels)
    turns = classes[np.linspace(0, len(classes) - 1, min(_MOST_CLASSES, len(classes))).round().astype(int)]
    for unknown in turns[-1:] if only_last else turns:
        known, novel = np.flatnonzero(labels != unknown), labels == unknown
        folds = internal_folds(labels[known])[0]
        for fold in range(count):
            yield _trial(embedded, labels, known[folds != fold], known[folds == fold], novel)


def _trial(embedded: Embedded, labels: Ints, trained: Ints, held: Ints, novel: np.ndarray) -> Trial:
    own, y = rows_of(embedded, trained), labels[trained]
    kept_apart, unknown = (measured(own, y, rows_of(embedded, rows)) for rows in (held, novel))
    last = [f"lite0 {layer}" for layer in LAYERS[-3:]]
    X = np.concatenate([embedded[name] for name in last], axis=1)
    found = fit_novelty(X[trained], y, widths=[embedded[name].shape[1] for name in last]).novelty
    scores = found.score(X[held]), found.score(X[novel])
    flagged = [float((each > np.float32(found.threshold)).mean()) for each in scores]
    product = auroc(*scores), flagged[0], flagged[1]
    return Trial(out_of_fold(own, y, internal_folds(y)[0]), kept_apart, unknown, product)


def novelty(sets: list[str], root: Path, count: int) -> None:
    """Both tables of novelty."""
    print(f"\nNovelty, lite0: AUROC with each class unknown in turn, and shares flagged at {RATE:.0%}\n")
    shares = "known flagged, before | used | unknown flagged, before | used"
    print(f"| set | classes | before | used | max-softmax | energy | {shares} |")
    print(f"{'|---' * 10}|")
    found: dict[str, np.ndarray] = {}
    for name in sets:
        seeds = [screens(seed) for seed in (0, 1)] if name == SCREENS else [features(name, root, ("lite0", "lite2"))]
        tried = [t for each in seeds for t in trials(*each, 5 if name == SCREENS else count, only_last=name == SCREENS)]
        found[name] = np.array([[trial.of(each) for each in CANDIDATES] for trial in tried]).mean(axis=0)
        product = np.mean([trial.product for trial in tried], axis=0)
        before = found[name][CANDIDATES.index(BEFORE)]
        baselines = " | ".join(f"{found[name][CANDIDATES.index(each), 0]:.3f}" for each in _BASELINES)
        shares = " | ".join(f"{100 * share:.0f} %" for i in (1, 2) for share in (before[i], product[i]))
        classes = len(np.unique(seeds[0][1]))
        print(f"| {name} | {classes} | {before[0]:.3f} | **{product[0]:.3f}** | {baselines} | {shares} |", flush=True)
    for group, members in (("the sets it was chosen on", CHOSEN_ON), ("the others", OTHERS), (SCREENS, (SCREENS,))):
        _candidates(group, [found[name] for name in members if name in found])


def _candidates(group: str, found: list[np.ndarray]) -> None:
    if not found:
        return
    print(f"\nCandidates, {group} ({len(found)}): means\n")
    print("| candidate | AUROC | known flagged | unknown flagged | unknown found at 5 % | unknown accepted |")
    print(f"{'|---' * 6}|")
    for candidate, (area, *shares) in zip(CANDIDATES, np.mean(found, axis=0), strict=True):
        print(
            f"| {candidate.name} | {area:.3f} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |", flush=True
        )


Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats, Ints, Ints]]
"""Generator, batch size → reference, batch, and the labels of both."""


def draws(root: Path) -> dict[str, Draw]:
    """What batches are drawn from, by description."""
    found = {name: features(f"pacs/{name}", root) for name in DOMAINS}
    domains = {name: (embedded[f"lite0 {LAYERS[-1]}"], labels) for name, (embedded, labels) in found.items()}
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
    print("| batch | size | together | classifier | MMD | within classes | balanced accuracy, mean | s a test |")
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
        kept = draw_reference(first)
        pair = (first_labels[kept.positions], batch_labels)
        found.append(run_batch_test(kept, batch, classes=pair, permutations=_PERMUTATIONS, seed=seed))
    seconds = (time.perf_counter() - start) / repeats
    p = np.array([[d.p, d.test.p_classifier, d.test.p_mmd, d.p_within_classes] for d in found])
    hits = (p <= 0.05).sum(axis=0)
    low, high = clopper_pearson(hits[:1], repeats)
    rates = " | ".join(f"{hit / repeats:.2f}" for hit in hits[1:])
    apart = np.mean([d.balanced_accuracy.value for d in found])
    return (
        f"| {name} | {size} | **{hits[0] / repeats:.2f}** ({low[0]:.2f}–{high[0]:.2f}) | {rates} "
        f"| {100 * apart:.0f} % | {seconds:.2f} |"
    )


def main() -> None:
    """Read the options and print the tables."""
    here = Path(os.environ.get("HEADSTART_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=here)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=[*CHOSEN_ON, *OTHERS, SCREENS])
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["novelty", "drift"])
    parser.add_argument("--folds", type=int, default=2, choices=range(1, 6))
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--sizes", type=lambda text: [int(each) for each in text.split(",")], default=[20, 50, 100])
    options = parser.parse_args()
    if "novelty" in options.parts:
        novelty(options.sets, options.data, options.folds)
    if "drift" in options.parts:
        drifts(options.data, options.repeats, options.sizes)


if __name__ == "__main__":
    main()

"""Domain adaptation: what each way gains over the source's own head, and what the choice without target labels does.

    python benchmarks/adapt.py [--families pacs,shares,solar,corruptions,same,leave-one-out] [--backbone lite0]

Families of pairs: the domains of PACS (natural and drawn class shares), solar cells of mono- and polycrystalline
silicon, clean photographs and drawn corruptions of other ones, halves of one set (must do nothing), and PACS with one
domain left out of four. Thresholds and strengths were set on none of these (docs/evidence/adapt.md). Gains are in
points of accuracy on the target over a ridge head on the source, worst pair in brackets. A table in Markdown. The
network, MCC, DANN and CDAN see rows that were standardised per domain (`adversarial.py`, with torch).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from adversarial import WAYS, adversarial
from common import arguments, heading, machine, row, samples_of, words
from headstart.adaptation.choice import ADAPTED, UNSURE, choose
from headstart.adaptation.covariances import coral, transport
from headstart.adaptation.distance import domain_distance
from headstart.adaptation.domains import Domains, alike
from headstart.adaptation.few_labels import answer_with_labels
from headstart.adaptation.forecast import expected_after, expected_before
from headstart.adaptation.next_labels import next_labels
from headstart.adaptation.prototypes import assign_prototypes
from headstart.adaptation.self_training import self_train
from headstart.adaptation.softmax import answers, fit_softmax, one_hot
from headstart.adaptation.student import teach
from headstart.adaptation.vote import SAME, cast_votes
from headstart.backbones.opening import open_backbone
from headstart.data.sources.in_memory import unlabelled_samples
from headstart.demo.corruptions import corrupt
from headstart.embed.features import embed_backbone
from headstart.heads.ridge import STRENGTHS, RidgeProbe
from headstart.heads.side_by_side import blas_threads
from headstart.records.run import Run
from headstart.trust.calibration.temperature import fit_temperature, probabilities

PACS = ("photo", "art_painting", "cartoon", "sketch")
CORRUPTED = ("rain", "night", "fog", "noise")
LAYERS = 5


Part: TypeAlias = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Pair:
    """A source with labels and a target whose labels only score."""

    family: str
    name: str
    domains: Domains
    truth: np.ndarray


class Sets:
    """Embeddings by name, made once."""

    def __init__(self, root: Path, backbone: str) -> None:
        self.root, self.backbone = root, open_backbone(backbone)
        self.kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) and (n,) of a set; `trashnet@night` is one under a corruption of severity 3."""
        if name not in self.kept:
            self.kept[name] = self._embed(*name.partition("@")[::2])
        return self.kept[name]

    def _embed(self, name: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
        samples = samples_of("elpv", self.root) if name.startswith("elpv") else samples_of(name, self.root)
        if name.startswith("elpv-"):
            samples = samples.take(_crystalline(samples, name.removeprefix("elpv-")))
        labels = samples.labels
        if kind:
            images = []
            for seed, item in enumerate(samples.items):
                with Image.open(item) as image:
                    images.append(np.asarray(corrupt(image, kind, 3, seed=seed)))
            samples = unlabelled_samples(images)
        table = embed_backbone(samples, self.backbone, Run(device="cpu"))
        taps = [tap.name for tap in self.backbone.taps[-LAYERS:]]
        return table.joined(taps), labels[table.rows]


def _crystalline(samples: object, kind: str) -> np.ndarray:
    spec = find_spec("elpv_dataset")
    assert spec is not None
    assert spec.origin is not None
    lines = (Path(spec.origin).parent / "data" / "labels.csv").read_text().splitlines()
    kind_of = {Path(line.split()[0]).name: line.split()[2] for line in lines if line.strip()}
    return np.array([kind_of[Path(item).name] == kind for item in samples.items])  # type: ignore[attr-defined]


def _pair(family: str, name: str, source: Part, target: Part) -> Pair:
    classes = int(source[1].max()) + 1
    return Pair(family, name, Domains(source[0], source[1], target[0], classes), target[1])


def drawn(rows: Part, seed: int) -> Part:
    """Some of the rows, the classes in drawn shares (Dirichlet, 1)."""
    random = np.random.default_rng(seed)
    X, y = rows
    classes = int(y.max()) + 1
    wanted = np.maximum(1, np.round(random.dirichlet([1.0] * classes) * min(300, len(y) // 2)).astype(int))
    chosen = [random.permutation(np.flatnonzero(y == k))[: wanted[k]] for k in range(classes)]
    index = np.concatenate(chosen)
    return X[index], y[index]


def _halves(first: Part, second: Part, seed: int) -> tuple[Part, Part]:
    """Half of the images of one, and the other half of the other (the same images under a corruption)."""
    order = np.random.default_rng(seed).permutation(len(first[1]))
    one, other = order[: len(order) // 2], order[len(order) // 2 :]
    return (first[0][one], first[1][one]), (second[0][other], second[1][other])


def pairs(family: str, sets: Sets) -> Iterator[Pair]:
    """The pairs of a family."""
    if family in ("pacs", "shares"):
        for number, (one, other) in enumerate(permutations(PACS, 2)):
            target = sets.of(f"pacs/{other}")
            yield _pair(
                family,
                f"{one} → {other}",
                sets.of(f"pacs/{one}"),
                target if family == "pacs" else drawn(target, 100 + number),
            )
    elif family == "solar":
        for one, other in permutations(("mono", "poly"), 2):
            yield _pair(family, f"{one} → {other}", sets.of(f"elpv-{one}"), sets.of(f"elpv-{other}"))
    elif family == "corruptions":
        for name in ("trashnet", "corn_leaf"):
            for kind in CORRUPTED:
                source, target = _halves(sets.of(name), sets.of(f"{name}@{kind}"), 7)
                yield _pair(family, f"{name} → {kind}", source, target)
    elif family == "same":
        for name in ("trashnet", "corn_leaf", *(f"pacs/{domain}" for domain in PACS)):
            source, target = _halves(sets.of(name), sets.of(name), 8)
            yield _pair(family, f"{name}, halves", source, target)
    elif family == "leave-one-out":
        for domain in PACS:
            others = [sets.of(f"pacs/{other}") for other in PACS if other != domain]
            origins = np.repeat(np.arange(3), [len(y) for _, y in others])
            source = np.concatenate([X for X, _ in others]), np.concatenate([y for _, y in others])
            target = sets.of(f"pacs/{domain}")
            domains = Domains(*source, target[0], int(source[1].max()) + 1, origins)
            yield Pair(family, f"others → {domain}", domains, target[1])


def source_head(domains: Domains) -> tuple[np.ndarray, float]:
    """(m, K) of the target by a calibrated ridge head on the source, and its accuracy there by leaving one out."""
    head = RidgeProbe(signed_sqrt=True).fit(domains.source, domains.labels)
    alphas = [float(f"{strength * domains.source.shape[1]:.3g}") for strength in STRENGTHS]
    scores = head.loo_scores_[alphas.index(head.configuration_["alpha"])]
    temperature = fit_temperature(scores, domains.labels)
    table = probabilities(head.form_.scores(domains.target), temperature)
    return table.astype(np.float64), float((scores.argmax(axis=1) == domains.labels).mean())


def ceiling(pair: Pair) -> float:
    """The accuracy of a ridge head that has the target's labels, by leaving one out."""
    head = RidgeProbe(signed_sqrt=True).fit(pair.domains.target, pair.truth)
    return max(float((scores.argmax(axis=1) == pair.truth).mean()) for scores in head.loo_scores_)


def measure(pair: Pair) -> dict[str, float]:
    """Accuracies on the target, the forecasts, and seconds."""
    domains = pair.domains

    def right(table: np.ndarray) -> float:
        return 100 * float((table.argmax(axis=1) == pair.truth).mean())

    head, on_source = source_head(domains)
    begun = time.perf_counter()
    choice = choose(domains, head, domain_distance(domains.source, domains.target))
    form, _ = teach(domains, choice.table, axes=choice.axes) if choice.verdict == ADAPTED else (None, None)
    seconds = time.perf_counter() - begun
    votes = choice.votes or cast_votes(domains, head)
    result = {"source-only": right(head)}
    result |= {name: right(table) for name, table in votes.members.items()}
    known, together = one_hot(domains.labels, domains.classes), alike(domains)
    result["prototypes"] = right(assign_prototypes(votes.space.target, votes.members["standardised"]))
    trained = self_train(votes.space.source, domains.labels, votes.space.target, domains.classes)
    result["self-training"] = right(answers(votes.space.target, trained))
    for name, move in (("CORAL", coral), ("linear transport", transport)):
        weights = fit_softmax(move(together.source, together.target), known, ridge=0.05)
        result[name] = right(answers(together.target, weights))
    for way in WAYS:
        result[way] = right(adversarial(way, votes.space.source, domains.labels, votes.space.target, domains.classes))
    result["vote"] = right(votes.tables[SAME])
    result["choice"] = right(choice.table)
    result["its model"] = result["source-only"] if form is None else right(form.scores(domains.target))
    first = next_labels(votes.space.target, votes.mean, 2 * domains.classes)
    rest = np.setdiff1d(np.arange(len(pair.truth)), first)
    labelled = answer_with_labels(domains, votes.mean, first, pair.truth[first])
    result["2 labels a class, chosen"] = 100 * float((labelled[rest].argmax(axis=1) == pair.truth[rest]).mean())
    result["all its labels"] = 100 * ceiling(pair)
    before, after = expected_before(choice, on_source), expected_after(choice)
    result["band before"] = float(100 * before.low <= result["source-only"] <= 100 * before.high)
    result["band after"] = np.nan if after is None else float(100 * after.low <= result["choice"] <= 100 * after.high)
    result["nothing"] = float(choice.verdict != ADAPTED)
    result["unsure"] = float(choice.verdict == UNSURE)
    result["seconds"] = seconds
    return result


_PLAIN = ("source-only", "band before", "band after", "nothing", "unsure", "seconds")


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--families", default="pacs,shares,solar,corruptions,same,leave-one-out")
    parser.add_argument("--backbone", default="lite0")
    options = parser.parse_args()
    sets = Sets(options.data, options.backbone)
    results: dict[str, list[Any]] = {}
    with blas_threads(1):
        for family in words(options.families):
            results[family] = []
            for pair in pairs(family, sets):
                result = measure(pair)
                results[family].append(result)
                print(f"<!-- {family}: {pair.name}: ", end="")
                print(", ".join(f"{name} {value:.1f}" for name, value in result.items()), "-->", flush=True)
    print(machine())
    print(heading("", *(f"{family} ({len(found)})" for family, found in results.items())))
    for name in next(iter(results.values()))[0]:
        print(row(name, *(_cell(name, found) for found in results.values())))


def _cell(name: str, found: list[dict[str, float]]) -> str:
    values = np.array([result[name] for result in found])
    if name in ("band before", "band after", "nothing", "unsure"):
        known = values[~np.isnan(values)]
        return f"{100 * known.mean():.0f} % of {len(known)}" if len(known) else "–"
    if name in _PLAIN:
        return f"{values.mean():.1f}"
    gains = values - np.array([result["source-only"] for result in found])
    return f"{gains.mean():+.1f} ({gains.min():+.1f})"


if __name__ == "__main__":
    main()

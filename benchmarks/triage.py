"""Does the guarantee hold? Triage, prediction sets and calibration, on simulated scores and on real sets.

    python benchmarks/triage.py [--data FOLDER] [--sets elpv,charts,…] [--draws 1000] [--seed 0]
                                [--parts simulated,calibration,real]

Simulated: predictions are drawn from a population of a million whose error above any threshold is known. Each draw is a
small labelled set on which thresholds are picked; a guarantee is violated when more than `max_error` of what its
threshold accepts *in the population* is wrong. At most 5 % of the draws may violate theirs.

Real: each set is embedded with lite0 (turned and exact copies left out) and a tuned probe scores every image out of
fold (5 folds, 3 repeats); temperatures are fitted across folds. Then, over and over, thresholds are picked on one half
of the images and the error is counted on the other; and labelled sets are drawn from the whole set with replacement,
for which the set itself is the population and its error is known. The count on a half has a luck of its own, so there
the share of draws with more wrong than guaranteed may exceed 5 %; where the population is known it may not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from common import arguments, heading, percent, row, words
from headstart.trust.calibration.choose import choose_calibration
from headstart.trust.conformal import conformal_sets, samples_needed
from headstart.trust.shift.label_shift import ReferenceCounts, label_shift
from headstart.trust.triage.records import Triage
from headstart.trust.triage.thresholds import top_predictions, triage
from risk_coverage import risk_coverage
from triage_populations import Population, Scored, scored, simulated

SETS = ("rice_leaf", "corn_leaf", "trashnet", "charts", "pacs/sketch", "elpv")


def draw(population: Population, n: int, max_error: float, random: np.random.Generator) -> Triage:
    rows = random.integers(len(population.y), size=n)
    classes = [str(k) for k in range(population.probabilities.shape[1])]
    return triage(
        population.sure[rows], population.said[rows], population.y[rows], classes=classes, max_error=max_error
    )


def guarantee_row(population: Population, n: int, max_error: float, draws: int, seed: int) -> str:
    """One line: how often a guarantee is feasible and violated, for all predictions and for each class."""
    random = np.random.default_rng(seed)
    feasible, violated, coverage, errors, class_feasible, class_violated, hidden = [], [], [], [], [], [], []
    for _ in range(draws):
        found = draw(population, n, max_error, random)
        error = population.error(found.overall.threshold)
        feasible.append(found.overall.feasible)
        violated.append(found.overall.feasible and error > max_error)
        if found.overall.feasible:
            coverage.append(found.coverage.value)
            errors.append(error)
        own = [(k, each.guarantee.threshold) for k, each in enumerate(found.classes) if each.guarantee.feasible]
        class_feasible.append(len(own) / len(found.classes))
        class_violated.append(any(population.error(threshold, k) > max_error for k, threshold in own))
        told = [k for k, each in enumerate(found.classes) if each.status == "guaranteed"]
        hidden.append(any(population.error(found.overall.threshold, k) > max_error for k in told))
    shares = (feasible, violated, coverage or [0], errors or [0], class_feasible, class_violated, hidden)
    return row(population.name, f"{n:,}", percent(max_error), *(percent(np.mean(each)) for each in shares))


HEAD = heading(
    *("population", "labelled", "at most wrong", "feasible", "violated, of all draws", "accepted, where feasible"),
    *("true error, where feasible", "classes feasible", "any class's violated", "'guaranteed' said wrongly"),
)


def conformal_row(population: Population, n: int, draws: int, seed: int, *, halves: bool = False) -> Iterator[str]:
    """Lines: how often sets hold the truth, over draws (of `n` labelled rows, or of halves), and how large they are."""
    random = np.random.default_rng(seed)
    K = population.probabilities.shape[1]
    classes = [str(k) for k in range(K)]
    for method, by_class in (("lac", False), ("aps", False), ("lac", True)):
        for level in (0.9, 0.95):
            held, worst, size = [], [], []
            for _ in range(draws):
                order = (
                    random.permutation(len(population.y))
                    if halves
                    else random.integers(len(population.y), size=n + 2000)
                )
                rows, new = order[:n], order[n:]
                few = np.bincount(population.y[rows], minlength=K).min() if by_class else n
                if few < samples_needed(level):
                    continue
                found = conformal_sets(
                    *(population.probabilities[rows], population.y[rows]),
                    classes=classes,
                    level=level,
                    method=method,
                    by_class=by_class,
                )
                sets = found.sets(population.probabilities[new])
                inside = sets[np.arange(len(new)), population.y[new]]
                held.append(inside.mean())
                worst.append([inside[population.y[new] == k].mean() for k in range(K)])
                size.append(sets.sum(axis=1).mean())
            kind = method.upper() + (", each class" if by_class else "")
            told = ["refused: too few of a class", "", ""]
            if held:
                told = [percent(np.mean(held)), percent(np.nanmean(worst, axis=0).min()), f"{np.mean(size):.2f}"]
            yield row(population.name, f"{n:,}", kind, percent(level), *told)


SETS_HEAD = heading(
    *("population", "labelled", "sets", "level"),
    *("true class inside, mean", "worst class, mean", "classes in a set"),
)


def halves_row(population: Population, max_error: float, draws: int, seed: int) -> str:
    """Thresholds picked on one half, errors counted on the other."""
    random = np.random.default_rng(seed)
    classes = [str(k) for k in range(population.probabilities.shape[1])]
    n = len(population.y) // 2
    made, accepted, wrong, above = 0, 0, 0, 0
    for _ in range(draws):
        order = random.permutation(len(population.y))
        here, there = order[:n], order[n:]
        found = triage(
            population.sure[here], population.said[here], population.y[here], classes=classes, max_error=max_error
        )
        if not found.feasible:
            continue
        taken = there[found.accepts(population.sure[there], population.said[there])]
        errors = int((population.said[taken] != population.y[taken]).sum())
        made, accepted, wrong = made + 1, accepted + len(taken), wrong + errors
        above += errors > max_error * len(taken)
    others = made * (len(population.y) - n)
    shares = (max_error, made / draws, accepted / max(others, 1), wrong / max(accepted, 1), above / draws)
    return row(population.name, f"{n:,}", *map(percent, shares))


HALVES_HEAD = heading(
    *("set", "labelled half", "at most wrong", "feasible", "accepted of the other half", "wrong among them"),
    "draws with more wrong than guaranteed",
)


def calibration_rows(one: Scored, head: str) -> str:
    found = choose_calibration(one.scores, one.y, one.folds)
    said, sure = top_predictions(one.population.probabilities)
    curve = risk_coverage(sure, said == one.y)
    risks = " / ".join(f"{100 * curve.risk[int(share * len(sure)) - 1]:.1f}" for share in (0.5, 0.7, 0.9, 1.0))
    before, after = found.before, found.after
    losses = ", ".join(f"{method} {loss:.3f}" for method, loss in found.compared.items())
    return row(
        one.name,
        head,
        f"{len(one.y):,} × {one.scores.shape[-1]}",
        found.calibration.method,
        f"{before.calibration_error:.3f} → {after.calibration_error:.3f}",
        f"{before.debiased_calibration_error:.3f} → {after.debiased_calibration_error:.3f}",
        f"{before.brier:.3f} → {after.brier:.3f}",
        f"{before.log_loss:.3f} → {after.log_loss:.3f}",
        losses,
        f"{curve.area:.4f} ({curve.excess_area:.4f})",
        risks,
    )


CALIBRATION_HEAD = heading(
    *("set", "head", "images × classes", "chosen", "ECE (15 equal-mass bins)", "debiased RMS error", "Brier"),
    *("log-loss", "compared (cross-fitted log-loss)", "AURC (excess)"),
    "wrong, %, of the most confident 50 / 70 / 90 / 100 %",
)


def shift_row(population: Population, draws: int, seed: int) -> str:
    """Alarms on batches of 100 images: with the usual class prior, and with the first class three times as likely."""
    random = np.random.default_rng(seed)
    K = population.probabilities.shape[1]
    alarms, off = {}, {}
    for name, weight in (("usual", 1.0), ("shifted", 3.0)):
        chance = np.where(population.y == 0, weight, 1.0)
        found, misses = [], []
        for each in range(draws):
            half = random.permutation(len(population.y))
            known, fresh = half[: len(half) // 2], half[len(half) // 2 :]
            reference = ReferenceCounts.of(population.y[known], population.said[known], K)
            rows = random.choice(fresh, size=100, p=chance[fresh] / chance[fresh].sum(), replace=False)
            seen = label_shift(population.probabilities[rows], reference, seed=each)
            truth = np.bincount(population.y[rows], minlength=K) / len(rows)
            found.append(seen.shifted)
            misses.append(np.abs(np.array(seen.prior) - truth).sum() / 2)
        alarms[name], off[name] = np.mean(found), np.mean(misses)
    shares = (each[name] for name in ("usual", "shifted") for each in (alarms, off))
    return row(population.name, *map(percent, shares))


SHIFT_HEAD = heading("set", "alarms without a shift", "prior off by", "alarms, first class ×3", "prior off by")


def table(title: str, head: str, lines: Callable[[], Iterator[str]]) -> None:
    print(f"\n{title}\n\n{head}", flush=True)
    for line in lines():
        print(line, flush=True)


def on_simulated(options: argparse.Namespace) -> None:
    populations = list(simulated(options.seed))
    asked = ((200, 0.05), (400, 0.02), (1000, 0.02), (3000, 0.02))
    table(
        f"Simulated, {options.draws:,} draws a line, 95 % confidence:",
        HEAD,
        lambda: (guarantee_row(p, n, e, options.draws, options.seed) for p in populations for n, e in asked),
    )
    table(
        f"Prediction sets, simulated, {options.draws // 4:,} draws a line:",
        SETS_HEAD,
        lambda: (
            line
            for p in (populations[2], populations[3])
            for n in (100, 600)
            for line in conformal_row(p, n, options.draws // 4, options.seed)
        ),
    )


def on_real(options: argparse.Namespace) -> None:
    kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    runs = {
        head: [scored(s, options.data, head, options.seed, kept) for s in options.sets] for head in ("probe", "ridge")
    }
    if "calibration" in options.parts:
        table(
            "Calibration, before (softmax of the scores) → after (cross-fitted):",
            CALIBRATION_HEAD,
            lambda: (calibration_rows(one, head) for head, ones in runs.items() for one in ones),
        )
    if "real" not in options.parts:
        return
    populations = [one.population for one in runs["probe"]]
    table(
        f"Real sets, drawn with replacement, {options.draws:,} draws a line, 95 % confidence:",
        HEAD,
        lambda: (guarantee_row(p, len(p.y), e, options.draws, options.seed) for p in populations for e in (0.02, 0.05)),
    )
    table(
        f"Real sets, halves, {options.draws:,} draws a line, 95 % confidence:",
        HALVES_HEAD,
        lambda: (halves_row(p, e, options.draws, options.seed) for p in populations for e in (0.02, 0.05)),
    )
    table(
        f"Prediction sets, real, halves, {options.draws // 4:,} draws a line:",
        SETS_HEAD,
        lambda: (
            line
            for p in populations
            for line in conformal_row(p, len(p.y) // 2, options.draws // 4, options.seed, halves=True)
        ),
    )
    table(
        f"Label shift, batches of 100, a true level of at most 1 %, {options.draws // 4:,} draws a line:",
        SHIFT_HEAD,
        lambda: (shift_row(p, options.draws // 4, options.seed) for p in populations),
    )


def main() -> None:
    """Read the options, simulate, measure, print."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", type=words, default=SETS)
    parser.add_argument("--parts", type=words, default=("simulated", "calibration", "real"))
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "simulated" in options.parts:
        on_simulated(options)
    if "real" in options.parts or "calibration" in options.parts:
        on_real(options)


if __name__ == "__main__":
    main()

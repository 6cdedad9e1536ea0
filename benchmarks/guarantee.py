"""Does the guarantee hold for the model that predicts? Tested out of fold, counted on images that are new to it.

    python benchmarks/guarantee.py [--draws 60] [--cases many,large,two] [--heads ridge,probe]

Images of made classes (Gaussian, in 200 dimensions; 12,000 more of them tell the truth). Each draw labels some, takes
the head's best setting by log-loss, calibrates, tests the guarantee on out-of-fold predictions and fits the head to all
of them; the guarantee is violated where more than the limit of what this model accepts is wrong. *One*: each image's
prediction by one model, as Headstart does. *Mean*: by the mean over repeats of the cross-validation, which lost. *Held
out*: by the final model on as many other images. Asked for: violated in at most 5 % of draws. *Sets*: how often
prediction sets at 95 % hold the true class.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common import arguments, heading, row, words
from headstart.data.splits import assign_folds as dealt
from headstart.heads.catalog import make_head
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.choose import choose_calibration
from headstart.trust.calibration.temperature import row_losses
from headstart.trust.evidence import GuaranteeRequest, JudgedPredictions, TrustEvidence
from headstart.trust.triage.thresholds import top_predictions

LIMITS = (0.02, 0.05, 0.1)
_TRUTH = 12_000
_WIDTH = 200
_LEVEL = 0.95


@dataclass(frozen=True)
class Case:
    """A made problem: classes, how far apart they are, how many are labelled, repeats of the cross-validation."""

    words: str
    classes: int
    apart: float
    labelled: int
    repeats: int


CASES = {
    "many": Case("10 classes, 400 labels", 10, 1.4, 400, 5),
    "large": Case("10 classes, 1,500 labels", 10, 1.4, 1500, 3),
    "two": Case("2 classes, 200 labels", 2, 0.9, 200, 5),
}


@dataclass
class Tally:
    """What became of the guarantees of one way, limit by limit, and of its prediction sets."""

    violated: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0))
    accepted: dict[float, list[float]] = field(default_factory=lambda: {limit: [] for limit in LIMITS})
    inside: list[float] = field(default_factory=list)

    def add(self, record: TrustEvidence, final: Floats, y: Ints) -> None:
        """Count one draw. final: the predicting model's probabilities of the images that tell the truth."""
        classes = [str(k) for k in range(final.shape[1])]
        said, sure = top_predictions(final)
        for limit in LIMITS:
            found = record.triage(GuaranteeRequest(limit), classes)
            if found.feasible:
                taken = found.accepts(sure, said)
                self.violated[limit] += bool((said[taken] != y[taken]).mean() > limit) if taken.any() else False
                self.accepted[limit].append(float(taken.mean()))
        sets = record.sets(_LEVEL, classes).sets(final)
        self.inside.append(float(sets[np.arange(len(y)), y].mean()))


class Source:
    """Images of made classes, as many as wanted."""

    def __init__(self, case: Case) -> None:
        self.random = np.random.default_rng(7)
        self.classes = case.classes
        self.means = self.random.standard_normal((case.classes, _WIDTH)) / np.sqrt(_WIDTH) * case.apart
        self.spreads = np.linspace(1.6, 0.4, _WIDTH) ** 2
        self.spreads /= np.sqrt((self.spreads**2).mean())

    def drawn(self, count: int) -> tuple[Floats, Ints]:
        """So many images, as embeddings, and their classes."""
        y = self.random.integers(self.classes, size=count)
        return (self.means[y] + self.random.standard_normal((count, _WIDTH)) * self.spreads).astype(np.float32), y


def measured(case: Case, head: str, draws: int) -> list[str]:
    """The lines of one problem and head."""
    source = Source(case)
    X_true, y_true = source.drawn(_TRUTH)
    ways = {"one": Tally(), "mean": Tally(), "held out": Tally()}
    right = []
    for seed in range(draws):
        X, y = source.drawn(case.labelled)
        folds = dealt(y, count=5, repeats=case.repeats, seed=seed)
        path = make_head(head).path_scores(X, y, folds)
        best = min(range(len(path.configurations)), key=lambda i: float(row_losses(path.scores[i], y).mean()))
        chosen = choose_calibration(path.scores[best], y, folds)
        model = make_head(head, configuration=path.configurations[best]).fit(X, y)
        final = chosen.calibration.apply(model.form_.scores(X_true))
        other, y_other = source.drawn(case.labelled)
        held = chosen.calibration.apply(model.form_.scores(other))
        judged = {
            "one": JudgedPredictions(chosen.crossed[0], y),
            "mean": JudgedPredictions(chosen.crossed.mean(axis=0), y),
            "held out": JudgedPredictions(held, y_other),
        }
        for name, tally in ways.items():
            tally.add(TrustEvidence(judged[name]), final, y_true)
        right.append(float((final.argmax(axis=1) == y_true).mean()))
    told = f"{case.words}, {head} ({100 * np.mean(right):.0f} % right)"
    return [_line(told, name, tally, draws) for name, tally in ways.items()]


def _line(told: str, name: str, tally: Tally, draws: int) -> str:
    cells = [
        f"{100 * tally.violated[limit] / draws:.0f} % ({100 * np.mean(tally.accepted[limit] or [0]):.0f} %)"
        for limit in LIMITS
    ]
    return row(told, name, *cells, f"{100 * np.mean(tally.inside):.1f} %")


def main() -> None:
    """Read the options and print the table."""
    parser = arguments(__doc__, data=None)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--cases", type=words, default=list(CASES))
    parser.add_argument("--heads", type=words, default=["ridge", "probe"])
    given = parser.parse_args()
    print("Share of draws in which the guarantee was violated (and what was accepted, where it was feasible)\n")
    limits = [f"at most {100 * limit:.0f} % wrong" for limit in LIMITS]
    print(heading("made images, head", "tested on", *limits, "sets at 95 %"))
    for name in given.cases:
        for head in given.heads:
            print("\n".join(measured(CASES[name], head, given.draws)), flush=True)


if __name__ == "__main__":
    main()

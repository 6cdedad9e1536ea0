"""Is the race worth it? Its choice against every strategy run to its end, and what it costs against running them all.

    OMP_NUM_THREADS=1 python benchmarks/auto_records.py RECORDS      # once, about twenty minutes a set
    OMP_NUM_THREADS=1 python benchmarks/auto.py RECORDS [--sets …] [--images 105] [--seed 0] [--min-gain 0.005]

Replays the race on the recorded scores: its clock is charged the recorded processor seconds of each fold that it asks
for, the heads are scored anew. The same images train and test as in the recording; all accuracies are on the test
images. *Best single*: of all heads and fine-tunes, each fitted with its own best setting, the one that does best on
the test images: chosen after the fact, which flatters it. *Cost*: processor seconds of the race over those of running
every candidate on all folds; embedding and the last fit, which both need, are left out. *None given up*: what the same
rule picks when every fine-tune is scored to its end, as long as its interval does not exclude a gain.
"""

from __future__ import annotations

import math
import time
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from auto_records import arguments, places
from common import heading, row
from headstart.backbones.opening import open_backbone
from headstart.choose.budget import Budget
from headstart.choose.race import RaceResult, race
from headstart.choose.strategy import About, ExpectedGain, Fitted, Strategy
from headstart.data.splits import assign_folds as lay
from headstart.data.splits import repeats_for
from headstart.embed.extract import embed
from headstart.embed.features import join_parts
from headstart.errors import InternalError
from headstart.finetune.recipe import Recipe
from headstart.heads.base import PathScores
from headstart.metrics.intervals import paired_difference
from headstart.pipeline.candidates import HeadStrategy, plan_heads
from headstart.pipeline.defaults import expected_gain
from headstart.records.arrays import Floats, Ints
from headstart.records.rows import Rows
from headstart.records.targets import Classes
from strategies import draw, samples_of

BACKBONES = ("lite0", "lite2")
FINE_TUNE_PRIOR = -0.02
_GREAT_HOPE = 100.0


@dataclass(eq=False)
class Clock:
    """Processor seconds, plus what is charged."""

    charged: float = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return time.process_time() + self.charged


class Recorded:
    """A strategy of which only the scores are there."""

    def fit(self, rows: Rows, configuration: Mapping[str, Any]) -> Fitted:
        """Never asked for: `right` reads the recorded answers instead."""
        raise InternalError("a recorded strategy cannot be fitted.")


@dataclass(eq=False)
class Replayed(Recorded):
    """A recorded fine-tune: gives the scores of the fold that is asked for, and charges its seconds."""

    about: About
    record: dict[str, Any]
    clock: Clock
    asked: list[int] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def path(self, rows: Rows) -> PathScores:
        """The recorded scores."""
        held_out = rows.folds[0] == 0
        fold = int(self.record["folds"][held_out][0])
        assert ((self.record["folds"] == fold) == held_out).all()
        self.clock.charged += float(self.record["seconds"][fold])
        self.asked.append(fold)
        settings = tuple(literal_eval(text) for text in self.record["settings"])
        return PathScores(settings, self.record["out_of_fold"][:, None])


@dataclass(frozen=True, eq=False)
class Case:
    """One set as it was recorded: heads and fine-tunes, with what is needed to test them."""

    name: str
    y: Ints
    truth: Ints
    plans: list[HeadStrategy]
    tested: list[Floats]
    tunes: list[Replayed]
    records: list[dict[str, Any]]
    folds: Ints
    groups: Ints | None
    clock: Clock
    classes: tuple[str, ...]

    @property
    def rows(self) -> Rows:
        """What the strategies are compared on."""
        return Rows(Classes(self.y, self.classes), self.folds, self.groups)


def case(name: str, options: Any) -> Case | None:
    """The set, as far as it was recorded; None where nothing was."""
    found = [
        (word, dict(np.load(path))) for own, word, path in places(options.out, options) if own == name and path.exists()
    ]
    if len(found) < len(options.strategies):
        return None
    samples, tested = draw(samples_of(name, options.data), options.images, options.tested, options.seed)
    train = np.flatnonzero(tested[0] < 0)
    test = np.flatnonzero(tested[0] == 0)
    opened = [open_backbone(each) for each in BACKBONES]
    embedded = [embed(samples.items, each, content=samples.content) for each in opened]
    y, clock = samples.labels[train], Clock()
    groups = samples.take(train).groups
    folds = lay(y, groups, count=5, repeats=repeats_for(len(y)), seed=options.seed)
    assert (folds[0] == found[0][1]["folds"]).all()
    common = {"classes": len(samples.classes), "fits": folds.size // len(y) * 5, "seed": options.seed}
    plans, _ = plan_heads(opened, embedded, train, **common)
    of = dict(zip((each.name for each in opened), embedded, strict=True))
    outside = [join_parts([of[p.backbone.name] for p in e.parts], [p.taps for p in e.parts]).X[test] for e in plans]
    tunes = []
    for word, record in found:
        expected, seconds = expected_gain(word, Recipe(), opened[0], len(y) * 4 // 5, len(samples.classes))
        tunes.append(
            Replayed(
                About(word, "", plans[0].about.cost, ("lite0",), FINE_TUNE_PRIOR, seconds, expected), record, clock
            )
        )
    return Case(
        name,
        y,
        samples.labels[test],
        plans,
        outside,
        tunes,
        [r for _, r in found],
        folds,
        groups,
        clock,
        samples.classes,
    )


def run(one: Case, min_gain: float, hope: float | None = None) -> tuple[RaceResult, float]:
    """The race, and the processor seconds that it was charged. hope: what to expect of every fine-tune instead."""
    begun = one.clock()
    tunes = one.tunes
    if hope is not None:
        tunes = [hopeful(tune, hope) for tune in tunes]
    budget = Budget(math.inf, one.clock)
    found = race([*one.plans, *tunes], one.rows, min_gain=min_gain, budget=budget)
    return found, one.clock() - begun


def hopeful(tune: Replayed, gain: float) -> Replayed:
    """The fine-tune, with another gain expected of it."""
    assert tune.about.expected is not None
    return replace(tune, about=replace(tune.about, expected=ExpectedGain(gain, tune.about.expected.depth)))


def right(one: Case, number: int, setting: Any) -> np.ndarray:
    """Which test images a candidate answers rightly, fitted to all training images with a setting."""
    if number >= len(one.plans):
        record = one.records[number - len(one.plans)]
        place = [literal_eval(text) for text in record["settings"]].index(dict(setting))
        return record["test"][place].argmax(1) == one.truth
    strategy = one.plans[number]
    head = strategy.make(setting).fit(strategy.X, one.y)
    return head.form_.scores(one.tested[number]).argmax(1) == one.truth


def everything(one: Case) -> tuple[list[np.ndarray], float]:
    """What each candidate answers rightly with its own best setting, and the seconds of scoring all of them."""
    begun = one.clock()
    answers = []
    strategies: list[Strategy] = [*one.plans, *one.tunes]
    for number, strategy in enumerate(strategies):
        if strategy.about.expected is None:
            found = race([strategy], one.rows)
        else:
            record = one.records[number - len(one.plans)]
            one.clock.charged += float(record["seconds"].sum())
            whole = PathScores(tuple(literal_eval(t) for t in record["settings"]), record["out_of_fold"][:, None])
            rows = Rows(Classes(one.y, one.classes), one.folds[:1])
            found = race([_Known(About(strategy.about.name, "", 1.0), whole)], rows)
        seconds = one.clock() - begun
        answers.append((number, found.configuration))
    return [right(one, number, setting) for number, setting in answers], seconds


@dataclass(frozen=True, eq=False)
class _Known(Recorded):
    about: About
    scores: PathScores
    notes: tuple[str, ...] = ()

    def path(self, rows: Rows) -> PathScores:
        """What is known."""
        return self.scores


def line(one: Case, options: Any) -> tuple[str, float, float]:
    """A row of the table; the loss against the best single strategy, and the share of the cost."""
    found, seconds = run(one, options.min_gain)
    tried = ", ".join(f"{tune.about.name} {len(tune.asked)}" for tune in one.tunes)
    patient = run(one, options.min_gain, hope=_GREAT_HOPE)[0]
    waited = right(one, patient.best.strategy, patient.configuration)
    answers, whole = everything(one)
    names = [plan.about.name for plan in one.plans] + [tune.about.name for tune in one.tunes]
    best = max(range(len(answers)), key=lambda i: answers[i].mean())
    mine = right(one, found.best.strategy, found.configuration)
    win, loss = int((mine & ~answers[best]).sum()), int((answers[best] & ~mine).sum())
    low, high = paired_difference(win, loss, len(mine)) if win + loss else (0.0, 0.0)
    behind = mine.mean() - answers[best].mean()
    text = row(
        one.name,
        f"{found.best.name} {100 * mine.mean():.1f}",
        f"{names[best]} {100 * answers[best].mean():.1f}",
        f"{patient.best.name} {100 * waited.mean():.1f}",
        f"{100 * behind:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
        f"{seconds:.0f} of {whole:.0f} s = {seconds / whole:.0%}",
        tried,
        found.estimate,
    )
    return text, behind, seconds / whole


def main() -> None:
    """Replay every recorded set, print a table."""
    parser = arguments(__doc__)
    parser.add_argument("--min-gain", type=float, default=0.005)
    options = parser.parse_args()
    titles = ("auto", "best single", "none given up", "auto − best (95 %)", "cost", "folds of each", "estimate")
    print(heading("set", *titles))
    for name in options.sets:
        if (one := case(name, options)) is not None:
            print(line(one, options)[0], flush=True)


if __name__ == "__main__":
    main()

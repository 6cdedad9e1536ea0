"""The race under a budget, with real heads on small data; folded ones are scored fold by fold."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from tests.choose.strategies import Scores, rows_of

from headstart.choose.budget import Budget
from headstart.choose.race import race
from headstart.choose.strategy import About, ExpectedGain
from headstart.data.splits import assign_folds
from headstart.heads.base import PathScores
from headstart.heads.catalog import make_head

NAMES = ("leaf", "stem", "root")


def samples(n: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three Gaussian classes in twenty dimensions."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = distance * rng.normal(size=(3, 20)) / 2
    return (centres[y] + rng.normal(size=(n, 20))).astype(np.float32), y


X, Y = samples(240, 1.0)
BETTER = (X + samples(240, 1.0, seed=3)[0] * 0 + 1.2 * np.eye(3, 20)[Y]).astype(np.float32)
NOISE = np.random.default_rng(9).normal(size=X.shape).astype(np.float32)
FOLDS = assign_folds(Y, count=5, repeats=2)
ROWS = rows_of(Y, FOLDS, NAMES)


@dataclass(eq=False)
class Clock:
    """A clock that only moves when work is charged to it."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Charged:
    """A head whose every call takes so many seconds of a clock."""

    head: Any
    clock: Clock
    seconds: float
    calls: list[int] = field(default_factory=list)
    interrupt: int = -1

    def path_scores(self, X: Any, y: Any, folds: Any) -> PathScores:
        if len(self.calls) == self.interrupt:
            raise KeyboardInterrupt
        self.clock.now += self.seconds
        self.calls.append(int((folds[0] >= 0).sum()))
        return self.head.path_scores(X, y, folds)


def head(X: np.ndarray = X, clock: Clock | None = None, seconds: float = 1.0, name: str = "class-mean") -> Scores:
    about = About(name, "all", 1.0, seconds=seconds)
    return Scores(about, X, Charged(make_head(name), clock or Clock(), seconds))


def folded(X: np.ndarray, clock: Clock, seconds: float, gain: float = 0.1, depth: float = 0.3, **more: Any) -> Scores:
    runner = Charged(make_head("ridge"), clock, seconds, **more)
    return Scores(About("tuned", "all", 1.0, seconds=seconds, expected=ExpectedGain(gain, depth)), X, runner)


def test_a_much_better_candidate_is_scored_fold_by_fold_to_its_end_and_wins() -> None:
    clock = Clock()
    tuned = folded(BETTER, clock, 10.0)
    found = race([head(clock=clock), tuned], ROWS, budget=Budget(1000.0, clock))
    assert tuned.head.calls == [48] * 5
    assert found.best.name == "tuned"
    assert (found.best.strategy, found.best.reason, found.stopped) == (1, "", "")
    whole = race([head(), replace(tuned, about=replace(tuned.about, expected=None))], rows_of(Y, FOLDS[:1], NAMES))
    assert found.raw == pytest.approx(whole.raw)
    assert found.out_of_fold.shape == (1, 240, 3)
    assert found.best.seconds == 50.0


def test_noise_is_given_up_after_a_fold_or_two_and_its_line_says_why() -> None:
    clock = Clock()
    tuned = folded(NOISE, clock, 10.0)
    found = race([head(clock=clock), tuned], ROWS, budget=Budget(1000.0, clock))
    assert 1 <= len(tuned.head.calls) < 5
    line = found.lines[1]
    assert (line.status, line.strategy) == ("given up", 1)
    assert line.reason.startswith(f"after {len(tuned.head.calls)} of 5 folds: ")
    assert line.gain.high < 0.5
    assert found.best.name == "class-mean"


def test_a_candidate_that_would_not_end_in_time_is_not_begun() -> None:
    clock = Clock()
    near, far = folded(BETTER, clock, 2.0), folded(BETTER, clock, 300.0, gain=2.0, depth=1.0)
    found = race([head(clock=clock), near, far], ROWS, budget=Budget(60.0, clock))
    assert (len(near.head.calls), len(far.head.calls)) == (5, 0)
    assert found.stopped == "the time was used up"
    assert found.not_begun == {2: "it needs about 31 min more, and 49 s were left"}
    assert clock.now <= 60.0


def test_the_first_head_is_scored_whatever_the_budget_and_a_dear_one_is_not() -> None:
    clock = Clock()
    found = race(
        [head(clock=clock, seconds=5.0), head(clock=clock, seconds=400.0, name="lda")],
        ROWS,
        budget=Budget(1.0, clock),
    )
    assert [entry.name for entry in found.lines] == ["class-mean"]
    assert found.not_begun == {1: "it needs about 7 min, and 0 s were left"}


def test_ctrl_c_keeps_the_best_so_far() -> None:
    clock = Clock()
    tuned = folded(BETTER, clock, 1.0, interrupt=2)
    found = race([head(clock=clock), tuned], ROWS)
    assert found.stopped == "it was stopped by Ctrl-C"
    assert found.best.name == "class-mean"
    assert found.lines[1].status == "given up"
    assert found.lines[1].reason == "after 2 of 5 folds: it was stopped by Ctrl-C"
    assert found.lines[1].gain.value > 0


def test_ctrl_c_before_anything_was_scored_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        race([replace(head(), head=Charged(make_head("lda"), Clock(), 1.0, interrupt=0))], ROWS)


def test_little_that_is_promised_is_not_tried() -> None:
    clock = Clock()
    hopeless = folded(BETTER, clock, 1.0, gain=-3.0, depth=2.0)
    found = race([head(clock=clock), hopeless], ROWS)
    assert hopeless.head.calls == []
    assert found.not_begun == {1: "a gain of 0.00 points is expected of it, less than the 0.5 that count"}


def test_without_a_budget_and_promises_everything_is_scored() -> None:
    found = race([head(), head(name="lda"), head(NOISE, name="ridge")], ROWS)
    assert [entry.strategy for entry in found.lines] == [0, 1, 2]
    assert (found.not_begun, found.stopped) == ({}, "")
    assert math.isfinite(found.estimate.value)


def test_groups_and_other_metrics_go_through_folds_too() -> None:
    groups = np.arange(240) // 2
    dealt = assign_folds(Y, groups, count=4)
    for metric in ("balanced-accuracy", "macro-f1"):
        clock = Clock()
        found = race(
            [head(clock=clock), folded(BETTER, clock, 1.0), folded(NOISE, clock, 1.0, depth=1.0)],
            rows_of(Y, dealt, NAMES, groups),
            metric=metric,
        )
        assert found.best.name == "tuned"
        assert found.estimate.low < found.estimate.value < found.estimate.high


def test_what_the_user_named_is_begun_however_little_is_expected_of_it() -> None:
    clock = Clock()
    asked = folded(BETTER, clock, 1.0)
    asked = replace(asked, about=replace(asked.about, expected=ExpectedGain(-3.0, 2.0, asked=True)))
    found = race([head(clock=clock), asked], ROWS, budget=Budget(100.0, clock))
    assert len(asked.head.calls) >= 1
    assert found.not_begun == {}

"""The race under a budget, with real heads on small data; folded ones are scored fold by fold."""

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.choose.strategies import Scores, rows_of

from headstart.choose.budget import Budget
from headstart.choose.race import race
from headstart.choose.strategy import About, ExpectedGain
from headstart.data.splits import assign_folds
from headstart.errors import OptionError
from headstart.heads.base import PathScores
from headstart.heads.catalog import make_head
from headstart.heads.side_by_side import check_time

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


def test_a_candidate_that_is_clearly_better_wins_on_the_folds_for_which_there_is_time() -> None:
    clock = Clock()
    tuned = folded(BETTER, clock, 100.0)
    result = race([head(clock=clock), tuned], ROWS, budget=Budget(450.0, clock))
    assert len(tuned.head.calls) == 3  # and 125 s for the fit, of the 450
    assert (result.best.name, result.best.status, result.best.folds) == ("tuned", "chosen", (3, 3))
    assert result.scored.tolist() == np.flatnonzero(FOLDS[0] < 3).tolist()
    assert result.out_of_fold.shape == (1, 144, 3)
    right = (result.out_of_fold[0].argmax(axis=1) == Y[result.scored]).mean()
    assert result.raw == pytest.approx(right)  # of these rows alone
    assert result.estimate.low < right < result.estimate.high
    assert result.lines[0].gain.high < 0
    assert result.lines[0].comparable
    assert result.stopped == "tuned needs about 5 min more, and 2 min were left"


def test_its_number_on_a_part_says_by_its_interval_that_it_is_of_fewer_rows() -> None:
    clock = Clock()
    result = race([head(clock=clock), folded(BETTER, clock, 100.0)], ROWS, budget=Budget(450.0, clock), seed=3)
    whole = race([head(), folded(BETTER, Clock(), 1.0)], ROWS, seed=3)
    assert (result.best.name, whole.best.name) == ("tuned", "tuned")
    assert result.estimate.high - result.estimate.low > whole.estimate.high - whole.estimate.low


def test_on_one_fold_nothing_wins_and_no_better_candidate_wins_on_two() -> None:
    clock = Clock()
    one = race([head(clock=clock), folded(BETTER, clock, 100.0)], ROWS, budget=Budget(300.0, clock))
    assert (one.best.name, len(one.scored)) == ("class-mean", 240)
    clock = Clock()
    same = race([head(clock=clock), folded(X, clock, 100.0)], ROWS, budget=Budget(450.0, clock))
    assert (same.best.name, len(same.scored)) == ("class-mean", 240)


def test_the_time_for_fitting_what_is_ahead_is_not_spent_on_another_candidate() -> None:
    clock = Clock()
    ahead, other = folded(BETTER, clock, 100.0, gain=0.5), folded(X, clock, 20.0, gain=0.01, depth=3.0)
    race([head(clock=clock), ahead, other], ROWS, budget=Budget(450.0, clock))
    assert clock.now <= 450.0 - 125.0


def test_a_fold_that_outlives_the_budget_is_ended_and_the_best_head_stands() -> None:
    clock = Clock()
    tuned = folded(BETTER, clock, 1.0)

    class Endless:
        """A fine-tune that looks at the clock after every step, and has no end."""

        def path_scores(self, X: Any, y: Any, folds: Any) -> PathScores:
            while True:
                clock.now += 10.0
                check_time()

    result = race([head(clock=clock), replace(tuned, head=Endless())], ROWS, budget=Budget(60.0, clock))
    assert result.best.name == "class-mean"
    assert 60.0 < clock.now <= 80.0
    assert result.not_begun == {1: "the time was used up in the middle of a fold"}
    assert result.stopped == "tuned was not through when the time was used up in the middle of a fold"


def test_a_candidate_that_would_not_end_in_time_is_not_begun() -> None:
    clock = Clock()
    near, far = folded(BETTER, clock, 2.0), folded(BETTER, clock, 300.0, gain=2.0, depth=1.0)
    found = race([head(clock=clock), near, far], ROWS, budget=Budget(60.0, clock))
    assert (len(near.head.calls), len(far.head.calls)) == (5, 0)
    assert found.stopped == "tuned needs about 31 min more, and 49 s were left"
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


def test_a_baseline_stands_in_the_comparison_and_never_wins() -> None:
    plain = head(X=BETTER)
    baseline = replace(plain, about=replace(plain.about, name="probe", baseline=True))
    found = race([baseline, head()], ROWS)
    assert [(line.name, line.status) for line in found.lines] == [("probe", "baseline"), ("class-mean", "chosen")]
    assert found.lines[0].gain.low > 0
    alone = race([head()], ROWS)
    assert (found.estimate, found.raw, found.configurations) == (alone.estimate, alone.raw, alone.configurations)


def test_a_named_fine_tune_is_scored_to_its_end_though_the_baseline_beats_it() -> None:
    clock = Clock()
    plain = head(clock=clock)
    baseline = replace(plain, about=replace(plain.about, baseline=True))
    found = race([baseline, folded(NOISE, clock, 10.0)], ROWS, budget=Budget(1000.0, clock))
    assert (found.best.name, found.best.folds, found.lines[0].status) == ("tuned", (5, 5), "baseline")


def test_a_named_fine_tune_for_which_the_time_does_not_last_is_refused_with_its_seconds() -> None:
    clock = Clock()
    plain = head(clock=clock)
    baseline = replace(plain, about=replace(plain.about, baseline=True))
    with pytest.raises(OptionError, match=r"did not last to measure tuned on all folds: it needs about .* were left"):
        race([baseline, folded(BETTER, clock, 3000.0)], ROWS, budget=Budget(20.0, clock))


def test_a_candidate_scored_on_some_folds_is_marked_as_not_comparable() -> None:
    clock = Clock()
    tuned = folded(NOISE, clock, 10.0)
    found = race([head(clock=clock), tuned], ROWS, budget=Budget(1000.0, clock))
    done = len(tuned.head.calls)
    assert [(line.folds, line.comparable) for line in found.lines] == [((5, 5), True), ((done, 5), False)]


def test_on_a_busy_machine_heads_are_judged_by_the_clock() -> None:
    """Each is modelled at a second and takes ten: of five there is time for two."""
    clock = Clock()
    heads = [slow(clock, 10.0, modelled=1.0) for _ in range(5)]
    found = race(heads, ROWS, budget=Budget(25.0, clock))
    assert [len(one.head.calls) for one in heads] == [1, 1, 0, 0, 0]
    assert clock.now <= 25.0
    assert found.not_begun[2] == "it needs about 10 s, and 5 s were left"
    assert found.stopped == "class-mean needs about 10 s, and 5 s were left (and 2 others likewise)"


def test_a_head_that_takes_far_longer_than_modelled_is_given_up_at_the_limit() -> None:
    clock = Clock()
    endless = head(clock=clock, seconds=1.0, name="svm")
    runner = Ticking(make_head("svm"), clock)
    found = race([slow(clock, 1.0, modelled=1.0), replace(endless, head=runner)], ROWS, budget=Budget(30.0, clock))
    assert [line.name for line in found.lines] == ["class-mean"]
    assert found.not_begun == {1: "it was not through when the 29 s that were left had passed"}
    assert clock.now <= 1.2 * 30


def slow(clock: Clock, seconds: float, *, modelled: float) -> Scores:
    one = head(clock=clock, seconds=seconds)
    return replace(one, about=replace(one.about, seconds=modelled))


@dataclass(eq=False)
class Ticking:
    """A head of which every fold takes four seconds of a clock."""

    head: Any
    clock: Clock

    def path_scores(self, X: Any, y: Any, folds: Any) -> PathScores:
        score = type(self.head)._fold_scores

        def ticking(*arguments: Any) -> Any:
            self.clock.now += 4.0
            return score(self.head, *arguments)

        self.head._restrict_to = lambda present: SimpleNamespace(_fold_scores=ticking)
        return self.head.path_scores(X, y, folds)

"""The rule of choice, the bootstrap and BBC-CV, on answers whose truth is known."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.choose.corrected import corrected_estimate, paired_gain, plain_estimate
from headstart.choose.selection import Pool, Rule, cost_tiers, resample
from headstart.errors import DataError
from headstart.metrics.classes import METRICS, score
from headstart.records.targets import Classes
from headstart.tasks.classes import CLASSIFY


def make_pool(
    labels: np.ndarray,
    predictions: np.ndarray,
    losses: np.ndarray,
    classes: int,
    groups: np.ndarray | None = None,
    metric: str = "accuracy",
) -> Pool:
    target = Classes(labels, tuple(map(str, range(classes))))
    return Pool(target, predictions, losses, CLASSIFY.metrics[metric], groups)


def pool_of(
    truths: list[float], n: int, seed: int, *, metric: str = "accuracy", classes: int = 3, repeats: int = 1
) -> Pool:
    """Configurations that are right with these probabilities, independently; losses follow the answers."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    right = rng.random((len(truths), repeats, n)) < np.array(truths)[:, None, None]
    answers = np.where(right, y, (y + 1) % classes)
    losses = np.where(right, 0.2, 1.5).mean(axis=1).astype(np.float32)
    return make_pool(y, answers, losses, classes, metric=metric)


def rule_for(pool: Pool, draws_noise: np.ndarray, *, alone: bool = True) -> Rule:
    """All configurations are candidates of their own (or settings of one), at one price."""
    count = len(pool.predictions)
    owner = np.arange(count) if alone else np.zeros(count, np.int64)
    return Rule(owner, np.zeros(int(owner.max()) + 1, np.int64), draws_noise)


def honest(pool: Pool, seed: int = 0) -> tuple[int, float, float, float]:
    """Winner, its corrected value and interval."""
    draws = resample(pool, count=300, seed=seed)
    rule = rule_for(pool, draws.noise)
    winner = int(rule.pick(pool.whole[None], pool.whole_losses[None])[0])
    found = corrected_estimate(pool, draws, rule, winner)
    return winner, found.value, found.low, found.high


@pytest.mark.parametrize("metric", METRICS)
def test_scores_under_even_weights_are_the_plain_metric(metric: str) -> None:
    pool = pool_of([0.5, 0.9], 40, 0, metric=metric)
    expected = [score(metric, pool.target.labels, answers, 3) for answers in pool.predictions]
    assert pool.whole == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_under_weights_are_those_of_the_repeated_rows(metric: str) -> None:
    pool = pool_of([0.5, 0.9], 30, 1, metric=metric, repeats=2)
    weights = np.random.default_rng(0).integers(0, 3, size=(1, 30))
    rows = np.repeat(np.arange(30), weights[0])
    expected = [score(metric, pool.target.labels[rows], answers[:, rows], 3) for answers in pool.predictions]
    assert pool.scores(weights.astype(np.float32))[0] == pytest.approx(expected, rel=1e-6)


def test_a_class_counts_as_much_as_another_in_the_loss_when_the_metric_says_so() -> None:
    y = np.array([0, 0, 0, 1])
    losses = np.array([[1.0, 1, 1, 5]], np.float32)
    answers = np.zeros((1, 1, 4), int)
    assert make_pool(y, answers, losses, 2).whole_losses == pytest.approx([2.0])
    assert make_pool(y, answers, losses, 2, metric="balanced-accuracy").whole_losses == pytest.approx([3.0])


def test_groups_are_drawn_whole() -> None:
    pool = pool_of([0.7], 40, 0)
    grouped = make_pool(pool.target.labels, pool.predictions, pool.losses, 3, np.arange(40) // 10)
    assert grouped.clusters == 4
    assert grouped.whole == pytest.approx(pool.whole)
    outside = resample(grouped, count=200).outside[:, 0]
    by_group = (pool.predictions[0, 0] == pool.target.labels).reshape(4, 10).mean(axis=1)
    possible = {round(float(by_group[list(part)].mean()), 4) for part in subsets(4)}
    assert {round(float(value), 4) for value in outside} <= possible


def subsets(count: int) -> list[tuple[int, ...]]:
    return [tuple(i for i in range(count) if mask >> i & 1) for mask in range(1, 2**count)]


def test_one_group_cannot_be_resampled() -> None:
    pool = pool_of([0.7], 9, 0)
    with pytest.raises(DataError, match="images of at least two groups; found 1"):
        make_pool(pool.target.labels, pool.predictions, pool.losses, 3, np.zeros(9, int))


def test_costs_within_a_tenth_are_one_tier() -> None:
    assert cost_tiers(np.array([1.0, 1.09, 1.11, 1.2, 3.0])).tolist() == [0, 0, 1, 1, 2]
    assert cost_tiers(np.zeros(3)).tolist() == [0, 0, 0]


def choose(
    scores: list[float], losses: list[float], *, tiers: list[int], noise: float = 0.02, min_gain: float = 0.005
) -> int:
    count = len(scores)
    errors = noise * (1 - np.eye(count))
    rule = Rule(np.arange(count), np.array(tiers), errors, min_gain)
    return int(rule.pick(np.array([scores]), np.array([losses]))[0])


def test_a_clearly_better_candidate_wins_whatever_its_loss() -> None:
    assert choose([0.80, 0.90], [0.5, 0.6], tiers=[0, 0]) == 1


def test_among_ties_the_lower_log_loss_wins() -> None:
    assert choose([0.90, 0.88], [0.5, 0.4], tiers=[0, 0]) == 1


def test_a_dearer_candidate_must_be_better_by_the_least_gain() -> None:
    assert choose([0.900, 0.904], [0.5, 0.4], tiers=[0, 1], noise=0.001) == 0
    assert choose([0.900, 0.906], [0.5, 0.4], tiers=[0, 1], noise=0.001) == 1
    assert choose([0.900, 0.906], [0.5, 0.4], tiers=[0, 1], noise=0.001, min_gain=0.01) == 0


def test_a_dearer_candidate_that_ties_must_show_its_gain_in_log_loss() -> None:
    assert choose([0.90, 0.92], [0.500, 0.495], tiers=[0, 1]) == 0
    assert choose([0.90, 0.92], [0.500, 0.480], tiers=[0, 1]) == 1


def test_the_third_tier_is_held_against_what_was_chosen_so_far() -> None:
    assert choose([0.900, 0.904, 0.908], [0.5, 0.5, 0.5], tiers=[0, 1, 2], noise=0.0001) == 2


def test_a_candidate_is_represented_by_its_best_setting_of_equals_the_one_of_least_loss() -> None:
    rule = Rule(np.array([0, 0, 0, 1]), np.array([0, 0]), np.zeros((4, 4)))
    scores, losses = np.array([[0.9, 0.9, 0.8, 0.85]]), np.array([[0.6, 0.5, 0.1, 0.7]])
    assert rule.representatives(scores, losses).tolist() == [[1, 3]]
    assert rule.pick(scores, losses).tolist() == [1]


@given(st.permutations(range(5)), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_the_order_of_candidates_does_not_change_the_winner(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, losses = np.round(rng.random((1, 5)), 1), rng.random((1, 5))
    tiers, noise = rng.integers(0, 3, 5), np.full((5, 5), 0.05)
    tiers = np.unique(tiers, return_inverse=True)[1]
    straight = Rule(np.arange(5), tiers, noise).pick(scores, losses)[0]
    turned = Rule(np.arange(5), tiers[order], noise).pick(scores[:, order], losses[:, order])[0]
    assert order[turned] == straight


@pytest.mark.parametrize("metric", METRICS)
def test_one_configuration_keeps_its_plain_score(metric: str) -> None:
    pool = pool_of([0.8], 50, 2, metric=metric)
    _, value, low, high = honest(pool)
    assert value == pytest.approx(pool.whole[0])
    assert low < value < high


@given(st.lists(st.floats(0.3, 1.0), min_size=2, max_size=6), st.integers(0, 1000), st.sampled_from(METRICS))
@settings(max_examples=30, deadline=None)
def test_the_corrected_number_is_never_above_the_best_raw_one(truths: list[float], seed: int, metric: str) -> None:
    pool = pool_of(truths, 45, seed, metric=metric)
    _, value, low, high = honest(pool)
    assert value <= pool.whole.max() + 0.01
    assert 0 <= low <= value <= high <= 1


def test_the_best_of_many_equals_is_brought_back_to_earth() -> None:
    raws, values, held = [], [], 0
    for seed in range(60):
        pool = pool_of([0.7] * 40, 60, seed)
        winner, value, low, high = honest(pool, seed)
        raws.append(pool.whole[winner])
        values.append(value)
        held += low <= 0.7 <= high
    assert np.mean(raws) > 0.8
    assert abs(np.mean(values) - 0.7) < 0.015
    assert held >= 57


@pytest.mark.parametrize(("truth", "n"), [(0.97, 20), (0.9, 40), (0.7, 30)])
def test_intervals_of_few_rows_hold_the_truth(truth: float, n: int) -> None:
    held = 0
    for seed in range(150):
        _, _, low, high = honest(pool_of([truth] * 3, n, seed), seed)
        held += low <= truth <= high
    assert held / 150 >= 0.93


def test_twenty_right_answers_of_twenty_are_not_certainty() -> None:
    pool = pool_of([1.0, 1.0], 20, 0)
    _, value, low, high = honest(pool)
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(0.832, abs=1e-3)


def test_groups_that_go_wrong_together_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    right = np.repeat(rng.random(20) < 0.8, 10)
    answers = np.where(right, y, 1 - y)[None, None]
    losses = np.where(right, 0.2, 1.5)[None].astype(np.float32)
    widths = []
    for groups in (None, np.arange(200) // 10):
        pool = make_pool(y, answers, losses, 2, groups)
        found = plain_estimate(pool, resample(pool), 0)
        widths.append(found.high - found.low)
    assert widths[1] > 2.5 * widths[0]


@given(st.integers(0, 1000), st.sampled_from(METRICS), st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_paired_gain_turned_round_is_the_opposite(seed: int, metric: str, grouped: bool) -> None:
    pool = pool_of([0.6, 0.8], 36, seed, metric=metric)
    if grouped:
        pool = make_pool(pool.target.labels, pool.predictions, pool.losses, 3, np.arange(36) // 3, metric)
    draws = resample(pool, count=200)
    there, back = paired_gain(pool, draws, 0, 1), paired_gain(pool, draws, 1, 0)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_equal_answers_are_a_tie_and_many_differences_are_not() -> None:
    pool = pool_of([0.7, 0.7, 0.95], 200, 0)
    pool = make_pool(pool.target.labels, pool.predictions[[0, 0, 2]], pool.losses[[0, 0, 2]], 3)
    draws = resample(pool)
    same, worse = paired_gain(pool, draws, 1, 0), paired_gain(pool, draws, 0, 2)
    assert same.value == 0
    assert same.low < 0 < same.high
    assert worse.high < 0


def test_the_same_seed_draws_the_same() -> None:
    pool = pool_of([0.6, 0.8], 30, 0)
    assert (resample(pool, seed=4).outside == resample(pool, seed=4).outside).all()
    assert (resample(pool, seed=4).outside != resample(pool, seed=5).outside).any()


@pytest.mark.clock
def test_ten_thousand_rows_and_eighty_configurations_take_seconds_at_most() -> None:
    pool = pool_of([0.8] * 80, 10_000, 0)
    start = time.perf_counter()
    draws = resample(pool)
    assert draws.inside.shape == (1000, 80)
    assert time.perf_counter() - start < 10


def test_a_prior_decides_a_tie_but_never_a_difference() -> None:
    scores, losses = np.array([[0.80, 0.81]]), np.array([[0.50, 0.50]])
    noise = np.array([[0.0, 0.02], [0.02, 0.0]])
    tied = Rule(np.arange(2), np.zeros(2, np.int64), noise, prior=np.array([0.02, 0.0]))
    assert tied.pick(scores, losses).tolist() == [0]
    clear = Rule(np.arange(2), np.zeros(2, np.int64), noise / 10, prior=np.array([0.02, 0.0]))
    assert clear.pick(scores, losses).tolist() == [1]


def test_a_dearer_candidate_wins_a_tie_only_when_log_loss_and_prior_promise_enough() -> None:
    scores, losses = np.array([[0.80, 0.80]]), np.array([[0.50, 0.50]])
    noise = np.array([[0.0, 0.02], [0.02, 0.0]])
    for gain, winner in ((0.0, 0), (0.004, 0), (0.006, 1)):
        rule = Rule(np.arange(2), np.array([0, 1]), noise, prior=np.array([0.0, gain]))
        assert rule.pick(scores, losses).tolist() == [winner]

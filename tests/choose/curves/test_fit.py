"""A curve fitted to accuracies at several numbers of labels per class: what it recovers, and what its band promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.choose.curves.fit import CurvePoint, LearningCurve, PowerLaw, fit_curve, has_enough_points
from headstart.choose.curves.subsets import ladder

SURE = 1e9


def measured(accuracy: np.ndarray, sizes: tuple[int, ...], trials: float, together: float = 0.0) -> CurvePoint:
    """Accuracies worth so many images each; `together` is the correlation of their errors."""
    count = len(sizes)
    correlation = np.full((count, count), together) + (1 - together) * np.eye(count)
    every = np.full(count, trials)
    heads = np.full(count, 50)
    return CurvePoint(np.array(sizes, float), np.clip(accuracy, 0, 1), every, correlation, heads, every.astype(int))


def of_law(ceiling: float, gap: float, rate: float, trials: float = SURE, most: int = 50) -> CurvePoint:
    sizes = ladder(most)
    return measured(PowerLaw(ceiling, gap, rate).at(sizes), sizes, trials)


def fitted(found: CurvePoint) -> LearningCurve:
    curve = fit_curve(found)
    assert curve is not None
    return curve


@pytest.mark.parametrize(
    ("ceiling", "gap", "rate"), [(0.95, 0.4, 0.5), (0.8, 0.5, 1.2), (1.0, 0.6, 0.3), (0.7, 0.2, 0.8)]
)
def test_without_noise_the_three_numbers_are_found_again(ceiling: float, gap: float, rate: float) -> None:
    law = fitted(of_law(ceiling, gap, rate)).law
    assert law.ceiling == pytest.approx(ceiling, abs=1e-4)
    assert law.gap == pytest.approx(gap, abs=1e-3)
    assert law.rate == pytest.approx(rate, abs=1e-3)


def test_one_label_per_class_does_not_bend_the_law() -> None:
    sizes = ladder(50)
    accuracy = PowerLaw(0.95, 0.4, 0.5).at(sizes)
    accuracy[0] = 0.1
    assert fitted(measured(accuracy, sizes, SURE)).law.rate == pytest.approx(0.5, abs=1e-3)


def test_falling_accuracies_give_a_flat_law() -> None:
    sizes = ladder(50)
    law = fitted(measured(0.9 - 0.001 * np.array(sizes), sizes, 1000)).law
    assert law.gap == 0
    assert law.at(1) == law.at(1000) == law.ceiling


def test_all_right_at_every_size_leaves_a_band_below() -> None:
    curve = fitted(measured(np.ones(5), (2, 3, 5, 7, 10), 40))
    assert curve.at(20) == pytest.approx(1.0)
    low, high = curve.band([20])
    assert 0.8 < low[0] < 0.99
    assert high[0] == 1.0


def test_too_few_sizes_give_no_curve() -> None:
    few = measured(np.array([0.4, 0.5, 0.6, 0.7]), (1, 2, 3, 5), 100)
    assert not has_enough_points(few)
    assert fit_curve(few) is None
    assert has_enough_points(measured(np.array([0.4, 0.5, 0.6, 0.7, 0.8]), (1, 2, 3, 5, 7), 100))


def test_the_band_is_the_same_for_the_same_seed_and_in_any_order() -> None:
    found = of_law(0.9, 0.4, 0.5, trials=200)
    low, high = fitted(found).band([10, 200, 50])
    again = fitted(found).band([200, 50, 10])
    assert low.tolist() == again[0][[2, 0, 1]].tolist()
    assert high.tolist() == again[1][[2, 0, 1]].tolist()


def test_more_images_narrow_the_band() -> None:
    widths = []
    for trials in (50, 200, 800, 3200):
        low, high = fitted(of_law(0.9, 0.5, 0.5, trials=trials)).band([20, 50, 200])
        widths.append(high - low)
    assert (np.diff(widths, axis=0) < 0).all()


def test_more_sizes_narrow_the_forecast() -> None:
    widths = []
    for most in (10, 20, 50, 100):
        low, high = fitted(of_law(0.9, 0.5, 0.5, trials=400, most=most)).band([400])
        widths.append(float(high[0] - low[0]))
    assert widths == sorted(widths, reverse=True)


def test_the_law_s_own_error_widens_the_band_beyond_the_last_size() -> None:
    curve = fitted(of_law(0.9, 0.5, 0.5))
    low, high = curve.band([50, 100, 200, 400])
    assert high[0] - low[0] < 1e-3
    gain = curve.at([100, 200, 400]) - curve.at(50)
    half = 1.2816 * (0.3 * gain + 0.0025 * np.sqrt([1, 2, 3]))
    assert (high - curve.at([50, 100, 200, 400]))[1:] == pytest.approx(half, rel=0.04)
    assert (curve.at([50, 100, 200, 400]) - low)[1:] == pytest.approx(half, rel=0.04)


@settings(max_examples=40, deadline=None)
@given(
    ceiling=st.floats(0.3, 1.0),
    gap=st.floats(0.0, 0.9),
    rate=st.floats(0.05, 2.0),
    trials=st.floats(10, 5000),
    together=st.floats(0.0, 0.95),
    seed=st.integers(0, 1000),
)
def test_curve_and_band_never_fall_and_the_band_holds_the_curve(
    ceiling: float, gap: float, rate: float, trials: float, together: float, seed: int
) -> None:
    sizes = ladder(30)
    noise = np.random.default_rng(seed).normal(0, 0.03, len(sizes))
    curve = fit_curve(measured(PowerLaw(ceiling, gap, rate).at(sizes) + noise, sizes, trials, together), samples=100)
    assert curve is not None
    at = np.geomspace(1, 240, 40)
    low, high = curve.band(at)
    assert (np.diff(curve.at(at)) >= 0).all()
    assert (np.diff(low) >= 0).all()
    assert (low <= curve.at(at)).all()
    assert (curve.at(at) <= high).all()
    assert low.min() >= 0
    assert high.max() <= 1
    assert curve.law.gap >= 0
    assert curve.law.ceiling <= 1
    least, most = curve.ceiling()
    assert least <= curve.law.ceiling <= most


def test_an_accuracy_s_interval_is_exact_binomial() -> None:
    (estimate,) = measured(np.array([1.0]), (10,), 20).estimates()
    assert (estimate.value, round(estimate.low, 3), estimate.high) == (1.0, 0.832, 1.0)
    assert estimate.confidence == 0.95


def test_the_band_holds_made_truths_at_its_rate() -> None:
    """Forty curves of the law itself, with binomial noise: four in five forecasts at four times the labels hold."""
    generator = np.random.default_rng(0)
    sizes, held = ladder(24), 0
    for _ in range(40):
        law = PowerLaw(generator.uniform(0.8, 1), generator.uniform(0.3, 0.6), generator.uniform(0.3, 0.8))
        accuracy = generator.binomial(200, np.clip(law.at(sizes), 0, 1)) / 200
        low, high = fitted(measured(accuracy, sizes, 200)).band([96])
        held += int(low[0] <= law.at(96) <= high[0])
    assert held >= 32

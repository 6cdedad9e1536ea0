"""How many labels a target needs: numbers where they can be told, a reason in a sentence where not."""

import numpy as np
import pytest

from headstart.choose.curves.fit import CurvePoint, PowerLaw, fit_curve
from headstart.choose.curves.labels_needed import labels_needed, round_labels
from headstart.choose.curves.subsets import ladder

SURE = 1e9
EQUAL = {"cat": 50, "dog": 50}


def measured(law: PowerLaw, trials: float = SURE, most: int = 40) -> CurvePoint:
    sizes = ladder(most)
    count = len(sizes)
    accuracy, every = np.clip(law.at(sizes), 0, 1), np.full(count, trials)
    heads = np.full(count, 50)
    return CurvePoint(np.array(sizes, float), accuracy, every, 0.3 + 0.7 * np.eye(count), heads, every.astype(int))


def asked(law: PowerLaw, target: float, *, trials: float = SURE, most: int = 40, counts: dict[str, int] = EQUAL):
    found = measured(law, trials, most)
    return labels_needed(found, fit_curve(found), target, counts)


def test_the_labels_are_where_the_curve_meets_the_target() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.5), 0.94)  # 0.5 / √69 = 0.06
    assert found.verdict == "forecast"
    assert found.has_number
    assert found.per_class == pytest.approx(70, abs=1)
    assert found.more == found.per_class - 50
    assert 50 < found.low < found.per_class < found.high < 320
    assert (found.more_low, found.more_high) == (found.low - 50, found.high - 50)
    assert found.sentence.startswith("To reach 94 % you need about 20 more labels per class (")
    assert found.sentence.endswith("where there are 50.")


def test_noise_widens_the_answer() -> None:
    sure, unsure = (asked(PowerLaw(1.0, 0.5, 0.5), 0.94, trials=each) for each in (SURE, 100))
    assert unsure.low < sure.low < sure.high
    assert unsure.high is None
    assert unsure.more_high is None
    assert "(0 to more than 270)" in unsure.sentence
    assert "to more than 320)" in unsure.sentence


def test_labels_to_add_are_a_mean_over_unequal_classes() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.5), 0.94, counts={"cat": 200, "dog": 50})
    assert found.more == pytest.approx((found.per_class - 50) / 2, abs=1)
    assert "where there are 50 to 200." in found.sentence


def test_a_target_that_is_met_already_is_said_so() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.5), 0.9)
    assert found.verdict == "reached"
    assert found.per_class == 25
    assert found.more == 0
    assert found.sentence == "90 % is reached with about 25 labels per class (25–25); there are 50."


def test_too_few_sizes_can_t_be_told() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.5), 0.95, most=4, counts={"cat": 5, "dog": 9})
    assert found.verdict == "too few sizes"
    assert not found.has_number
    assert found.more is None
    assert "a curve takes 4 sizes of 2 labels per class or more, and these images allow for 3" in found.sentence
    assert found.sentence.endswith("the smallest class, 'cat', has 5 images.")


def test_a_flat_curve_can_t_be_told() -> None:
    found = asked(PowerLaw(0.8, 0.02, 0.5), 0.95, trials=100)
    assert found.verdict == "flat"
    assert not found.has_number
    assert "from 10 to 40 labels per class the accuracy changed by +0.3 points, no more than chance" in found.sentence


def test_a_target_above_the_ceiling_is_out_of_reach() -> None:
    found = asked(PowerLaw(0.85, 0.4, 1.2), 0.95, trials=1e6)
    assert found.verdict == "out of reach"
    assert not found.has_number
    assert found.sentence.startswith(
        "95 % is out of reach of more labels alone: the curve levels off at about 85.0 % (8"
    )


def test_a_target_beyond_eight_times_the_labels_is_too_far() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.2), 0.95)  # meets 95 % at 100,000
    assert found.verdict == "too far"
    assert not found.has_number
    assert found.low is None
    assert "more than 320 per class. With 320, 8 times the largest size measured" in found.sentence


def test_a_target_that_only_the_band_meets_is_too_far_with_a_least_number() -> None:
    found = asked(PowerLaw(1.0, 0.5, 0.35), 0.94, trials=400)  # meets 94 % at 427
    assert found.verdict == "too far"
    assert not found.has_number
    assert 40 < found.low <= 320
    assert f"at least {round_labels(found.low, int)} per class" in found.sentence


def test_the_target_is_named_as_it_was_asked() -> None:
    assert asked(PowerLaw(1.0, 0.5, 0.5), 0.975).sentence.count("97.5 %") == 1

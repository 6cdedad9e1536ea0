"""Mean IoU and Dice from pixel tables, by hand and as metrics."""

import numpy as np
import pytest

from headstart.metrics.masks import DICE, MEAN_IOU, estimate_masks, pixel_table, shares_by_class
from headstart.records.masks import ArrayMap, Masks

TRUTH = np.array([[0, 0, 1], [1, 1, -1]], np.int16)
CALLED = np.array([[0, 1, 1], [1, 1, 0]], np.int16)


def masks(count: int) -> Masks:
    return Masks(tuple(ArrayMap(TRUTH) for _ in range(count)), np.tile([2, 3], (count, 1)), ("x",) * count, ("a", "b"))


def test_void_pixels_count_neither_way() -> None:
    assert pixel_table(TRUTH, CALLED, 2).tolist() == [[1, 1], [0, 3]]


def test_iou_and_dice_by_hand() -> None:
    tables = pixel_table(TRUTH, CALLED, 2)[None]
    assert shares_by_class(tables).tolist() == pytest.approx([1 / 2, 3 / 4])
    assert shares_by_class(tables, dice=True).tolist() == pytest.approx([2 / 3, 6 / 7])


def test_the_metrics_say_the_same() -> None:
    tables = np.stack([pixel_table(TRUTH, CALLED, 2)] * 3)
    assert MEAN_IOU.value(masks(3), tables[None]) == pytest.approx(0.625)
    assert DICE.value(masks(3), tables[None]) == pytest.approx((2 / 3 + 6 / 7) / 2)
    assert estimate_masks(tables, resamples=50).value == pytest.approx(0.625)


def test_a_class_that_nobody_has_or_says_is_left_out() -> None:
    assert np.isnan(shares_by_class(np.array([[[3, 0], [0, 0]]]))[1])

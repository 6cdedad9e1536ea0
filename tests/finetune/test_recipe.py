"""Options of a fine-tune: their ranges, and what the size of the data decides."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import OptionError
from headstart.finetune.recipe import Recipe, settle_recipe
from headstart.finetune.strategies import parse_strategy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.0}, r"rate must be above 0; found 0\.0"),
        ({"rate": float("nan")}, "rate must be above 0; found nan"),
        ({"backbone_rate": -1e-4}, "backbone_rate must be above 0"),
        ({"epochs": 0}, "epochs must be at least 1; found 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"clip": 0.0}, "clip must be above 0"),
        ({"smoothing": 1.0}, "smoothing must be at least 0 and below 1"),
        ({"l2sp": (0.1, 0.1)}, "l2sp must be one or more different weights"),
        ({"augment": "mild"}, "augment must be one of 'none', 'light', 'medium', 'strong'; found 'mild'"),
        ({"precision": "f16"}, "precision must be one of"),
        ({"norms": "frosen"}, "Did you mean 'frozen'"),
    ],
)
def test_a_value_out_of_its_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Recipe(**wrong)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(OptionError, match=r"a batch of 64 images was asked for.*on 40 of them.*--batch 40 or less"):
        settle_recipe(Recipe(batch=64), parse_strategy("last-1"), 40)


@pytest.mark.parametrize(
    ("images", "epochs", "batch", "patience"), [(20, 20, 5, 0), (300, 20, 32, 0), (900, 14, 32, 0), (20_000, 6, 32, 5)]
)
def test_the_size_of_the_data_decides_epochs_and_stopping(images: int, epochs: int, batch: int, patience: int) -> None:
    found = settle_recipe(Recipe(), parse_strategy("last-1"), images)
    assert (found.epochs, found.batch, found.patience) == (epochs, batch, patience)


def test_from_scratch_trains_longer_at_one_rate_and_moves_its_norms() -> None:
    found = settle_recipe(Recipe(), parse_strategy("scratch"), 300)
    assert (found.epochs, found.backbone_rate, found.layer_decay) == (60, 1e-3, 1.0)
    assert (found.norms, found.head_init, found.augment) == ("trained", "random", "medium")


def test_gradual_unfreezing_has_five_epochs_a_step() -> None:
    assert settle_recipe(Recipe(), parse_strategy("gradual"), 300).epochs == 5
    assert settle_recipe(Recipe(stage_epochs=2), parse_strategy("gradual"), 300).epochs == 2


@given(st.integers(1, 100_000), st.sampled_from(["last-1", "full", "gradual", "scratch"]))
def test_what_is_derived_is_always_possible(images: int, word: str) -> None:
    found = settle_recipe(Recipe(), parse_strategy(word), images)
    assert 1 <= found.batch <= max(images, 1)
    assert found.epochs >= 1
    assert found.backbone_rate > 0

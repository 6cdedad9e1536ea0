"""The third line of the learning curve: a network trained from random weights."""

import sys
from pathlib import Path

import numpy as np
import pytest

from headstart.backbones.opening import open_backbone
from headstart.data.sources.load import load_dataset
from headstart.data.splits import assign_folds
from headstart.device import Device
from headstart.errors import MissingExtra
from headstart.finetune.recipe import Recipe
from headstart.verbs.curve import from_scratch
from headstart.verbs.curve.curve import learning_curve


def test_the_largest_size_and_about_a_quarter_and_a_sixteenth_of_it_are_measured() -> None:
    assert from_scratch.sizes_of((1, 2, 3, 5, 7, 10, 15, 20, 24)) == (1, 5, 24)
    assert from_scratch.sizes_of((1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 80)) == (5, 20, 80)
    assert from_scratch.sizes_of((1,)) == (1,)


def test_a_network_from_random_weights_learns_from_the_drawn_rows_and_is_tested_on_others(cells: Path) -> None:
    samples = load_dataset(cells).samples
    dealt = assign_folds(samples.labels, None, count=5, seed=0)
    found = from_scratch.measure_from_scratch(
        open_backbone("lite0"),
        samples,
        dealt,
        (2, 4),
        groups=None,
        device=Device("cpu", "f32", "tests"),
        seed=0,
        recipe=Recipe(epochs=1, augment="none", precision="f32"),
    )
    assert found.sizes.tolist() == [2.0, 4.0]
    assert found.heads.tolist() == [2, 2]
    assert found.tested.tolist() == [20, 20]
    assert ((found.accuracy >= 0) & (found.accuracy <= 1)).all()
    assert np.isfinite([each.low for each in found.estimates()]).all()


def test_without_the_extra_it_is_refused_before_any_image_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    convert = sys.modules.get("headstart.backbones.conversion.convert") or __import__(
        "headstart.backbones.conversion.convert", fromlist=["convert"]
    )
    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="Training from scratch needs the package"):
        learning_curve("no-such-folder", scratch=True)

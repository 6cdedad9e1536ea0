"""What the race tries by itself."""

import math
from pathlib import Path

import pytest

from headstart.backbones.opening import open_backbone
from headstart.backbones.packaged import PACKAGED
from headstart.finetune.recipe import Recipe
from headstart.pipeline import defaults
from headstart.pipeline.options import Options


def test_from_scratch_promises_nothing_below_a_thousand_images_a_class() -> None:
    lite0 = open_backbone("lite0")
    few, _ = defaults.expected_gain("scratch", Recipe(), lite0, 700, 7)
    many, _ = defaults.expected_gain("scratch", Recipe(), lite0, 70_000, 7)
    assert few.gain == pytest.approx(-0.5)
    assert many.gain == 0.0


def test_more_images_epochs_and_depth_take_longer() -> None:
    lite0, lite2 = open_backbone("lite0"), open_backbone("lite2")
    seconds = defaults.expected_gain("last-1", Recipe(epochs=10), lite0, 100, 7)[1]
    assert defaults.expected_gain("last-1", Recipe(epochs=10), lite0, 200, 7)[1] == pytest.approx(2 * seconds)
    assert defaults.expected_gain("last-1", Recipe(epochs=20), lite0, 100, 7)[1] == pytest.approx(2 * seconds)
    assert defaults.expected_gain("full", Recipe(epochs=10), lite0, 100, 7)[1] > 10 * seconds
    assert defaults.expected_gain("last-1", Recipe(epochs=10), lite2, 100, 7)[1] > 1.5 * seconds
    assert defaults.expected_gain("last-1", Recipe(), lite0, 100, 7, asked=True)[0].asked


def test_backbones_on_this_machine_take_part_as_far_as_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    other = "random:efficientnet_lite0"
    monkeypatch.setattr(defaults, "local_backbones", lambda: (*PACKAGED, other))
    assert defaults.default_backbones(Options(), 50, math.inf) == (*PACKAGED, other)
    assert defaults.default_backbones(Options(), 50, 0.01) == PACKAGED
    assert defaults.default_backbones(Options(heads=("ridge",)), 50, math.inf) == PACKAGED
    assert defaults.default_backbones(Options(backbones=("lite0",)), 50, math.inf) == ("efficientnet_lite0",)


def test_what_is_named_decides_what_the_race_may_choose() -> None:
    assert (Options().auto, Options().seconds) == (True, 300.0)
    assert (Options(heads=("ridge",)).auto, Options(heads=("ridge",)).seconds) == (False, math.inf)
    assert (Options(strategies=()).auto, Options(strategies=("last-1",)).auto) == (False, False)
    mixed = Options(strategies=("auto", "gradual"), budget=60.0)
    assert (mixed.auto, mixed.named, mixed.seconds) == (True, ("gradual",), 60.0)


def test_without_the_extra_heads_keep_the_folds_that_suit_small_classes(
    cell_files: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.backbones.conversion import convert
    from headstart.verbs.train.train import train

    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    pictures = [*cell_files["functional"][:9], *cell_files["defective"][:9]]
    labels = ["functional"] * 9 + ["defective"] * 9
    found = train(pictures, labels, options=Options(backbones=("lite0",), repeats=1))
    assert found.data.folds > 5
    assert any("Fine-tunes take no part: " in note and "headstart[finetune]" in note for note in found.notes)


def test_a_short_budget_is_told_what_a_longer_run_may_bring(cell_files: dict[str, list[Path]]) -> None:
    pytest.importorskip("timm")
    from headstart.verbs.train.train import train

    pictures = [*cell_files["functional"][:15], *cell_files["defective"][:15]]
    labels = ["functional"] * 15 + ["defective"] * 15
    model = train(pictures, labels, options=Options(backbones=("lite0",), repeats=1, budget=6))
    (note,) = [note for note in model.notes if note.startswith("A longer run may find more. On other data")]
    assert "put right 10 % of the errors that frozen features left; here it takes about" in note
    assert note.endswith("m.")

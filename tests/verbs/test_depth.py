"""Every layer of a backbone is probed on real photographs, and what follows is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.backbones.conversion.convert import build_network
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.opening import open_backbone
from headstart.errors import BackboneError
from headstart.finetune.freeze_plan import units
from headstart.finetune.strategies import parse_strategy
from headstart.metrics.intervals import Estimate
from headstart.pipeline.options import Options
from headstart.verbs.depth import Depth, Depths, Start, TapScore, depth, start_after

TAPS = ("stem", *(f"blocks.{i}" for i in range(7)), "conv_head")


@pytest.fixture(scope="module")
def depths(cells: Path) -> Depths:
    return depth(cells, options=Options(backbones=("lite0",), repeats=1))


def test_every_tap_has_a_score_and_one_is_the_best(depths: Depths) -> None:
    (found,) = depths.backbones
    assert found.backbone == "efficientnet_lite0"
    assert tuple(tap.name for tap in found.taps) == TAPS
    assert [tap.width for tap in found.taps] == [32, 16, 24, 40, 80, 112, 192, 320, 1280]
    assert [tap.status for tap in found.taps].count("chosen") == 1
    assert found.best.status == "chosen"
    assert found.best.gain is None
    assert found.baseline == 0.6
    for tap in found.taps:
        assert tap.score.low <= tap.score.value <= tap.score.high
        assert tap.status == "chosen" or (tap.status == "behind") == (tap.gain.high < 0)


def test_it_can_be_written_as_json(depths: Depths) -> None:
    (found,) = json.loads(json.dumps(depths.to_dict()))["backbones"]
    assert found["best"] == depths.backbones[0].best.name
    assert found["last_is_worse"] is depths.backbones[0].leaves
    assert parse_strategy(found["start"]["last"]).kind == "stages"
    assert parse_strategy(found["start"]["surgical"]).stage == found["start"]["stage"]


def test_data_that_are_colours_alone_leave_imagenet_early() -> None:
    """Which of two close shades fills the picture: the stem sees it, the last layer has learned to overlook it."""
    rng = np.random.default_rng(0)
    shades = np.array([[118, 120, 122], [122, 120, 118]])
    labels = np.arange(80) % 2
    pictures = [
        Image.fromarray(np.clip(shades[k] + rng.normal(0, 30, (64, 64, 3)), 0, 255).astype(np.uint8)) for k in labels
    ]
    found = depth(pictures, labels.tolist(), options=Options(backbones=("lite0",), repeats=1)).backbones[0]
    assert found.best.score.value > 0.9
    assert TAPS.index(found.best.name) < 6


def tap(name: str, value: float, gain: Estimate | None, status: str) -> TapScore:
    return TapScore(name, 8, Estimate(value, value - 0.05, value + 0.05), gain, status)


def made(last: TapScore, best: TapScore) -> Depth:
    return Depth(
        "net", (best, last) if best is not last else (best,), best, 0.25, start_after(0, ["a.0", "a.1", "a.2"])
    )


def test_what_is_said_depends_on_whether_the_last_layer_is_worse() -> None:
    best = tap("a.0", 0.9, None, "chosen")
    worse = made(tap("a.2", 0.8, Estimate(-0.1, -0.15, -0.05), "behind"), best)
    assert worse.leaves
    assert worse.words() == (
        "The data leave ImageNet after a.0, the best layer: 90.0 % (85.0–95.0); the last layer is worse by more than "
        "noise: -10.0 (-15.0 to -5.0) points. A multi-layer head takes the earlier layers in (headstart train compares "
        "it); fine-tuning would start at a.1 (last-2; that stage alone: surgical:a.1)."
    )
    tied = made(tap("a.2", 0.89, Estimate(-0.01, -0.05, 0.03), "tie"), best)
    assert not tied.leaves
    assert "the last layer is tied with it: -1.0 (-5.0 to +3.0) points. A head on the last layer" in tied.words()
    same = made(best, best)
    assert same.words().startswith("The last layer, a.0, is the best: 90.0 % (85.0–95.0). A head on the last layer")


def test_fine_tuning_starts_at_the_stage_after_the_best_layer() -> None:
    assert start_after(0, TAPS) == Start("blocks.0", "last-7", "surgical:blocks.0")
    assert start_after(4, TAPS) == Start("blocks.4", "last-3", "surgical:blocks.4")
    assert start_after(6, TAPS) == Start("blocks.6", "last-1", "surgical:blocks.6")
    assert start_after(8, TAPS) == start_after(7, TAPS) == Start("blocks.6", "last-1", "surgical:blocks.6")
    assert start_after(0, ["only"]) == Start("only", "last-1", "surgical:only")


def test_stages_are_counted_as_the_strategies_count_them() -> None:
    backbone = open_backbone("lite0")
    stages = cut_network(build_network(backbone))
    assert [tap.name for tap in backbone.taps] == [stage.name for stage in stages.body]
    found = units(stages)
    for best, tap in enumerate(TAPS[:-1]):
        start = start_after(best, TAPS)
        (number,) = [i for i, unit in enumerate(found) if unit.name == start.stage]
        assert best + 1 in found[number].stages, tap
        assert start.last == f"last-{len(found) - number}"


def test_a_backbone_that_cannot_be_had_stops_it(cells: Path) -> None:
    with pytest.raises(BackboneError, match="did you mean 'efficientnet_lite0'"):
        depth(cells, options=Options(backbones=("efficientnet_lite00",)))

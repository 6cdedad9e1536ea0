"""The words for fine-tunes, and what each of them trains in real networks."""

import itertools

import pytest
import timm

from headstart.backbones.conversion.convert import build_network
from headstart.backbones.conversion.families import cut_network
from headstart.backbones.conversion.stages import Stages
from headstart.backbones.opening import open_backbone
from headstart.errors import OptionError
from headstart.finetune.freeze_plan import FreezePlan, embedding, make_freeze_plan, units
from headstart.finetune.strategies import NAMES, Strategy, is_fine_tune, parse_strategy


@pytest.fixture(scope="module")
def lite0() -> Stages:
    return cut_network(build_network(open_backbone("lite0")))


@pytest.fixture(scope="module")
def vit() -> Stages:
    return cut_network(timm.create_model("vit_tiny_patch16_224", img_size=32))


def of(word: str, stages: Stages) -> FreezePlan:
    return make_freeze_plan(parse_strategy(word), stages, "it")


def test_every_name_in_the_list_is_a_strategy() -> None:
    assert all(is_fine_tune(name) and parse_strategy(name).name == name for name in NAMES)


def test_words_with_numbers_and_stages_are_read() -> None:
    assert parse_strategy("last-20-layers") == Strategy("last-20-layers", "layers", 20)
    assert parse_strategy("last-3-blocks") == Strategy("last-3-blocks", "blocks", 3)
    assert parse_strategy("surgical:blocks.3") == Strategy("surgical:blocks.3", "surgical", stage="blocks.3")
    assert not is_fine_tune("probe")


def test_a_misspelt_strategy_is_answered_with_the_nearest_right_words() -> None:
    with pytest.raises(OptionError, match="strategy 'last2' is not known: did you mean 'last-2'"):
        parse_strategy("last2")
    with pytest.raises(OptionError, match="strategy 'ridgee' is not known: did you mean 'ridge'"):
        parse_strategy("ridgee", ["ridge"])
    with pytest.raises(OptionError, match="'last-0' trains nothing"):
        parse_strategy("last-0")


def test_a_unit_is_a_stage_with_what_hangs_on_behind_it(lite0: Stages, vit: Stages) -> None:
    assert [unit.name for unit in units(lite0)] == ["stem", *(f"blocks.{i}" for i in range(7))]
    assert units(lite0)[-1].stages == range(7, 10)
    assert [unit.name for unit in units(vit)][-1] == "blocks.11"


@pytest.mark.parametrize(
    ("word", "boundary", "arrays"),
    [
        ("last-1", "blocks.6.0", 12),
        ("last-2", "blocks.5.0", 48),
        ("last-1-block", "blocks.6.0", 12),
        ("last-20-layers", "blocks.5.2", 30),
        ("surgical-first", "stem", 3),
        ("surgical-middle", "blocks.3.0", 27),
        ("surgical:blocks.3", "blocks.3.0", 27),
        ("norm-only", "stem", 98),
        ("bias-only", "stem", 49),
        ("full", "stem", 147),
        ("scratch", "stem", 147),
    ],
)
def test_what_a_strategy_trains_in_lite0(lite0: Stages, word: str, boundary: str, arrays: int) -> None:
    (phase,) = of(word, lite0).phases
    assert (lite0.blocks().names[phase.boundary], len(phase.trained)) == (boundary, arrays)


@pytest.mark.parametrize("word", [*(name for name in NAMES if name != "lora"), "last-3-blocks", "last-20-layers"])
def test_nothing_before_the_boundary_trains_and_the_first_block_behind_it_does(lite0: Stages, word: str) -> None:
    fine = lite0.blocks()
    names = {id(p): name for name, p in lite0.network.named_parameters()}
    for phase in of(word, lite0).phases:
        of_block = [{names[id(p)] for p in stage.forward.parameters()} for stage in fine.stages]
        assert not any(block & phase.trained for block in of_block[: phase.boundary])
        assert not phase.trained or of_block[phase.boundary] & phase.trained
        assert not any(name.startswith("classifier") for name in phase.trained)


def test_gradual_unfreezing_begins_with_the_head_and_ends_with_everything(lite0: Stages) -> None:
    phases = of("gradual", lite0).phases
    assert len(phases) == 9
    assert phases[0].trained == frozenset()
    assert phases[0].boundary == embedding(lite0.blocks()) + 1
    assert all(a.trained < b.trained for a, b in itertools.pairwise(phases))
    assert phases[-1].trained == of("full", lite0).trained


def test_adapters_go_beside_the_linear_layers_of_transformer_blocks(vit: Stages) -> None:
    (phase,) = of("lora", vit).phases
    assert len(phase.trained) == 48
    assert "blocks.0.attn.qkv.weight" in phase.trained


def test_what_a_network_cannot_do_is_said_with_what_it_has(lite0: Stages) -> None:
    with pytest.raises(OptionError, match=r"'last-9' was asked of it, which has 8 stages .*at most last-8"):
        of("last-9", lite0)
    with pytest.raises(OptionError, match="at most last-98-layers"):
        of("last-99-layers", lite0)
    with pytest.raises(OptionError, match=r"names a stage that it does not have: choose one of 'stem', 'blocks\.0'"):
        of("surgical:layer4", lite0)
    with pytest.raises(OptionError, match="transformer blocks, and it has none"):
        of("lora", lite0)
    with pytest.raises(OptionError, match="trains the normalisation layers, and it has none"):
        of("norm-only", cut_network(timm.create_model("vgg11")))

"""How a measurement runs is checked when it is said."""

import pytest

from headstart.device import Device
from headstart.errors import OptionError
from headstart.pipeline.options import Options
from headstart.records.run import MOST_SEED, Run


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", -1, "seed must lie between 0 and 4294967295; found -1"),
        ("seed", MOST_SEED + 1, "seed must lie between"),
        ("max_unreadable", 1.5, "max_unreadable must lie between 0 and 1; found 1.5"),
        ("max_unreadable", float("nan"), "max_unreadable must lie between 0 and 1; found nan"),
    ],
)
def test_a_number_out_of_its_range_is_refused(name: str, value: float, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Run(**{name: value})


def test_a_device_is_chosen_by_name_or_given_whole() -> None:
    exact = Device("cpu", "f32", "the tests compare numbers")
    assert Run(device=exact).choose_device() is exact
    assert Run(device="cpu").choose_device().kind == "cpu"
    with pytest.raises(OptionError, match="device must be one of 'auto', 'cpu', 'cuda', 'mps'; found 'tpu'"):
        Run(device="tpu").choose_device()


def test_the_options_of_a_training_run_hold_one() -> None:
    options = Options(seed=3, device="cpu", cache=False, max_unreadable=0.2)
    assert options.run == Run(seed=3, device="cpu", cache=False, max_unreadable=0.2)

"""Checks of what a user gives: one message form, whatever the value is."""

import numpy as np
import pytest

from headstart.checks import at_least, between
from headstart.errors import OptionError


@pytest.mark.parametrize("value", ["0.02", None, [0.02], float("nan"), 0.6])
def test_what_is_no_number_within_the_limits_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match=r"max_error must lie between 0\.0001 and 0\.5; found "):
        between("max_error", value, 1e-4, 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["3", None, 0, float("nan")])
def test_what_is_no_number_from_the_limit_on_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match=r"shown must be at least 1; found "):
        at_least("shown", value, 1)  # type: ignore[arg-type]


def test_numbers_of_every_kind_are_taken() -> None:
    """And the limits belong to what is taken; just beyond them nothing is."""
    for low, value, high in ((0, np.int64(3), 4), (0.5, np.float32(0.5), 1), (1, True, 1)):
        assert between("share", value, low, high) is None
        assert at_least("shown", value, low) is None
        with pytest.raises(OptionError, match="must lie between"):
            between("share", value, low + 4, high + 4)

"""The dial: what a person writes, and what is left."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.choose.budget import Budget, format_seconds, parse_seconds
from headstart.errors import OptionError


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("5m", 300), ("1h", 3600), ("1.5 h", 5400), (" 2M ", 120), ("NONE", math.inf)]
)
def test_times_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert parse_seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "-5m", "0s", "five minutes", "5d", "1e3s", "m", "5mm"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OptionError, match="budget is a time such as 30s, 5m or 1h, or 'none' for no limit; found"):
        parse_seconds(text)


@given(st.integers(1, 10**6))
def test_words_are_read_back_as_the_same_time(total: int) -> None:
    assert parse_seconds(format_seconds(float(total))) == pytest.approx(total, rel=1e-5)


def test_a_budget_counts_down_to_nothing() -> None:
    now = [10.0]
    budget = Budget(5.0, lambda: now[0])
    assert (budget.spent, budget.left) == (0.0, 5.0)
    now[0] = 13.0
    assert (budget.spent, budget.left) == (3.0, 2.0)
    now[0] = 99.0
    assert budget.left == 0.0
    assert Budget().left == math.inf

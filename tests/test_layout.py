"""Lines and tables fit the width they are given, and what is cut has a sign."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.layout import hang, named_lines, shorten, shorten_middle, table_lines

WORDS = st.text(st.sampled_from("ab c%1"), max_size=90)


def test_a_line_never_ends_between_a_number_and_its_percent_sign() -> None:
    assert named_lines([("a", "it was measured to be 25.0 % of")], 30, indent=3) == [
        "a  it was measured to be",
        "   25.0 % of",
    ]


def test_a_command_to_be_copied_stays_in_one_line() -> None:
    assert named_lines([("look at", "6 doubtful: headstart audit DATA --html a.html")], 50, indent=8) == [
        "look at 6 doubtful:",
        "        headstart audit DATA --html a.html",
    ]


def test_where_no_width_is_known_nothing_is_wrapped() -> None:
    assert named_lines([("data", "x " * 200)], None) == [f"data       {'x ' * 200}"]


def test_what_is_cut_has_a_sign() -> None:
    assert shorten("Gray_Leaf_Spot", 9) == "Gray_Lea…"
    assert shorten_middle("photos/Gray_Leaf_Spot/0069.jpg", 16) == "photo…t/0069.jpg"


def test_a_table_folds_its_widest_cells_first() -> None:
    rows = [("probe", "lite0 + lite2, 5 layers of each of them", "83.0 %")]
    assert table_lines(("head", "looks at", "score"), rows, 36, right=[2]) == [
        "head   looks at                score",
        "-----  ---------------------  ------",
        "probe  lite0 + lite2, 5       83.0 %",
        "       layers of each of",
        "       them",
    ]


def test_optional_columns_go_where_there_is_no_room_and_the_last_line_says_so() -> None:
    rows = [("Blight", "0.123456789", "0.123456789")]
    lines = table_lines(("class", "seconds", "interval"), rows, 20, optional=[1, 2])
    assert lines == [
        "class   interval",
        "------  -----------",
        "Blight  0.123456789",
        "not shown at this",
        "width: seconds",
    ]


@pytest.mark.parametrize("width", [60, 80])
@given(rows=st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=4))
def test_no_line_of_a_table_is_wider_than_asked(rows: list[tuple[str, ...]], width: int) -> None:
    lines = table_lines(("image", "class", "second choice", "mark"), rows, width, right=[1], paths=[0], optional=[2])
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80])
@given(text=WORDS)
def test_no_hanging_line_is_wider_than_asked(text: str, width: int) -> None:
    assert max(map(len, hang(f"next       {text} {text}", width))) <= width

"""The plot is well-formed, says what it shows, and puts points where they belong."""

import itertools
from xml.etree import ElementTree

from headstart.metrics.intervals import Estimate
from headstart.report.plots.panels import Panel, panels_svg

NAME = "{http://www.w3.org/2000/svg}"
LABELS = ("stem", "a&b", "last")
POINTS = (Estimate(0.5, 0.4, 0.6), Estimate(0.8, 0.7, 0.9), Estimate(0.6, 0.5, 0.7))


def drawn(*panels: Panel, **options: object) -> ElementTree.Element:
    return ElementTree.fromstring(panels_svg(panels, title="Accuracy <by layer>", **options))


def test_every_point_is_drawn_and_can_be_read_aloud() -> None:
    root = drawn(Panel("lite0", LABELS, POINTS, 1))
    circles = root.findall(f".//{NAME}circle")
    assert [circle.get("fill") for circle in circles] == ["#0072b2", "#b35900", "#0072b2"]
    heights = [float(circle.get("cy")) for circle in circles]
    assert heights[1] < heights[2] < heights[0]
    titles = [title.text for title in root.iter(f"{NAME}title")]
    assert titles == [
        "Accuracy <by layer>",
        "stem: 50.0 % (40.0–60.0)",
        "a&b: 80.0 % (70.0–90.0)",
        "last: 60.0 % (50.0–70.0)",
    ]
    assert [text.text for text in root.iter(f"{NAME}text") if text.get("font-weight")] == ["Accuracy <by layer>", "a&b"]


def test_panels_share_one_scale_and_stand_side_by_side() -> None:
    low = tuple(Estimate(p.value - 0.3, p.low - 0.3, p.high - 0.3) for p in POINTS)
    root = drawn(Panel("one", LABELS, POINTS, 1), Panel("two", LABELS, low, 0))
    circles = root.findall(f".//{NAME}circle")
    heights = [float(circle.get("cy")) for circle in circles]
    assert heights[3] > heights[0]
    assert abs((heights[3] - heights[0]) - (heights[4] - heights[1])) < 0.2
    places = [float(circle.get("cx")) for circle in circles]
    assert [b - a for a, b in itertools.pairwise(places)] == [46, 46, 124, 46, 46]


def test_a_baseline_is_drawn_where_it_lies_in_the_range() -> None:
    panel = Panel("lite0", LABELS, POINTS, 1)
    dashed = f".//{NAME}polyline[@stroke-dasharray]"
    assert len(drawn(panel, baseline=0.45, words="guessing").findall(dashed)) == 1
    assert drawn(panel, baseline=0.1, words="guessing").findall(dashed) == []


def test_one_point_with_no_spread_is_drawn_all_the_same() -> None:
    root = drawn(Panel("x", ("a",), (Estimate(1.0, 1.0, 1.0),), 0))
    assert len(root.findall(f".//{NAME}circle")) == 1
    assert float(root.get("width")) > 8 * len("Accuracy <by layer>")

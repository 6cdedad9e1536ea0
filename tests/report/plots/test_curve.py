"""The learning curve as SVG: well-formed, everything that was measured in it, nothing outside its frame."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from headstart.choose.curves.fit import CurvePoint, PowerLaw, fit_curve
from headstart.choose.curves.labels_needed import LabelsNeeded, labels_needed
from headstart.choose.curves.subsets import ladder
from headstart.report.plots.curve import CurveLine, curve_svg
from headstart.report.plots.svg import Axis, log_ticks, share_ticks, text

NAME = "{http://www.w3.org/2000/svg}"


def measured(ceiling: float, most: int = 40) -> CurvePoint:
    sizes = ladder(most)
    count = len(sizes)
    accuracy, trials = PowerLaw(ceiling, 0.5, 0.5).at(sizes), np.full(count, 400.0)
    return CurvePoint(np.array(sizes, float), accuracy, trials, np.eye(count), np.full(count, 50), np.full(count, 400))


def line(name: str, ceiling: float, most: int = 40) -> CurveLine:
    found = measured(ceiling, most)
    return CurveLine(name, found, fit_curve(found))


def drawn(lines: list[CurveLine], target: float = 0.94) -> tuple[ElementTree.Element, str]:
    found = labels_needed(lines[0].measured, lines[0].curve, target, {"a": 50, "b": 50})
    words = curve_svg(lines, found, title="Accuracy of <cats> & dogs")
    return ElementTree.fromstring(words), words


def texts(plot: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in plot.iter(f"{NAME}text")]


def test_every_point_is_there_with_its_interval_in_words() -> None:
    plot, _ = drawn([line("pretrained features", 1.0), line("random features", 0.8)])
    said = [each.text for each in plot.iter(f"{NAME}title")]
    assert len(said) == 1 + 2 * len(ladder(40))
    assert "pretrained features, 10 labels per class: 84.2 % (80.2–87.6)" in said
    assert said[0].startswith("Accuracy of <cats> & dogs. To reach 94 % you need about 20 more labels per class")


def test_axes_target_and_names_are_labelled() -> None:
    plot, _ = drawn([line("pretrained features", 1.0), line("random features", 0.8)])
    words = texts(plot)
    for wanted in (
        *("Accuracy of <cats> & dogs", "labels per class", "accuracy on other images", "target 94 %", "about 70"),
        *("pretrained features", "random features", "1", "10", "100", "80 %", "100 %"),
        "bars: 95 % intervals; band: 80 %, dashed: forecast",
    ):
        assert wanted in words


def test_nothing_lies_outside_the_frame() -> None:
    plot, words = drawn([line("pretrained features", 1.0), line("random features", 0.8)])
    width, height = float(plot.get("width")), float(plot.get("height"))
    pixels = [
        tuple(map(float, pair.split(","))) for each in re.findall(r'points="([^"]+)"', words) for pair in each.split()
    ]
    pixels += [(float(each.get("x")), float(each.get("y"))) for each in plot.iter(f"{NAME}text")]
    assert len(pixels) > 300
    assert all(0 <= x <= width and 0 <= y <= height for x, y in pixels)


def test_a_series_without_a_curve_is_drawn_as_points() -> None:
    plot, _ = drawn([line("pretrained features", 0.9, most=4)])
    assert len(list(plot.iter(f"{NAME}circle"))) == 4 + 1
    assert not list(plot.iter(f"{NAME}polygon"))
    assert "bars: 95 % intervals" in texts(plot)


def test_a_target_below_the_plot_is_left_out() -> None:
    found = line("pretrained features", 1.0)
    words = curve_svg([found], LabelsNeeded(0.2, "reached", "20 % is reached."), title="t")
    assert "target" not in words


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.35, 1.0), (0.91, 0.99), (0.5, 0.52)])
def test_shares_have_two_to_eight_round_ticks(low: float, high: float) -> None:
    ticks = share_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low - 1e-9 <= tick <= high + 1e-9 and round(100 * tick) == pytest.approx(100 * tick) for tick in ticks)


def test_sizes_have_ticks_of_one_two_and_five() -> None:
    assert log_ticks(0.9, 480) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert log_ticks(0.9, 200_000) == [1, 10, 100, 1000, 10_000, 100_000]


def test_a_scale_keeps_values_within_its_ends() -> None:
    scale = Axis(1, 100, 50, 250, log=True)
    assert [scale.at(value) for value in (0.1, 1, 10, 100, 1e6)] == [50, 50, 150, 250, 250]
    assert Axis(0, 1, 400, 100).at(0.75) == 175


def test_words_are_escaped() -> None:
    assert text(1, 2, "<a> & 'b'").endswith("&lt;a&gt; &amp; &#x27;b&#x27;</text>")

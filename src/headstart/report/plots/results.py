"""The plot of each result that has one: a learning curve, scores by layer, scores of a batch.

Takes what a verb has returned, gives the text of an SVG file.
"""

from __future__ import annotations

from pathlib import Path

from headstart.report.plots.curve import CurveLine, curve_svg
from headstart.report.plots.panels import Panel, panels_svg
from headstart.report.plots.scores import scores_svg
from headstart.verbs.curve.curve import Curve
from headstart.verbs.curve.from_scratch import SCRATCH
from headstart.verbs.curve.series import Series
from headstart.verbs.depth import Depths
from headstart.verbs.drift.result import BatchDrift
from headstart.verbs.robustness import Robustness


def curve_plot(result: Curve, data: str = "") -> str:
    """Accuracy against labels per class. data: what the images came from."""
    lines = [CurveLine(series_title(series), series.measured, series.curve) for series in result.series]
    name = f": {Path(data).resolve().name}" if data else ""
    return curve_svg(lines, result.answer, title=f"Accuracy against labels per class{name}")


def series_title(series: Series) -> str:
    """What a line is called in the table and in the plot."""
    return series.name if series.name == SCRATCH else f"{series.name} features"


def depth_plot(result: Depths) -> str:
    """The score of each layer, one panel a backbone."""
    panels = [
        Panel(
            depth.backbone,
            tuple(tap.name for tap in depth.taps),
            tuple(tap.score for tap in depth.taps),
            depth.taps.index(depth.best),
        )
        for depth in result.backbones
    ]
    first = result.backbones[0]
    metric = first.best.score.metric.replace("-", " ").capitalize()
    title = f"{metric} of a linear probe at each layer, with 95 % intervals"
    return panels_svg(panels, title=title, baseline=first.baseline, words="most frequent class")


def scores_plot(result: BatchDrift) -> str:
    """How foreign the images of a batch are, beside those compared with."""
    title = f"How foreign the images are to {result.model.resolve().name}"
    return scores_svg(result.reference_scores, result.scores, title=title, name=result.comparison.name)


def robustness_plot(result: Robustness) -> str:
    """The accuracy under each corruption by severity, one panel a kind, the clean images' as a line."""
    kinds = dict.fromkeys(condition.kind for condition in result.conditions[1:])
    panels = []
    for kind in kinds:
        points = [condition for condition in result.conditions if condition.kind == kind]
        worst = min(range(len(points)), key=lambda i: points[i].accuracy.value)
        labels = tuple(f"severity {condition.severity}" for condition in points)
        panels.append(Panel(kind, labels, tuple(condition.accuracy for condition in points), worst))
    clean = result.clean.accuracy.value
    return panels_svg(panels, title="Accuracy under corruptions, with 95 % intervals", baseline=clean, words="clean")
